"""The settings: one table, read from arguments, the environment and Django's settings, in that order.

`Config` is the table. Each of its fields carries its variable, kind, default and meaning; the README's table, the
checks and `e2edebug config` are made from it. Standard library only: reading settings must cost a host nothing.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import unquote

from e2edebug.policy.config_values import (
    ADDRESSES,
    BOOLEAN,
    DATABASE_URL,
    DAYS,
    DURABILITY,
    FOLDER,
    HOSTS,
    INGEST_KEYS,
    LOG_LEVEL,
    NAMES,
    NETWORKS,
    PATTERNS,
    RATE,
    TEXT,
    WORKFLOW_RULES,
    Kind,
    ValueFormError,
    WorkflowRule,
    integer,
    milliseconds,
    seconds,
    size,
)
from e2edebug.policy.durability import Durability
from e2edebug.policy.ingest_keys import IngestKey

PREFIX: Final = "E2EDEBUG_"
ARGUMENT: Final = "argument"
ENVIRONMENT: Final = "environment"
DJANGO_SETTINGS: Final = "django settings"
DEFAULT: Final = "default"

UNKNOWN_SERVICE: Final = "unknown_service"
"""What OpenTelemetry calls a service that nobody named (resource semantic conventions, "Service")."""

_TEST_PREFIX: Final = "E2EDEBUG_TEST_"
_SETTING: Final = "e2edebug.setting"


class ConfigurationError(ValueError):
    """Settings that cannot be used. Its text has one line for each problem; `problems` has them apart."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the settings table."""

    variable: str
    """The environment variable."""
    field: str
    """The field of Config, the argument of init(), and in upper case the key of Django's E2EDEBUG."""
    kind: Kind
    default: object
    meaning: str
    otel: str = ""
    """OpenTelemetry's own variable that is read when `variable` is not set."""

    @property
    def type(self) -> str:
        """What kind of value it takes."""
        return self.kind.name

    @property
    def unit(self) -> str:
        """The unit of its value, or ''."""
        return self.kind.unit


def _described(kind: Kind, meaning: str, *, variable: str = "", otel: str = "") -> dict[str, Any]:
    return {_SETTING: (kind, meaning, variable, otel)}


