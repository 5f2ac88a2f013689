"""One process, one pipeline: begun once, flushed and ended on demand, and never in the way of its host."""

import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

from e2edebug.policy.config import DEFAULT, Config, ConfigurationError, load_config
from e2edebug.runtime import django_project
from e2edebug.runtime.startup_message import say

# The SDK and SQLAlchemy are imported by whoever begins: a process in which e2edebug is switched off never pays for them.
if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

    from e2edebug.runtime.providers import Connected
    from e2edebug.runtime.retention_runner import RetentionRunner
    from e2edebug_exporters.pipeline import Pipeline
    from e2edebug_exporters.synchronous import SynchronousSink

__all__ = [
    "ConfigurationError",
    "Runtime",
    "adapt_to_tests",
    "adopt_django_settings",
    "config_in_force",
    "current",
    "flush",
    "init",
    "instrument",
    "is_initialised",
    "shutdown",
    "stats",
    "write_in_tests_by",
    "write_what_tests_recorded",
]

_READ_LATE: Final = {
    "auto_migrate", "capture_client_address", "connect_timeout_s", "database_alias", "database_url", "enabled",
    "raise_errors", "read_timeout_s", "redact_keys", "value_max_bytes", "workflow_rules", "write_timeout_s",
    "retention_alert_days", "retention_error_days", "retention_group_days", "retention_interval_s", "retention_max_bytes", "retention_runner",
    "retention_session_days", "retention_snapshot_days", "retention_step_days", "evaluate_every_s", "evaluate_in_background",
    "notify_allowed_networks", "notify_urls", "site_url",
    "ingest_browser_rate", "ingest_keys", "ingest_max_bytes", "ingest_max_items",
    "capture_code_location", "correlation_id_max_age_s", "correlation_id_max_traces", "disabled_instrumentations",
    "excluded_urls", "instrument_modules", "log_error_level", "log_event_level", "propagate_to", "response_header",
    "slow_request_ms", "trust_incoming_trace",
}  # fmt: skip
"""Settings that still take effect after init(), because whoever needs them looks when it first needs them."""

_lock = threading.RLock()
_runtime: "Runtime | None" = None
_is_begun = False
_when_begun: list[Callable[[], None]] = []
_make_sink_for_tests: "Callable[[], SynchronousSink | None] | None" = None


@dataclass(slots=True)
class Runtime:
    """What runs in this process."""

    config: Config
    resource: "Resource"
    pipeline: "Pipeline"
    overrides: dict[str, object]
    is_under_test: bool = False
    retention: "RetentionRunner | None" = None


def init(**overrides: object) -> None:
    """Begin to record and to store, by *overrides*, the environment, Django's `E2EDEBUG` and the defaults.

    overrides: the fields of the settings table in the README, in lower case and without prefix. Idempotent: a second
    call changes nothing. Joins an OpenTelemetry set-up that is already there.
    Raises ConfigurationError, which names the setting, its value and the accepted form. Nothing is connected here: a
    database that cannot be reached is found out in the background.
    """
    global _runtime, _is_begun
    with _lock:
        if _is_begun:
            if overrides and _runtime is not None and _runtime.overrides != overrides:
                say("init() was called before; its settings stay as they are", level=logging.WARNING)
            return
        config = django_project.with_project_name(
            load_config(overrides, django_settings=django_project.e2edebug_settings())
        )
        _is_begun = True
        for warning in config.warnings:
            say("%s", warning, level=logging.WARNING)
        reason = _reason_for_nothing(config)
        if reason is not None:
            say("nothing is recorded, because %s", reason)
            return
        from e2edebug.runtime import providers

        resource = providers.build_resource(config)
        runtime = _runtime = Runtime(config, resource, _pipeline(config, resource), dict(overrides))
        connected = providers.connect(runtime.pipeline, config, resource)
        runtime.retention = _retention_runner(config)
        runtime.pipeline.add_chore(runtime.retention.run_if_due)
        providers.add_propagator()
        instrument()
        say("%s", _summary(config, connected))
        for begun in _when_begun:
            begun()


