"""What is kept of rows that the store does not take."""

from enum import StrEnum


class Durability(StrEnum):
    """A value of E2EDEBUG_DURABILITY."""

    MEMORY = "memory"
    """The queue alone: what does not fit is dropped, and a process that ends takes the rest with it."""
    SPOOL = "spool"
    """Rows go to disk while the store is away, and at an exit that finds it so."""
    SPOOL_FIRST = "spool-first"
    """Every batch goes to disk before it goes to the store: kill -9 loses at most the batch that is being formed."""