@dataclass(frozen=True, kw_only=True, repr=False)
class Config:
    """The settings in force. Made by `load_config`, which checks what the constructor takes on trust."""

    enabled: bool = field(
        default=True, metadata=_described(BOOLEAN, "Off: nothing is instrumented and nothing is stored.")
    )
    database_url: str | None = field(
        default=None,
        metadata=_described(
            DATABASE_URL,
            "Where everything is stored; several hosts: `…@db1:3306,db2:3306/…`. Unset: the Django database of "
            "`E2EDEBUG_DATABASE_ALIAS` if that is MySQL or MariaDB, else the file `e2edebug.sqlite3`.",
        ),
    )
    database_alias: str = field(
        default="default", metadata=_described(TEXT, "Which of Django's `DATABASES` is used when no URL is set.")
    )
    auto_migrate: bool = field(
        default=True, metadata=_described(BOOLEAN, "Create the tables on first use of an empty database.")
    )
    service_name: str = field(
        default=UNKNOWN_SERVICE,
        metadata=_described(
            TEXT,
            "The name of this service; also read from `service.name` in `OTEL_RESOURCE_ATTRIBUTES`. Unset: the name "
            "of the Django project.",
            variable="OTEL_SERVICE_NAME",
        ),
    )
    release: str | None = field(
        default=None,
        metadata=_described(
            TEXT, "The version that is deployed; also read from `service.version` in `OTEL_RESOURCE_ATTRIBUTES`."
        ),
    )
    sdk_disabled: bool = field(
        default=False,
        metadata=_described(
            BOOLEAN, "OpenTelemetry's own switch: `true` turns everything off.", variable="OTEL_SDK_DISABLED"
        ),
    )
    traces_sampler: str | None = field(
        default=None,
        metadata=_described(
            TEXT,
            "Which traces keep their steps, as OpenTelemetry defines it (`traceidratio`, `always_off`, …). Unset: "
            "all. Durations and counts are recorded for every request whatever the sampling.",
            variable="OTEL_TRACES_SAMPLER",
        ),
    )
    traces_sampler_arg: str | None = field(
        default=None,
        metadata=_described(
            TEXT, "The sampler's argument, such as `0.1` for `traceidratio`.", variable="OTEL_TRACES_SAMPLER_ARG"
        ),
    )
    trust_incoming_trace: bool = field(
        default=True, metadata=_described(BOOLEAN, "Continue the trace that a caller's `traceparent` header names.")
    )
    propagate_to: tuple[str, ...] = field(
        default=(),
        metadata=_described(
            HOSTS,
            "The hosts of your own services: requests to them carry the trace and the correlation id on, and those to "
            "anybody else carry neither. `payments.example.com`, `*.example.com`, `10.0.0.0/8`, `*` or `none`. Unset: "
            "addresses and names that only your own network knows.",
        ),
    )
    workflow_rules: tuple[WorkflowRule, ...] = field(
        default=(),
        metadata=_described(
            WORKFLOW_RULES,
            "Which requests are which type of workflow: `POST /api/checkout/=checkout; GET /login/*=login`. Others "
            "are `api_call`.",
        ),
    )
    workflow_timeout_s: float = field(
        default=1800.0, metadata=_described(seconds(), "A workflow without news for so long becomes `timeout`.")
    )
    slow_request_ms: float = field(
        default=500.0,
        metadata=_described(
            milliseconds(), "Requests that take longer are marked as slow by the app's `DebuggingMiddleware`."
        ),
    )
    response_header: bool = field(
        default=True, metadata=_described(BOOLEAN, "Send `X-Correlation-ID` back with each response.")
    )
    correlation_id_max_traces: int = field(
        default=1000,
        metadata=_described(
            integer("traces", at_least=1), "A client's correlation id is replaced after so many requests with it."
        ),
    )
    correlation_id_max_age_s: float = field(
        default=86_400.0, metadata=_described(seconds(), "A client's correlation id is replaced when it is older.")
    )
    excluded_urls: tuple[str, ...] = field(
        default=(),
        metadata=_described(
            PATTERNS, "Requests whose URL matches one of these are not recorded.", otel="OTEL_PYTHON_EXCLUDED_URLS"
        ),
    )
    disabled_instrumentations: tuple[str, ...] = field(
        default=(),
        metadata=_described(
            NAMES,
            "What is left alone: `django`, `django_commands`, `django_database`, `dbapi`, `sqlalchemy`, `django_cache`, "
            "`redis`, `pymemcache`, `requests`, `httpx`, `urllib`, `urllib3`, `aiohttp-client`, `celery`, `django_tasks`, "
            "`rq`, `threading`, `system`, `connection_pool`, `logging`, `unhandled_exceptions`.",
            otel="OTEL_PYTHON_DISABLED_INSTRUMENTATIONS",
        ),
    )
    instrument_modules: tuple[str, ...] = field(
        default=(),
        metadata=_described(NAMES, "Modules whose public functions become steps, such as `shop.services`."),
    )
    log_event_level: str = field(
        default="WARNING",
        metadata=_described(LOG_LEVEL, "Log records from this level on are events of the step that logged them."),
    )
    log_error_level: str = field(
        default="ERROR",
        metadata=_described(
            LOG_LEVEL,
            "Log records from this level on, and those with an exception, are errors. `OFF`: only the latter.",
        ),
    )
    capture_code_location: bool = field(
        default=True, metadata=_described(BOOLEAN, "Keep the line of your code that caused each query.")
    )
    capture_client_address: bool = field(
        default=False, metadata=_described(BOOLEAN, "Keep the client's IP address with errors and steps.")
    )
    redact_keys: tuple[str, ...] = field(
        default=(),
        metadata=_described(NAMES, "Names of attributes whose values are never stored, beside the built-in ones."),
    )
    value_max_bytes: int = field(
        default=65_536,
        metadata=_described(size(at_least=256), "A longer value is cut, with a mark and its original length."),
    )
    queue_max_items: int = field(
        default=20_000,
        metadata=_described(
            integer("items", at_least=1), "Spans, logs and metrics that wait to be written; more are dropped, counted."
        ),
    )
    queue_max_bytes: int = field(
        default=64 * 1024 * 1024,
        metadata=_described(size(at_least=65_536), "The same bound in estimated memory."),
    )
    batch_max_items: int = field(
        default=512, metadata=_described(integer("items", at_least=1), "At most so many rows in one transaction.")
    )
    flush_interval_s: float = field(
        default=1.0, metadata=_described(seconds(), "How long finished spans wait before they are written.")
    )
    metric_interval_s: float = field(
        default=60.0,
        metadata=_described(
            seconds(), "How much time one performance snapshot covers.", otel="OTEL_METRIC_EXPORT_INTERVAL"
        ),
    )
    durability: Durability = field(
        default=Durability.SPOOL,
        metadata=_described(
            DURABILITY,
            "What is kept of rows that the store does not take: in `memory` while there is room, on disk "
            "(`spool`), or on disk before they go to the store (`spool-first`, which survives kill -9).",
        ),
    )
    spool_dir: str | None = field(
        default=None,
        metadata=_described(
            FOLDER,
            "Where that is; each service and database has a folder of its own in it. Unset: `e2edebug/spool` in "
            "`$XDG_STATE_HOME` or `~/.local/state`; nothing under pytest.",
        ),
    )
    spool_max_bytes: int = field(
        default=512 * 1024 * 1024,
        metadata=_described(
            size(at_least=65_536), "How large one such folder may grow; then what matters least is dropped, counted."
        ),
    )
    connect_timeout_s: float = field(
        default=3.0, metadata=_described(seconds(), "How long connecting to the store may take.")
    )
    read_timeout_s: float = field(
        default=10.0, metadata=_described(seconds(), "How long the store may take to answer.")
    )
    write_timeout_s: float = field(
        default=10.0, metadata=_described(seconds(), "How long sending to the store may take.")
    )
    exit_timeout_s: float = field(
        default=2.0,
        metadata=_described(seconds(may_be_zero=True), "How long the exit of the process may wait for the last rows."),
    )
    retention_step_days: float = field(
        default=14.0, metadata=_described(DAYS, "How long steps are kept; 0, as in the next ones, is for ever.")
    )
    retention_session_days: float = field(
        default=30.0, metadata=_described(DAYS, "How long workflows are kept, without their steps in the end.")
    )
    retention_snapshot_days: float = field(
        default=90.0,
        metadata=_described(DAYS, "How long metrics are kept; after two days they are merged into hours."),
    )
    retention_error_days: float = field(default=90.0, metadata=_described(DAYS, "How long single errors are kept."))
    retention_group_days: float = field(
        default=365.0, metadata=_described(DAYS, "How long error groups are kept after their last error.")
    )
    retention_alert_days: float = field(
        default=180.0, metadata=_described(DAYS, "How long alerts are kept that have been resolved.")
    )
    retention_max_bytes: int = field(
        default=20 * 1024**3,
        metadata=_described(
            size(at_least=0), "Beyond this size the oldest days go before their time, never today's; 0: no limit."
        ),
    )
    retention_runner: bool = field(
        default=True,
        metadata=_described(
            BOOLEAN, "Clear out old rows from within the application, one process at a time. Off: run `e2edebug prune`."
        ),
    )
    retention_interval_s: float = field(
        default=3600.0, metadata=_described(seconds(), "How long it rests between two runs.")
    )
    api_permission_class: str | None = field(
        default=None,
        metadata=_described(
            TEXT,
            "A REST framework permission class that decides in place of ours, such as `shop.permissions.IsOnCall`. "
            "Unset: staff with model permissions.",
        ),
    )
    api_throttle_rate: str | None = field(
        default="1200/min",
        metadata=_described(
            RATE, "How often one user may call the REST API: a number per `s`, `min`, `hour` or `day`, or `unlimited`."
        ),
    )
    ingest_keys: tuple[IngestKey, ...] = field(
        default=(),
        metadata=_described(
            INGEST_KEYS,
            "Who may send spans by OTLP, as `e2edebug ingest-key` prints it. Unset: nobody, and nothing is received.",
        ),
    )
    ingest_max_bytes: int = field(
        default=4 * 1024 * 1024,
        metadata=_described(
            size(at_least=65_536), "The largest body of a request of theirs, compressed as well as decompressed."
        ),
    )
    ingest_max_items: int = field(
        default=10_000,
        metadata=_described(integer("spans", at_least=1), "How many spans one request may have."),
    )
    ingest_browser_rate: str | None = field(
        default="3000/min",
        metadata=_described(
            RATE,
            "How much each process takes from all browsers with one key: spans, exceptions and KiB, added up, per `s`, "
            "`min`, `hour` or `day`; or `unlimited`.",
        ),
    )
    evaluate_in_background: bool = field(
        default=False,
        metadata=_described(BOOLEAN, "Evaluate the thresholds in a thread of one of the application's processes."),
    )
    evaluate_every_s: float = field(
        default=30.0, metadata=_described(seconds(), "How often that thread evaluates the thresholds.")
    )
    notify_urls: tuple[str, ...] = field(
        default=(),
        metadata=_described(
            ADDRESSES,
            "Where alerts are sent: addresses of apprise, `webhook+https://...`, `django-email:ops@example.com`.",
        ),
    )
    notify_allowed_networks: tuple[str, ...] = field(
        default=(),
        metadata=_described(
            NETWORKS,
            "Private networks that messages may be sent to, such as `10.0.0.0/8`. Unset: public addresses only.",
        ),
    )
    site_url: str | None = field(
        default=None,
        metadata=_described(
            TEXT, "Where the pages of e2edebug are, for the links in messages: `https://shop.example.com`."
        ),
    )
    raise_errors: bool = field(
        default=False,
        metadata=_described(BOOLEAN, "Let our own mistakes reach the host instead of counting them: for our tests."),
    )
    sources: Mapping[str, str] = field(default_factory=dict)
    """Field -> `argument`, `environment`, `django settings` or `default`."""
    warnings: tuple[str, ...] = ()
    """What was ignored and is worth a line in the log."""

    def masked(self) -> dict[str, object]:
        """Return field -> value for people to read: secrets hidden, None where nothing is set."""
        return {setting.field: _shown(setting.kind, getattr(self, setting.field)) for setting in SETTINGS}

    def __repr__(self) -> str:
        changed = {name: value for name, value in self.masked().items() if self.sources.get(name, DEFAULT) != DEFAULT}
        return f"Config({', '.join(f'{name}={value!r}' for name, value in changed.items())})"


