"""An evaluator within the application: a thread in each process that asks, of which one at a time evaluates.

Opt-in by E2EDEBUG_EVALUATE_IN_BACKGROUND. `e2edebug.auto` and the Django app begin it; the lease chooses the process.
"""

import os
import threading

from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY

from e2edebug.policy.self_report import internal_error
from e2edebug.runtime import lifecycle

_lock = threading.Lock()
_stop = threading.Event()
_thread: threading.Thread | None = None
_is_watching_forks = False


def begin() -> None:
    """Begin the thread of this process, if the settings want one and it has none. Idempotent."""
    global _thread, _is_watching_forks
    runtime = lifecycle.current()
    if runtime is None or runtime.is_under_test or not runtime.config.evaluate_in_background:
        return
    with _lock:
        if _thread is not None and _thread.is_alive():
            return
        _stop.clear()
        _thread = threading.Thread(target=_work, name="e2edebug-alerts", daemon=True)
        _thread.start()
        if not _is_watching_forks:
            _is_watching_forks = True
            os.register_at_fork(after_in_child=_begin_in_child)


def stop(timeout_s: float = 5.0) -> None:
    """End the thread; a turn that is going on comes to its end."""
    _stop.set()
    thread = _thread
    if thread is not None:
        thread.join(timeout_s)


def _begin_in_child() -> None:
    global _lock, _stop, _thread
    _lock, _stop, _thread = threading.Lock(), threading.Event(), None
    begin()


def _work() -> None:
    from e2edebug.alerts.running import EvaluationRunner
    from e2edebug.runtime.store_choice import choose_store_url
    from e2edebug_schema.engine import create_store_engine

    config = lifecycle.config_in_force()
    token = otel_context.attach(otel_context.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
    try:
        engine = create_store_engine(
            choose_store_url(config).url,
            connect_timeout_s=config.connect_timeout_s,
            read_timeout_s=config.read_timeout_s,
            write_timeout_s=config.write_timeout_s,
        )
        try:
            EvaluationRunner(engine, config, every_s=config.evaluate_every_s).run_until(_stop)
        finally:
            engine.dispose()
    except Exception as error:  # noqa: BLE001 - telemetry never breaks its host
        internal_error("evaluate the thresholds in the background", error)
    finally:
        otel_context.detach(token)
