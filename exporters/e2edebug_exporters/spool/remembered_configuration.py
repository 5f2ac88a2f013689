"""What an operator had set when the store last answered, kept beside the frames.

A process that starts while the store is away or hangs begins with it: what is to be hidden is hidden in the frames, too,
and rows need not wait in memory for the store to say so. It holds the names of keys, never values, and of the rows of
`debugging_configuration` only those that decide what is recorded: a notification route may hold addresses and secrets.
"""

import json
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from e2edebug.policy.runtime_configuration import ConfigurationRow
from e2edebug_exporters.spool.folder import SpoolFolder, SpoolUnusableError

FILE: Final = "configuration.json"
_FORMAT: Final = 1
_DECIDES_WHAT_IS_RECORDED: Final = frozenset(
    {"tracing", "performance_monitoring", "error_logging", "workflow_rules", "redaction"}
)

logger = logging.getLogger("e2edebug.pipeline")


class RememberedConfiguration:
    """One file for each service and database, written when the rows have changed.

    open_folder: as for `Spool`. keeps_nothing: writes also that nothing is set, which makes the folder.
    """

    def __init__(self, open_folder: Callable[[bool], SpoolFolder | None], *, keeps_nothing: bool) -> None:
        self._open_folder = open_folder
        self._kept: list[ConfigurationRow] | None = None if keeps_nothing else []

    def read(self) -> list[ConfigurationRow] | None:
        """Return the rows that were kept last, None where there are none to be had. Never raises."""
        try:
            folder = self._open_folder(False)
            if folder is None:
                return None
            try:
                text = folder.read_text(FILE)
            finally:
                folder.close()
            rows = None if text is None else _decoded(text)
        except (OSError, ValueError, TypeError, LookupError, RecursionError, SpoolUnusableError) as error:
            logger.warning("what was remembered of the configuration cannot be read, and is left out: %s", error)
            return None
        if rows is not None:
            self._kept = rows
        return rows

    def keep(self, rows: Sequence[ConfigurationRow]) -> None:
        """Remember *rows*, if they are not what is kept already. Never raises."""
        kept = [row for row in rows if row.config_type in _DECIDES_WHAT_IS_RECORDED]
        if kept == self._kept:
            return
        self._kept = kept  # also where it cannot be written: once is enough to say so
        try:
            folder = self._open_folder(True)
            if folder is not None:
                try:
                    folder.replace_text(FILE, json.dumps({"format": _FORMAT, "rows": kept}, indent=1))
                finally:
                    folder.close()
        except (OSError, SpoolUnusableError) as error:
            logger.info("the configuration cannot be remembered for a start without the store: %s", error)


def _decoded(text: str) -> list[ConfigurationRow] | None:
    document: Any = json.loads(text)
    if document["format"] != _FORMAT:
        return None
    return [
        ConfigurationRow(str(name), str(config_type), bool(enabled), data)
        for name, config_type, enabled, data in document["rows"]
    ]