def _settings() -> Iterable[Setting]:
    for one in fields(Config):
        if _SETTING in one.metadata:
            kind, meaning, variable, otel = one.metadata[_SETTING]
            yield Setting(variable or PREFIX + one.name.upper(), one.name, kind, one.default, meaning, otel)


SETTINGS: Final[tuple[Setting, ...]] = tuple(_settings())
"""Every setting, in the order of the README."""


def load_config(
    overrides: Mapping[str, object] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    django_settings: Mapping[str, object] | None = None,
) -> Config:
    """Return the settings from *overrides*, the environment, *django_settings* (the `E2EDEBUG` dict) and the defaults.

    overrides: field -> value; None says nothing. environ: default os.environ; a blank variable counts as unset, as in
    OpenTelemetry. Raises ConfigurationError that lists every wrong value and every unknown name of overrides and
    django_settings; unknown E2EDEBUG_* variables are warnings, since another version may want them.
    """
    reader = _Reader(os.environ if environ is None else environ)
    reader.take_mapping(overrides or {}, ARGUMENT, name_of=lambda setting: setting.field, described_as="{}")
    reader.take_environment()
    given: object = {} if django_settings is None else django_settings
    if not isinstance(given, Mapping):
        reader.problems.append(f"E2EDEBUG={_shortened(given)} in Django's settings is not a dictionary")
    else:
        reader.take_mapping(
            given,
            DJANGO_SETTINGS,
            name_of=lambda setting: setting.field.upper(),
            described_as="E2EDEBUG[{!r}]",
        )
    if reader.problems:
        raise ConfigurationError(reader.problems)
    sources = {setting.field: reader.sources.get(setting.field, DEFAULT) for setting in SETTINGS}
    return Config(**reader.values, sources=sources, warnings=tuple(reader.warnings))