def when_begun(callback: Callable[[], None]) -> None:
    """Call *callback* once init() has begun to record, or now if it has: for what stands above this layer."""
    if callback not in _when_begun:
        _when_begun.append(callback)
    if _runtime is not None:
        callback()


def is_initialised() -> bool:
    """Whether init() ran in this process, even if it found that there is nothing to do."""
    return _is_begun


def current() -> Runtime | None:
    """Return what runs here, None before init() and while e2edebug is disabled."""
    return _runtime


def config_in_force() -> Config:
    """Return the settings that this process runs by, or would run by if it were initialised now."""
    if _runtime is not None:
        return _runtime.config
    return load_config(django_settings=django_project.e2edebug_settings())


def instrument() -> list[str]:
    """Switch every instrumentation on that is not disabled, and return their names. Idempotent.

    For a process whose OpenTelemetry SDK somebody else sets up; init() does it by itself.
    """
    config = config_in_force()
    from e2edebug_instrumentation import registry

    if config.instrument_modules:
        from e2edebug.instrumented_modules import instrument_module

        for name in config.instrument_modules:
            instrument_module(name)
    return registry.instrument_all(config, disabled=config.disabled_instrumentations)


def flush(timeout_s: float = 10.0) -> bool:
    """Write what was recorded before this call. Returns True once all of it is accounted for, False after *timeout_s*.

    For rows that are on disk, because the store is away, it is False: they are safe, and not in the store.
    """
    return True if _runtime is None else _runtime.pipeline.flush(timeout_s)


def shutdown(timeout_s: float | None = None) -> bool:
    """Undo the instrumentation, write what waits and stop. Returns whether nothing was left.

    timeout_s: default E2EDEBUG_EXIT_TIMEOUT_S; what the store has not taken by then goes to disk for the next process,
    or is dropped and counted where there is no spool. The OpenTelemetry
    providers stay, because they cannot be replaced; init() begins anew with them.
    """
    global _runtime, _is_begun
    with _lock:
        runtime, _runtime = _runtime, None
        _is_begun = False
        if runtime is None:
            return True
        from e2edebug_instrumentation import registry

        registry.uninstrument_all()
        if "e2edebug.instrumented_modules" in sys.modules:
            from e2edebug.instrumented_modules import uninstrument_modules

            uninstrument_modules()
        _stop_retention(runtime)
        return runtime.pipeline.shutdown(timeout_s)


def stats() -> dict[str, Any]:
    """Return the books of this process: emitted = stored + already_there + queued + spooled + the sum of dropped.

    `dropped` is by reason. Also `retried`, `adopted` (what became of rows that ended processes had left on disk),
    `damaged_frames`, `last_error`, `queue_bytes`, `state` (`healthy`, `retrying`, `spooling`, `recovering`),
    `store_away`, `spool` (its path, size, and why it cannot be used) and `pid`. Before init() everything is 0.
    """
    if _runtime is not None:
        return _runtime.pipeline.stats()
    from e2edebug_exporters.ledger import Ledger

    return Ledger().stats()


def adopt_django_settings() -> None:
    """Take in the project's settings, which were not configured yet when init() ran."""
    global _runtime
    with _lock:
        runtime = _runtime
        given = django_project.e2edebug_settings()
        if runtime is None or not given:
            return
        config = load_config(runtime.overrides, django_settings=given)
        changed = {
            one.name
            for one in fields(Config)
            if one.name not in ("sources", "warnings", "service_name")
            and getattr(config, one.name) != getattr(runtime.config, one.name)
        }
        if not changed:
            return
        runtime.config = replace(config, service_name=runtime.config.service_name)
        too_late = sorted(changed - _READ_LATE)
        if too_late:
            say(
                "E2EDEBUG in Django's settings comes too late for %s: set them in the environment, or set "
                "DJANGO_SETTINGS_MODULE before `import e2edebug.auto`",
                ", ".join(name.upper() for name in too_late),
                level=logging.WARNING,
            )
        from e2edebug_instrumentation import registry

        reason = _reason_for_nothing(config)
        if reason is not None:
            say("nothing is recorded any more, because %s", reason)
            registry.uninstrument_all()
            _stop_retention(runtime)
            runtime.pipeline.shutdown(0.0, is_discarding=True)
            _runtime = None
            return
        registry.uninstrument_all()
        instrument()


