"""What Alembic says of our migrations is kept out of the logs of the application in whose process they run."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_LOGGERS: Final = ("alembic.runtime.migration", "alembic.runtime.plugins")
"""The second speaks while Alembic is imported."""


@contextmanager
def quiet_alembic() -> Iterator[None]:
    """Drop Alembic's INFO records of this thread. The application's own use of Alembic, in other threads, goes on."""
    ours = threading.get_ident()

    def is_for_others(record: logging.LogRecord) -> bool:
        return record.levelno > logging.INFO or threading.get_ident() != ours

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(is_for_others)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_for_others)