class _Reader:
    """Collects values by falling precedence: the first source that has a setting wins."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.values: dict[str, Any] = {}
        self.sources: dict[str, str] = {}
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self._environ = environ

    def take_mapping(
        self, given: Mapping[str, object], source: str, *, name_of: Callable[[Setting], str], described_as: str
    ) -> None:
        """Read a mapping in which every name has to be known."""
        by_name = {name_of(setting): setting for setting in SETTINGS}
        for name, value in given.items():
            described = described_as.format(name)
            if name not in by_name:
                self.problems.append(f"{described} is not a setting{_nearest(name, by_name)}")
            elif value is not None:
                self._take(by_name[name], value, source, described)

    def take_environment(self) -> None:
        """Read our variables strictly, and OpenTelemetry's as it does: what it cannot use is ignored with a warning."""
        for setting in SETTINGS:
            text = self._environ.get(setting.variable, "").strip()
            if not text:
                self._take_otel(setting)
            elif setting.field == "sdk_disabled":
                self._take_sdk_disabled(setting, text)
            else:
                self._take(setting, text, ENVIRONMENT, setting.variable)
        known = {setting.variable for setting in SETTINGS}
        for variable in sorted(self._environ):
            if variable.startswith(PREFIX) and variable not in known and not variable.startswith(_TEST_PREFIX):
                self.warnings.append(f"{variable} is not a setting and is ignored{_nearest(variable, known)}")

    def _take(self, setting: Setting, value: object, source: str, described: str) -> None:
        try:
            parsed = setting.kind.parse(value)
        except ValueFormError as error:
            shown = _shortened(_shown(setting.kind, value))
            self.problems.append(f"{described}={shown} is not {error}")
            return
        if setting.field not in self.values:
            self.values[setting.field] = parsed
            self.sources[setting.field] = source

    def _take_sdk_disabled(self, setting: Setting, text: str) -> None:
        # "Any value that is not case-insensitive 'true' is false" (OpenTelemetry specification, "Boolean value").
        if text.lower() not in ("true", "false"):
            self.warnings.append(f"{setting.variable}={_shortened(text)} counts as false: only 'true' is true")
        self._take(setting, text.lower() == "true", ENVIRONMENT, setting.variable)

    def _take_otel(self, setting: Setting) -> None:
        attribute = _RESOURCE_ATTRIBUTES.get(setting.field)
        if attribute is not None:
            text, described = self._resource_attribute(attribute), f"{attribute} in OTEL_RESOURCE_ATTRIBUTES"
        else:
            text, described = self._environ.get(setting.otel, "").strip(), setting.otel
        if not text or setting.field in self.values:
            return
        try:
            if setting.otel == "OTEL_METRIC_EXPORT_INTERVAL":
                self.values[setting.field] = _interval_in_seconds(text)
            else:
                self.values[setting.field] = setting.kind.parse(text)
        except ValueFormError as error:
            self.warnings.append(f"{described}={_shortened(text)} is ignored: it is not {error}")
        else:
            self.sources[setting.field] = ENVIRONMENT

    def _resource_attribute(self, attribute: str) -> str:
        """OTEL_RESOURCE_ATTRIBUTES is `key=value,key=value`, percent-encoded (resource SDK specification)."""
        for pair in self._environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
            key, _, value = pair.partition("=")
            if key.strip() == attribute:
                return unquote(value.strip())
        return ""