def write_in_tests_by(make_sink: "Callable[[], SynchronousSink | None]") -> None:
    """Have what tests record written by what *make_sink* returns, should a test runner take over."""
    global _make_sink_for_tests
    _make_sink_for_tests = make_sink


def adapt_to_tests() -> None:
    """A test runner has taken over: write on the tests' connection, or store nothing. What was instrumented stays so."""
    with _lock:
        if _runtime is None or _runtime.is_under_test:
            return
        _runtime.is_under_test = True
        _stop_retention(_runtime)
        sink = None if _make_sink_for_tests is None else _make_sink_for_tests()
        if sink is not None:
            _runtime.pipeline.divert(sink)
            say("under Django's test runner each test finds what it records in its own database, and undoes it")
        else:
            _runtime.pipeline.shutdown(0.0, is_discarding=True)
            say("under Django's test runner nothing is stored; e2edebug.testing.capture() shows what is traced")


def write_what_tests_recorded() -> None:
    """Write what other threads of a test have recorded; nothing to do outside of tests."""
    if _runtime is not None and _runtime.is_under_test:
        _runtime.pipeline.write_diverted()


def _pipeline(config: Config, resource: "Resource") -> "Pipeline":
    from e2edebug.runtime.store_choice import choose_store_url
    from e2edebug_exporters.configured_mapper import mapper_of
    from e2edebug_exporters.pipeline import Pipeline
    from e2edebug_exporters.store_connection import StoreConnection
    from e2edebug_schema.engine import create_store_engine

    # Looked up when the first batch is written: Django's settings may be complete only then, and a test runner's
    # database has its own name only then.
    def latest() -> Config:
        return config if _runtime is None else _runtime.config

    def make_engine() -> Any:
        now = latest()
        return create_store_engine(
            choose_store_url(now).url,
            connect_timeout_s=now.connect_timeout_s,
            read_timeout_s=now.read_timeout_s,
            write_timeout_s=now.write_timeout_s,
        )

    def make_mapper() -> Any:
        return mapper_of(latest()) if _runtime is None else mapper_of(latest(), _runtime.pipeline.configuration)

    return Pipeline(StoreConnection(make_engine), config, resource=resource, make_mapper=make_mapper)


def _retention_runner(config: Config) -> "RetentionRunner":
    from e2edebug.runtime.retention_runner import RetentionRunner
    from e2edebug.runtime.store_choice import choose_store_url
    from e2edebug_schema.engine import create_store_engine

    def make_engine(now: Config) -> Any:
        return create_store_engine(
            choose_store_url(now).url,
            connect_timeout_s=now.connect_timeout_s,
            read_timeout_s=now.read_timeout_s,
            write_timeout_s=now.write_timeout_s,
        )

    return RetentionRunner(lambda: config if _runtime is None else _runtime.config, make_engine)


def _stop_retention(runtime: Runtime) -> None:
    if runtime.retention is not None:
        runtime.retention.stop()


def _reason_for_nothing(config: Config) -> str | None:
    if not config.enabled:
        return f"enabled is off ({config.sources.get('enabled', DEFAULT)})"
    if config.sdk_disabled:
        return "OTEL_SDK_DISABLED is set"
    return None


def _summary(config: Config, connected: "Connected") -> str:
    from e2edebug.runtime.store_choice import choose_store_url

    choice = choose_store_url(config)
    release = f" {config.release}" if config.release else ""
    names = ", ".join(connected.joined)
    shared = f"; joined the OpenTelemetry set-up that was there for {names}" if names else ""
    return f"recording {config.service_name}{release} into {choice.described_as}; {connected.kept}{shared}"
