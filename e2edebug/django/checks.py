"""`manage.py check`: mistakes in the project's settings, each with an id and what to do about it.

e2edebug.E… stops `migrate` and `runserver`, e2edebug.W… and I… do not. Silence one by SILENCED_SYSTEM_CHECKS.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.db import connections, router
from django.urls import NoReverseMatch, reverse

from e2edebug.django.store_alias import SUPPORTED_VENDORS, alias_of_store
from e2edebug.django.store_migration import foreign_names, store_status
from e2edebug.policy.config import DEFAULT
from e2edebug.policy.own_statements import STORE_ALIAS
from e2edebug.runtime import django_tests
from e2edebug.runtime.lifecycle import config_in_force
from e2edebug.runtime.store_choice import choose_store_url
from e2edebug_schema.schema_state import SchemaState

CORRELATION: Final = "e2edebug.django.middleware.CorrelationIdMiddleware"
DEBUGGING: Final = "e2edebug.django.middleware.DebuggingMiddleware"
HEADER: Final = "x-correlation-id"
SENT_HEADERS: Final = (HEADER, "traceparent")

_CORS: Final = "corsheaders.middleware.CorsMiddleware"
_BELONG_BEHIND: Final = ("django.contrib.", "django.middleware.common", "django.middleware.csrf")
"""Middleware that read the session, the user or the URL: what goes wrong in them is worth seeing."""

Messages = list[checks.CheckMessage]


def register() -> None:
    """Have Django run the checks."""
    for check in (check_middleware, check_store, check_cors):
        checks.register(_unless_testing(check), "e2edebug")
    checks.register(_unless_testing(check_schema), checks.Tags.database)
    checks.register(_unless_testing(check_production), checks.Tags.security, deploy=True)
    checks.register(_unless_testing(check_ingest), checks.Tags.security, deploy=True)


def check_middleware(**_: Any) -> Messages:
    """W001: one is missing. W002: they stand where they cannot see what they are for."""
    installed = list(settings.MIDDLEWARE)
    found: Messages = []
    for path, gives in (
        (CORRELATION, "requests have no correlation id of their own while the instrumentation is off"),
        (DEBUGGING, "response size, queries, slowness, templates and the session's user are not recorded"),
    ):
        if path not in installed:
            found.append(
                checks.Warning(
                    f"{path} is not in MIDDLEWARE: {gives}.",
                    hint=f"Put it {'first' if path == CORRELATION else 'behind CorrelationIdMiddleware'}.",
                    id="e2edebug.W001",
                )
            )
    if found:
        return found
    if installed.index(DEBUGGING) < installed.index(CORRELATION):
        found.append(
            checks.Warning(
                "DebuggingMiddleware stands before CorrelationIdMiddleware.", hint=_ORDER_HINT, id="e2edebug.W002"
            )
        )
    before = [path for path in installed[: installed.index(DEBUGGING)] if path.startswith(_BELONG_BEHIND)]
    if before:
        found.append(
            checks.Warning(
                f"DebuggingMiddleware stands behind {', '.join(before)}: what goes wrong in them is not seen.",
                hint=_ORDER_HINT,
                id="e2edebug.W002",
            )
        )
    return found


_ORDER_HINT: Final = "Put CorrelationIdMiddleware and DebuggingMiddleware, in this order, at the top of MIDDLEWARE."


def check_store(**_: Any) -> Messages:
    """E001: the alias does not exist. E002: models and writer would use two stores. W003: the alias is not used."""
    config = config_in_force()
    alias, is_named = config.database_alias, config.sources.get("database_alias", DEFAULT) != DEFAULT
    if alias not in connections.databases and not config.database_url:
        return [
            checks.Error(
                f"E2EDEBUG_DATABASE_ALIAS is {alias!r}, which is none of DATABASES ({_listed(connections.databases)}).",
                hint="Name one of them, or the store itself by E2EDEBUG_DATABASE_URL.",
                id="e2edebug.E001",
            )
        ]
    choice = choose_store_url(config)
    found: Messages = []
    if is_named and choice.django_alias is None:
        reason = (
            "E2EDEBUG_DATABASE_URL is set, too, and wins"
            if config.database_url
            else "only MySQL and MariaDB can be shared with the writer"
        )
        found.append(
            checks.Warning(
                f"E2EDEBUG_DATABASE_ALIAS={alias!r} is not used: {reason}. Everything is stored in "
                f"{choice.described_as}.",
                hint="Set one of the two.",
                id="e2edebug.W003",
            )
        )
    model = _a_model()
    expected = alias_of_store()
    used = {router.db_for_read(model), router.db_for_write(model)}
    if used != {expected}:
        found.append(
            checks.Error(
                f"The models of e2edebug are read and written in {_listed(used)}, but recorded in {expected!r}.",
                hint="Take the app 'debugging' out of your own DATABASE_ROUTERS.",
                id="e2edebug.E002",
            )
        )
    if choice.django_alias is None and _is_another(STORE_ALIAS, choice.url):
        found.append(
            checks.Error(
                f"DATABASES has an alias {STORE_ALIAS!r} that is not the store, which is {choice.described_as}.",
                hint=f"Rename that alias, or use it: E2EDEBUG = {{'DATABASE_ALIAS': '{STORE_ALIAS}'}} (MySQL, MariaDB).",
                id="e2edebug.E002",
            )
        )
    return found


def check_schema(databases: Sequence[str] | None = None, **_: Any) -> Messages:
    """E003: names of ours belong to something else. W004: the store is behind. Asks the databases."""
    if not databases:
        return []
    foreign = next((text for alias in databases if (text := _foreign_names(alias))), None)
    if foreign is not None:
        return [
            checks.Error(
                f"{foreign[0].upper()}{foreign[1:]}.",
                hint="See docs/django.md, 'Tables of an older system'.",
                id="e2edebug.E003",
            )
        ]
    status, described_as = store_status()
    if status is None or status.is_usable or sys.argv[1:2] == ["migrate"]:
        return []
    if status.state is SchemaState.ABSENT and config_in_force().auto_migrate:
        return []  # the first rows make the tables
    return [
        checks.Warning(
            f"The store, {described_as}, is {status.state}: {status.detail}.",
            hint="Run `manage.py migrate`.",
            id="e2edebug.W004",
        )
    ]


def check_cors(**_: Any) -> Messages:
    """W005: scripts of other origins cannot read the id. W006: they may not send it."""
    if _CORS not in settings.MIDDLEWARE or not config_in_force().response_header:
        return []
    found: Messages = []
    position = settings.MIDDLEWARE.index(_CORS)
    exposed = _lower(getattr(settings, "CORS_EXPOSE_HEADERS", ()))
    ours = [path for path in settings.MIDDLEWARE[:position] if path.startswith(("e2edebug.", "e2edebug_"))]
    # With a list of its own, CorsMiddleware writes the header anew; ours adds to it only from further out.
    if exposed and HEADER not in exposed and not ours:
        found.append(
            checks.Warning(
                "CORS_EXPOSE_HEADERS does not name X-Correlation-ID: browsers hide it from your front end.",
                hint='Add "X-Correlation-ID", or put CorrelationIdMiddleware before CorsMiddleware.',
                id="e2edebug.W005",
            )
        )
    allowed = _lower(getattr(settings, "CORS_ALLOW_HEADERS", ()))
    missing = [name for name in SENT_HEADERS if name not in allowed]
    if missing:
        found.append(
            checks.Warning(
                f"CORS_ALLOW_HEADERS does not name {', '.join(missing)}: a front end of another origin that sends "
                "them has its requests refused by the browser.",
                hint="from corsheaders.defaults import default_headers; "
                f"CORS_ALLOW_HEADERS = (*default_headers, {', '.join(repr(name) for name in missing)})",
                id="e2edebug.W006",
            )
        )
    return found


def check_production(**_: Any) -> Messages:
    """W007: mistakes of ours would reach users. W008: a SQLite file is the store of a production site."""
    config = config_in_force()
    found: Messages = []
    if config.raise_errors:
        found.append(
            checks.Warning(
                "E2EDEBUG_RAISE_ERRORS lets mistakes of e2edebug reach your users.",
                hint="Take it out of the settings of production.",
                id="e2edebug.W007",
            )
        )
    if config.enabled and choose_store_url(config).is_embedded:
        found.append(
            checks.Warning(
                "What is recorded goes to a SQLite file beside the project: one machine, one disk, no partitions.",
                hint="Set E2EDEBUG_DATABASE_URL to a MySQL or MariaDB database.",
                id="e2edebug.W008",
            )
        )
    return found


def check_ingest(**_: Any) -> Messages:
    """I001: what others send is refused, as no key is set. W009: a key is set, and protobuf cannot be read."""
    config = config_in_force()
    if not config.enabled or not _is_ingest_routed():
        return []
    if not config.ingest_keys:
        return [
            checks.Info(
                "No key is set for OTLP (…/ingest/v1/traces): whatever services and browsers send is refused.",
                hint="If they are to send, run `e2edebug ingest-key create` and set E2EDEBUG_INGEST_KEYS.",
                id="e2edebug.I001",
            )
        ]
    if find_spec("opentelemetry.proto") is None:
        return [
            checks.Warning(
                "Keys for OTLP are set, but only JSON can be read: most exporters send protobuf.",
                hint='pip install "e2edebug[server]"',
                id="e2edebug.W009",
            )
        ]
    return []


def _is_ingest_routed() -> bool:
    try:
        reverse("debugging:ingest")
    except NoReverseMatch:
        return False
    return True


def _unless_testing(check: Callable[..., Messages]) -> Callable[..., Messages]:
    """Test runners check, too, on settings that are made for tests."""

    def checked(**arguments: Any) -> Messages:
        return [] if django_tests.is_test_environment() else check(**arguments)

    checked.__name__ = check.__name__
    return checked


def _a_model() -> Any:
    from e2edebug.django.models import WorkflowSession

    return WorkflowSession


def _is_another(alias: str, url: str) -> bool:
    from e2edebug.django.store_alias import database_entry

    entry = connections.databases.get(alias)
    if entry is None:
        return False
    wanted = database_entry(url, config_in_force())
    return any(str(entry.get(key) or "") != str(wanted.get(key) or "") for key in ("ENGINE", "NAME", "HOST", "PORT"))


def _foreign_names(alias: str) -> str | None:
    return foreign_names(alias) if connections[alias].vendor in (*SUPPORTED_VENDORS, "postgresql", "oracle") else None


def _lower(names: Iterable[str]) -> set[str]:
    return {name.lower() for name in names}


def _listed(names: Iterable[object]) -> str:
    return ", ".join(sorted(repr(name) for name in names))
