"""Evaluation again and again: one process evaluates, any number may stand by, and whoever can delivers the messages."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from e2edebug.alerts.alert_store import EvaluationLostError
from e2edebug.alerts.channels.addresses import AddressPolicy
from e2edebug.alerts.channels.opening import open_channel
from e2edebug.alerts.delivery import DeliveryReport, deliver_waiting
from e2edebug.alerts.evaluation import Turn, evaluate_store, stored_routes
from e2edebug.alerts.housekeeping import EVERY, tidy
from e2edebug.policy.config import Config
from e2edebug_schema.lease import HeldLease, acquire_lease, holder_name

LEASE: Final = "alerts.evaluation"

logger = logging.getLogger("e2edebug.alerts")


def utc_now() -> datetime:
    """Return the time of now, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class TurnReport:
    """What one turn of a runner did."""

    turn: Turn | None
    """None: another process evaluates."""
    delivery: DeliveryReport
    problems: tuple[str, ...] = ()
    """What is wrong with routes that were left out."""


class EvaluationRunner:
    """One evaluator. It keeps its lease between two turns, so that the others need not be asked each time."""

    def __init__(
        self, engine: Engine, config: Config, *, every_s: float, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._engine = engine
        self._config = config
        self._every_s = every_s
        self._clock = clock
        self._holder = holder_name()
        self._lease: HeldLease | None = None
        self._tidied_at: datetime | None = None
        self._known_problems: tuple[str, ...] = ()
        self._policy = AddressPolicy(config.notify_allowed_networks)

    def run_once(self) -> TurnReport:
        """Evaluate if it is our turn, and deliver what waits. Raises what the driver raises."""
        stored = stored_routes(self._engine, self._config)
        routes = stored.usable
        for problem in stored.problems:
            if problem not in self._known_problems:
                logger.warning("%s; it is left out", problem)
        self._known_problems = stored.problems
        turn = None
        if self._holds_lease():
            try:
                turn = evaluate_store(
                    self._engine,
                    self._config,
                    now=self._clock(),
                    evaluator=self._holder,
                    every_s=self._every_s,
                    routes=routes,
                )
            except EvaluationLostError:
                logger.info("another evaluator was faster; its turn counts")
            self._tidy()
        delivery = deliver_waiting(
            self._engine,
            routes,
            lambda route: open_channel(route, self._policy),
            now=self._clock(),
            deliverer=self._holder,
        )
        return TurnReport(turn, delivery, stored.problems)

    def run_until(
        self,
        stop: threading.Event,
        report: Callable[[TurnReport], None] = lambda _: None,
        *,
        is_ready: Callable[[], bool] = lambda: True,
    ) -> None:
        """Evaluate every so often until *stop* is set. A turn that fails is logged, and the next one tries again."""
        while not stop.is_set():
            try:
                if is_ready():
                    report(self.run_once())
            except SQLAlchemyError as error:
                reason = getattr(error, "orig", None) or error
                logger.warning("thresholds could not be evaluated: %s", f"{type(error).__name__}: {reason}"[:300])
            stop.wait(self._every_s)
        try:
            self.release()
        except SQLAlchemyError:
            logger.info("the lease could not be given back; it runs out by itself")

    def release(self) -> None:
        """Let another process take over at once."""
        if self._lease is not None:
            self._lease.release()
            self._lease = None

    def _tidy(self) -> None:
        now = self._clock()
        if self._tidied_at is None or now - self._tidied_at >= EVERY:
            self._tidied_at = now
            tidy(self._engine, now=now, keep_days=self._config.retention_alert_days)

    def _holds_lease(self) -> bool:
        if self._lease is not None and self._lease.keep():
            return True
        duration_s = max(60.0, 3 * self._every_s)
        lease = acquire_lease(self._engine, LEASE, holder=self._holder, duration_s=duration_s)
        self._lease = None if lease is None else HeldLease(self._engine, lease)
        return lease is not None
