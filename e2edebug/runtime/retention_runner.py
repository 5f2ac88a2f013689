"""Retention from within the application: now and then, when this process is the one whose turn it is.

The pipeline's thread looks at the clock, and a thread that lives for one run does the work: writing must not wait for
it, and a process at rest has no thread of ours. Every process asks, and the lease lets one work at a time. What a
process that ends leaves undone the next run does.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY
from sqlalchemy import Engine, event

from e2edebug.policy.config import Config
from e2edebug_exporters import process_lifecycle
from e2edebug_exporters.fork_gate import ForkGate

if TYPE_CHECKING:
    from e2edebug_schema.retention.apply import Outcome

FIRST_AFTER_S: Final = 60.0
"""A process that lives for less, such as most commands, never runs it."""

ROLL_UP_EVERY_S: Final = 600.0
"""An hour that is over is read minute by minute until it is summed up, at the second run after its end."""

logger = logging.getLogger("e2edebug.retention")


class RetentionRunner:
    """Runs retention every now and then while something calls run_if_due()."""

    def __init__(
        self,
        config: Callable[[], Config],
        make_engine: Callable[[Config], Engine],
        *,
        clock: Callable[[], float] = time.monotonic,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._config = config
        self._make_engine = make_engine
        self._clock = clock
        self._spread = spread
        self._stop = threading.Event()
        self._begin()
        process_lifecycle.watch(self)

    def _begin(self) -> None:
        self._gate = ForkGate()
        self._thread: threading.Thread | None = None
        self._next_at = self._next_rollup_at = self._clock() + self._spread_out(FIRST_AFTER_S)

    def run_if_due(self) -> None:
        """Begin a run in a thread of its own if the interval is over. Cheap: it is asked every second."""
        now = self._clock()
        is_whole_run = now >= self._next_at
        if (
            not (is_whole_run or now >= self._next_rollup_at)
            or self._stop.is_set()
            or not self._config().retention_runner
        ):
            return
        self._next_rollup_at = now + self._spread_out(ROLL_UP_EVERY_S)
        if is_whole_run:
            self._next_at = now + self._spread_out(self._config().retention_interval_s)
        if self._thread is None or not self._thread.is_alive():
            work = self.run_once if is_whole_run else self.roll_up_once
            self._thread = threading.Thread(target=self._work, args=(work,), name="e2edebug-retention", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Begin no more; a run that is going on ends at its next step."""
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        """Wait for a run to end."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def run_once(self) -> "Outcome | None":
        """Do what is due here and now; None when another process is at it, and where the schema is not this one's."""
        # What a process needs that has its first run; most end before.
        from e2edebug.runtime.retention import run_retention

        with self._usable_engine() as engine:
            return run_retention(engine, self._config(), stops=self._stop.is_set) if engine is not None else None

    def roll_up_once(self) -> None:
        """Sum up the hours of metrics that are over; a whole run does it, too."""
        from e2edebug.runtime.retention import run_rollups

        with self._usable_engine() as engine:
            if engine is not None:
                run_rollups(engine, stops=self._stop.is_set)

    @contextmanager
    def _usable_engine(self) -> Iterator[Engine | None]:
        """An engine of its own for one run; None where the schema is not this one's."""
        from e2edebug.runtime.retention import READ_TIMEOUT_S
        from e2edebug_schema.migrate import status

        config = self._config()
        engine = self._make_engine(replace(config, read_timeout_s=max(config.read_timeout_s, READ_TIMEOUT_S)))
        try:
            if engine.dialect.name == "sqlite":
                hold_forks_back(engine, self._gate)
            yield engine if status(engine).is_usable else None
        finally:
            engine.dispose()

    def _work(self, work: Callable[[], "Outcome | None"]) -> None:
        token = otel_context.attach(otel_context.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        try:
            outcome = work()
            if outcome is not None and outcome.is_over_size:
                logger.warning(
                    "the store takes %d MB, more than E2EDEBUG_RETENTION_MAX_BYTES, with today's rows alone",
                    outcome.size_bytes >> 20,
                )
        except Exception as error:  # noqa: BLE001  # the host must not see it; the next run tries again
            logger.warning("old rows could not be cleared out: %s", f"{type(error).__name__}: {error}"[:300])
        finally:
            otel_context.detach(token)

    def _spread_out(self, seconds: float) -> float:
        """Workers of one server start at once; they need not ask at once."""
        return seconds * (1 + self._spread() / 4)

    # Forks and exits, called by process_lifecycle.

    def before_fork(self) -> None:
        """Let a transaction on a file come to its end."""
        self._gate.close()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._gate.open()

    def after_fork_in_child(self) -> None:
        """Begin anew: a run of the parent is the parent's."""
        self._begin()

    def exit(self) -> None:
        """Begin nothing any more; what a run has not done, the next one does."""
        self.stop()


def hold_forks_back(engine: Engine, gate: ForkGate) -> None:
    """Let no fork fall into a transaction: the child would find the file locked for ever (fork_gate.py)."""
    working = ExitStack()

    def taken(*_: object) -> None:
        working.enter_context(gate.working())

    def given_back(*_: object) -> None:
        working.close()

    event.listen(engine, "checkout", taken)
    event.listen(engine, "checkin", given_back)
