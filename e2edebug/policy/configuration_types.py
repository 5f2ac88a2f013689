"""What a row of `debugging_configuration` may hold: the fields of each config_type, their kinds and meanings.

The one home of these rules: the admin, the REST API and the running processes read them here. A field that is null or
absent is inherited from the environment; one that is set wins.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from e2edebug.policy.config_values import BOOLEAN, NAMES, WORKFLOW_RULES, Kind, ValueFormError, integer

SEVERITIES: Final = ("debug", "info", "warning", "error", "critical")


class ConfigurationDataError(ValueError):
    """Data that a configuration row must not hold. `problems`: field -> what is wrong with it; '' is the whole."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        super().__init__("; ".join(f"{field}: {text}" if field else text for field, text in self.problems.items()))


@dataclass(frozen=True, slots=True)
class ConfigurationField:
    """One field of a config_type."""

    name: str
    kind: Kind
    meaning: str
    example: Any


@dataclass(frozen=True, slots=True)
class ConfigurationType:
    """One config_type."""

    name: str
    title: str
    meaning: str
    switches_off: str
    """What happens when a row of this type has `enabled` off."""
    fields: tuple[ConfigurationField, ...]

    def field(self, name: str) -> ConfigurationField | None:
        """Return the field called *name*."""
        return next((field for field in self.fields if field.name == name), None)