_RESOURCE_ATTRIBUTES: Final = {"service_name": "service.name", "release": "service.version"}


def settings_table() -> str:
    """Return the settings as the Markdown table that the README shows."""
    lines = ["| Variable | Type | Default | Meaning |", "|---|---|---|---|"]
    for setting in SETTINGS:
        kind = f"{setting.type} ({setting.unit})" if setting.unit else setting.type
        shown = _shown(setting.kind, setting.default)
        default = "" if setting.default in (None, ()) else f"`{_written(shown)}`"
        also = f" Unset: `{setting.otel}` is honoured." if setting.otel else ""
        lines.append(f"| `{setting.variable}` | {kind} | {default} | {setting.meaning}{also} |")
    return "\n".join(lines)


def _written(value: object) -> str:
    """A value as one writes it into the environment."""
    if isinstance(value, bool):
        return str(value).lower()
    return format(value, "g") if isinstance(value, float) else str(value)


def _shown(kind: Kind, value: object) -> object:
    if kind.is_secret and isinstance(value, tuple):
        return tuple(f"{str(entry).partition(':')[0]}:***" for entry in value)  # a token may stand anywhere in it
    if kind.is_secret and value is not None:
        return kind.mask(str(value))
    if isinstance(value, tuple) and any(isinstance(entry, WorkflowRule) for entry in value):
        return tuple(str(entry) for entry in value)
    return value


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}…{text[-1]}"


def _interval_in_seconds(text: str) -> float:
    milliseconds = integer("milliseconds", at_least=1).parse(text)
    assert isinstance(milliseconds, int)
    return milliseconds / 1000


def _nearest(name: object, known: Iterable[str]) -> str:
    found = get_close_matches(str(name).upper(), {one.upper(): one for one in known}, n=1)
    if not found:
        return ""
    by_upper = {one.upper(): one for one in known}
    return f"; did you mean {by_upper[found[0]]}?"
