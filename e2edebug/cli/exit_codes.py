"""What a command's exit code says, and the failures that people are told about in one line, or a line and a list."""

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command."""

    OK = 0
    FOUND_PROBLEM = 1
    """The command worked, and its answer is no: a check that fails, an id that is not stored."""
    BAD_USAGE = 2
    """A wrong argument or setting."""
    NO_STORE = 3
    """The store cannot be reached, is not there yet, or has another schema."""


class CommandError(Exception):
    """An expected failure: its text is for stderr, its code for the shell. No traceback belongs to it."""

    code = ExitCode.FOUND_PROBLEM

    def __init__(self, text: str, details: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.details = tuple(details)
        """Lines below the text: what one can choose from."""


class UsageError(CommandError):
    """A wrong argument or setting; the text names value, accepted form and remedy."""

    code = ExitCode.BAD_USAGE


class StoreError(CommandError):
    """The store gives no answer; the text names it without its password, and says what to do."""

    code = ExitCode.NO_STORE
