"""What an operator changes in the store reaches this process: read now and then by the pipeline's thread."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from e2edebug.policy.runtime_configuration import UNCHANGED, ConfigurationRow, RuntimeConfiguration, combine
from e2edebug_exporters.error_classes import short_text
from e2edebug_exporters.spool.remembered_configuration import RememberedConfiguration
from e2edebug_exporters.store_connection import StoreConnection
from e2edebug_schema.queries.configuration import configuration_rows

INTERVAL_S: Final = 5.0
"""A change is promised to take effect within ten seconds."""

logger = logging.getLogger("e2edebug.pipeline")


class ConfigurationPoll:
    """Reads `debugging_configuration`, the first time at once. Costs one short query per interval, on no request.

    known: what holds before the first reading, as a forked child knows it from its parent; None: not known.
    remembered: what an earlier process has read, for a start without the store.
    """

    def __init__(
        self,
        store: StoreConnection,
        *,
        known: RuntimeConfiguration | None = None,
        remembered: RememberedConfiguration | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._remembered = remembered
        self._clock = clock
        self._next_at = clock()
        self._refused: dict[str, str] = {}
        self.known = known
        """What holds, as far as it was ever told."""
        self._is_recalled = known is not None

    @property
    def due_in_s(self) -> float:
        """How long until the next reading."""
        return self._next_at - self._clock()

    def recall(self) -> RuntimeConfiguration:
        """Return what holds before the store is asked: what is known, else what an earlier process has read."""
        if not self._is_recalled:
            self._is_recalled = True
            rows = None if self._remembered is None else self._remembered.read()
            if rows is not None and self.known is None:
                self.known, _ = self._combine(rows)
        return self.known or UNCHANGED

    def run_if_due(self) -> RuntimeConfiguration:
        """Return what holds, read anew if the interval is over. Without an answer, what held before holds on."""
        if self._clock() < self._next_at:
            return self.known or UNCHANGED
        self._next_at = self._clock() + INTERVAL_S
        try:
            rows = configuration_rows(self._store.engine())
        except Exception as error:  # noqa: BLE001 # no table yet, or no server: writing tells, and mends what it can
            logger.debug("the configuration could not be read: %s", short_text(error))
            return self.known or UNCHANGED
        self.known, usable = self._combine(rows)
        if self._remembered is not None:
            self._remembered.keep(usable)
        return self.known

    def _combine(self, rows: Sequence[ConfigurationRow]) -> tuple[RuntimeConfiguration, list[ConfigurationRow]]:
        """Return what *rows* say together, and those of them that can be used; say once of another why not."""
        found, refused = combine(rows)
        for name, reason in refused.items():
            if self._refused.get(name) != reason:
                logger.warning("the row %r of debugging_configuration is left out: %s", name, reason)
        self._refused = refused
        return found, [row for row in rows if row.name not in refused]