def _ratio(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueFormError("a number from 0 to 1")
    return float(value)


def _positive_number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
        raise ValueFormError("a number above 0")
    return float(value)


def _severity(value: object) -> str:
    if value not in SEVERITIES:
        raise ValueFormError(f"one of {', '.join(SEVERITIES)}")
    return str(value)


def _among(*accepted: str) -> Any:
    form = f"one of {', '.join(accepted)}"

    def one_of(value: object) -> str:
        if value not in accepted:
            raise ValueFormError(form)
        return str(value)

    return one_of


def _some_of(*accepted: str) -> Any:
    form = f"a list of {', '.join(accepted)}"

    def some_of(value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple) or any(one not in accepted for one in value):
            raise ValueFormError(form)
        return tuple(value)

    return some_of


def _matching(pattern: str, form: str) -> Any:
    compiled = re.compile(pattern)

    def matching(value: object) -> str:
        if not isinstance(value, str) or compiled.fullmatch(value) is None:
            raise ValueFormError(form)
        return value

    return matching


LAYERS: Final = ("frontend", "api", "database", "cache", "external", "system")
ALERT_LEVELS: Final = ("warning", "critical")
GROUPINGS: Final = ("all", "layer", "component", "alert")
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PATTERNS_OF_KINDS: Final = {
    "hours of a day": "([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]",
    "time zone": "[A-Za-z][A-Za-z0-9_+/-]{0,63}",
    "secret": "[!-~]{1,200}",
}
"""Kind -> what its text looks like."""

_LEVEL: Final = Kind("level", _among(*ALERT_LEVELS))
_GROUPING: Final = Kind("grouping", _among(*GROUPINGS))
_SOME_LAYERS: Final = Kind("layers", _some_of(*LAYERS))
_SOME_DAYS: Final = Kind("weekdays", _some_of(*WEEKDAYS))
_HOURS: Final = Kind("hours of a day", _matching(PATTERNS_OF_KINDS["hours of a day"], "hours such as 22:00-07:00"))
_ZONE: Final = Kind("time zone", _matching(PATTERNS_OF_KINDS["time zone"], "a time zone such as Europe/Berlin"))
_SECRET: Final = Kind("secret", _matching(PATTERNS_OF_KINDS["secret"], "1 to 200 printable characters without blanks"))
_RATIO: Final = Kind("number from 0 to 1", _ratio)
_MILLISECONDS: Final = Kind("number", _positive_number, "milliseconds")
_GIGABYTES: Final = Kind("number", _positive_number, "gigabytes")
_SEVERITY: Final = Kind("severity", _severity)
_DAYS: Final = integer("days", at_least=1)
_SECONDS: Final = integer("seconds", at_least=1)
_PAUSE: Final = integer("seconds", at_least=0)
_MESSAGES: Final = integer("messages", at_least=1)
_ROWS: Final = integer("rows", at_least=1)

CONFIGURATION_TYPES: Final[dict[str, ConfigurationType]] = {
    one.name: one
    for one in (
        ConfigurationType(
            "tracing",
            "Tracing Enabled",
            "Whether requests leave steps.",
            "No steps are stored but those of errors.",
            (
                ConfigurationField(
                    "sample_ratio", _RATIO, "Which share of the traces keeps its steps; errors always do.", 0.25
                ),
            ),
        ),
        ConfigurationType(
            "performance_monitoring",
            "Performance Monitoring",
            "How metrics are collected.",
            "No metrics are stored.",
            (
                ConfigurationField(
                    "slow_request_ms", _MILLISECONDS, "Requests that take longer are marked as slow.", 1000
                ),
            ),
        ),
        ConfigurationType(
            "error_logging",
            "Error Logging",
            "Which errors are stored, and for how long.",
            "No errors are stored.",
            (
                ConfigurationField("level", _SEVERITY, "Errors of a lower severity are not stored.", "warning"),
                ConfigurationField("retention_days", _DAYS, "Errors are kept for so many days.", 90),
            ),
        ),
        ConfigurationType(
            "dashboard",
            "Dashboard Settings",
            "How the dashboard behaves.",
            "The dashboard behaves as it does by default.",
            (
                ConfigurationField("refresh_interval_s", _SECONDS, "How often pages refresh themselves.", 10),
                ConfigurationField("default_range_hours", integer("hours", at_least=1), "The time that is shown.", 24),
                ConfigurationField("page_size", _ROWS, "Rows on a page.", 50),
            ),
        ),
        ConfigurationType(
            "workflow_rules",
            "Workflow Rules",
            "Which requests belong to which type of workflow, before the rules of the environment.",
            "Only the rules of the environment hold.",
            (
                ConfigurationField(
                    "rules", WORKFLOW_RULES, "The first rule that fits decides.", ["POST /api/checkout/=checkout"]
                ),
            ),
        ),
        ConfigurationType(
            "redaction",
            "Redaction",
            "What is never stored, in addition to the built-in names and those of the environment.",
            "Only the built-in names and those of the environment are hidden.",
            (ConfigurationField("keys", NAMES, "Names whose values are hidden.", ["loyalty_number"]),),
        ),
        ConfigurationType(
            "notification_route",
            "Notification Route",
            "Who is told of which alerts. Without an address it is no route.",
            "Nobody is told by this route.",
            (
                ConfigurationField("urls", NAMES, "Addresses; ${NAME} is read from the environment.", ["${SLACK_URL}"]),
                ConfigurationField("layers", _SOME_LAYERS, "Only alerts of these layers.", ["api", "database"]),
                ConfigurationField("components", NAMES, "Only components that match these patterns.", ["Checkout*"]),
                ConfigurationField("metrics", NAMES, "Only alerts of these metrics.", ["response_time"]),
                ConfigurationField("level", _LEVEL, "The lowest level that is told.", "critical"),
                ConfigurationField("group_by", _GROUPING, "What becomes one message.", "layer"),
                ConfigurationField("group_interval_s", _SECONDS, "After a message the next one waits so long.", 60),
                ConfigurationField("repeat_s", _PAUSE, "A reminder while nobody acknowledges; 0: none.", 14_400),
                ConfigurationField("quiet_hours", _HOURS, "When it waits.", "22:00-07:00"),
                ConfigurationField("quiet_zone", _ZONE, "Whose hours these are; UTC unless said.", "Europe/Berlin"),
                ConfigurationField("quiet_days", _SOME_DAYS, "On which days; every day unless said.", ["sat", "sun"]),
                ConfigurationField("critical_passes", BOOLEAN, "Critical alerts do not wait.", True),
                ConfigurationField("send_resolved", BOOLEAN, "Recoveries are told, too.", True),
                ConfigurationField("quota_per_hour", _MESSAGES, "No more messages than so many in an hour.", 30),
                ConfigurationField("secret", _SECRET, "What a webhook is signed with.", "${WEBHOOK_SECRET}"),
            ),
        ),
        ConfigurationType(
            "retention",
            "Retention",
            "For how long what was recorded is kept.",
            "The retention of the environment holds.",
            (
                ConfigurationField("session_days", _DAYS, "Workflow sessions are kept for so many days.", 30),
                ConfigurationField("step_days", _DAYS, "Trace steps are kept for so many days.", 7),
                ConfigurationField("snapshot_days", _DAYS, "Performance snapshots are kept for so many days.", 90),
                ConfigurationField("error_days", _DAYS, "Errors are kept for so many days.", 90),
                ConfigurationField("alert_days", _DAYS, "Resolved alerts are kept for so many days.", 180),
                ConfigurationField("max_size_gb", _GIGABYTES, "The oldest days are dropped above this size.", 20),
            ),
        ),
    )
}
"""config_type -> what its rows hold."""


def validate_configuration(config_type: object, config_data: object) -> dict[str, Any]:
    """Return the fields of *config_data* that are set, in the form the code uses.

    config_data: a mapping, or None for nothing set. Raises ConfigurationDataError, which names each wrong field and
    the accepted form.
    """
    known = CONFIGURATION_TYPES.get(config_type) if isinstance(config_type, str) else None
    if known is None:
        raise ConfigurationDataError({"config_type": f"one of {', '.join(CONFIGURATION_TYPES)}"})
    if config_data is None:
        return {}
    if not isinstance(config_data, Mapping):
        raise ConfigurationDataError({"config_data": "must be an object"})
    found: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, value in config_data.items():
        field = known.field(str(name))
        if field is None:
            problems[str(name)] = _unknown(str(name), known)
        elif value is not None:
            try:
                found[field.name] = field.kind.parse(value)
            except ValueFormError as error:
                problems[field.name] = f"must be {error}"
    if problems:
        raise ConfigurationDataError(problems)
    return found


def _unknown(name: str, known: ConfigurationType) -> str:
    names = [field.name for field in known.fields]
    nearest = get_close_matches(name, names, n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"it has {', '.join(names)}"
    return f"{known.name} has no such field; {hint}"
