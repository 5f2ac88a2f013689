"""What an operator changes in the store reaches this process: read now and then by the pipeline's thread."""

import logging
import time
from collections.abc import Callable
from typing import Final

from e2edebug.policy.runtime_configuration import UNCHANGED, RuntimeConfiguration, combine
from e2edebug_exporters.error_classes import short_text
from e2edebug_exporters.store_connection import StoreConnection
from e2edebug_schema.queries.configuration import configuration_rows

INTERVAL_S: Final = 5.0
"""A change is promised to take effect within ten seconds."""

logger = logging.getLogger("e2edebug.pipeline")


class ConfigurationPoll:
    """Reads `debugging_configuration`, the first time at once. Costs one short query per interval, on no request."""

    def __init__(self, store: StoreConnection, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._next_at = clock()
        self._refused: dict[str, str] = {}
        self._last = UNCHANGED

    @property
    def due_in_s(self) -> float:
        """How long until the next reading."""
        return self._next_at - self._clock()

    def run_if_due(self) -> RuntimeConfiguration:
        """Return what holds, read anew if the interval is over. Without an answer, what held before holds on."""
        if self._clock() < self._next_at:
            return self._last
        self._next_at = self._clock() + INTERVAL_S
        try:
            found, refused = combine(configuration_rows(self._store.engine()))
        except Exception as error:  # noqa: BLE001 # no table yet, or no server: writing tells, and mends what it can
            logger.debug("the configuration could not be read: %s", short_text(error))
            return self._last
        for name, reason in refused.items():
            if self._refused.get(name) != reason:
                logger.warning("the row %r of debugging_configuration is left out: %s", name, reason)
        self._refused = refused
        self._last = found
        return found
