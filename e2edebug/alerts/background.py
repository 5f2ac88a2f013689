"""An evaluator within the application: a thread in each process that asks, of which one at a time evaluates.

Opt-in by E2EDEBUG_EVALUATE_IN_BACKGROUND. `e2edebug.auto` and the Django app begin it; the lease chooses the process.
"""

import logging
import threading

from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY

from e2edebug.policy import thread_signals
from e2edebug.runtime import lifecycle

logger = logging.getLogger("e2edebug.alerts")

_lock = threading.Lock()
_evaluator: "BackgroundEvaluator | None" = None


def begin() -> None:
    """Begin the thread of this process, if the settings want one and it has none. Idempotent."""
    global _evaluator
    runtime = lifecycle.current()
    if runtime is None or runtime.is_under_test or not runtime.config.evaluate_in_background:
        return
    with _lock:
        if _evaluator is None:
            _evaluator = BackgroundEvaluator()
        _evaluator.start()


def stop(timeout_s: float = 5.0) -> None:
    """End the thread; a turn that is going on comes to its end."""
    if _evaluator is not None:
        _evaluator.stop(timeout_s)


class BackgroundEvaluator:
    """The thread, and what forks and exits do to it."""

    def __init__(self) -> None:
        from e2edebug_exporters import process_lifecycle

        self._begin()
        process_lifecycle.watch(self)

    def _begin(self) -> None:
        from e2edebug_exporters.fork_gate import ForkGate

        self._gate = ForkGate()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, unless it runs."""
        if self._thread is None or not self._thread.is_alive():
            self._stop.clear()
            work = thread_signals.without_signals(self._work)
            self._thread = threading.Thread(target=work, name="e2edebug-alerts", daemon=True)
            self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End it."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def _work(self) -> None:
        from e2edebug.alerts.running import EvaluationRunner
        from e2edebug.runtime.retention_runner import hold_forks_back
        from e2edebug.runtime.store_choice import choose_store_url
        from e2edebug_schema.engine import create_store_engine
        from e2edebug_schema.migrate import status

        config = lifecycle.config_in_force()
        token = otel_context.attach(otel_context.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        try:
            engine = create_store_engine(
                choose_store_url(config).url,
                connect_timeout_s=config.connect_timeout_s,
                read_timeout_s=config.read_timeout_s,
                write_timeout_s=config.write_timeout_s,
            )
            if engine.dialect.name == "sqlite":
                hold_forks_back(engine, self._gate)
            try:
                runner = EvaluationRunner(engine, config, every_s=config.evaluate_every_s)
                runner.run_until(self._stop, is_ready=lambda: status(engine).is_usable)
            finally:
                engine.dispose()
        except Exception as error:  # noqa: BLE001 - telemetry never breaks its host
            logger.warning("thresholds are not evaluated any more: %s", f"{type(error).__name__}: {error}"[:300])
        finally:
            otel_context.detach(token)

    # Forks and exits, called by process_lifecycle.

    def before_fork(self) -> None:
        """Let a transaction on a file come to its end."""
        self._gate.close()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._gate.open()

    def after_fork_in_child(self) -> None:
        """The child has no thread; it begins one of its own."""
        self._begin()
        self.start()

    def exit(self) -> None:
        """Begin no turn any more; another process takes over when the lease has run out."""
        self.stop(1.0)
