"""What an exception says, as columns take it: made once for exceptions that say the same.

What fails once mostly fails again, at the same place and with the same words; and when it fails for everybody, the
exporting thread must not be what is busy with it. Reading, masking and classifying a stack takes some 300 us.
"""

from typing import Final, NamedTuple

from e2edebug.policy.error_class.evidence import Evidence
from e2edebug.policy.error_class.registry import class_of
from e2edebug.policy.stack_frames import read_stack
from e2edebug_exporters.column_limits import column_limits
from e2edebug_exporters.column_text import ColumnText
from e2edebug_exporters.fingerprint import fingerprint, qualified_type
from e2edebug_exporters.sanitize import Sanitizer


class RecordedException(NamedTuple):
    """An exception as it came, with what its class is found by: what equals it is written alike."""

    error_type: str
    message: str
    stack: str
    group_text: str
    """What it has in common with others of its kind, where that is not the way through the code."""
    http_status: int | None
    layer: str


class ErrorTexts(NamedTuple):
    """The columns of an error that follow from what was recorded, and what its copies are known by."""

    error_type: str
    error_message: str
    stack_trace: str
    fingerprint: str
    error_class: str
    group_title: str
    short_type: str
    """As recorded, without its module."""
    origin: str
    """Where it was raised and what it says: alike for all copies of one exception."""


class ErrorTextMaker:
    """Cleans, masks, classifies; remembers, within bounds."""

    def __init__(self, texts: ColumnText, sanitizer: Sanitizer) -> None:
        self._texts = texts
        self._sanitizer = sanitizer
        self._limits = column_limits().error
        self._longest_title = column_limits().error_group["title"]
        self._known: dict[RecordedException, ErrorTexts] = {}
        self._characters = 0

    def of(self, exception: RecordedException) -> ErrorTexts:
        """Return what is stored of *exception*."""
        known = self._known.get(exception)
        if known is not None:
            return known
        changes = self._sanitizer.counts.total()
        made = self._made(exception)
        if changes == self._sanitizer.counts.total():  # else each one counts
            self._keep(exception, made)
        return made

    def _keep(self, exception: RecordedException, made: ErrorTexts) -> None:
        error_type, message, stack, group_text, _, _ = exception
        characters = 2 * (len(error_type) + len(message) + len(stack) + len(group_text))
        if characters > _LONGEST:
            return
        if len(self._known) >= _MOST_KNOWN or self._characters + characters > _MOST_CHARACTERS:
            self._known.clear()  # rather than evicted one by one: a hit stays a plain look-up
            self._characters = 0
        self._known[exception] = made
        self._characters += characters

    def _made(self, exception: RecordedException) -> ErrorTexts:
        error_type, message, stack, group_text, http_status, layer = exception
        limits = self._limits
        frames, final_line = read_stack(stack[-_LONGEST_READ:])
        short_type = error_type.rpartition(".")[2]
        shown_type = self._texts.name(error_type, limits["error_type"])
        shown_message = self._texts.error_message(message, limits["error_message"], error_type)
        shown_stack = self._texts.stack_trace(stack, limits["stack_trace"])
        if message and shown_message != message and len(message) >= _SHORTEST_TELLING:
            # What the message hides must not stand at the end of the stack, where Python repeats it.
            shown_stack = _with_shown_message(shown_stack, message, shown_message)
        # Copies of one exception are alike in where it was raised and in what it says; copies that a query's span has
        # masked already as well, once they are masked.
        said = self._texts.error_message(final_line[:_LONGEST_MASKED], limits["error_message"], short_type)
        said = said.replace("'?'", "?")[:_LONGEST_SAID]
        first_line = shown_message.lstrip().partition("\n")[0]
        title = f"{shown_type.rpartition('.')[2]}: {first_line}" if first_line else shown_type
        return ErrorTexts(
            error_type=shown_type,
            error_message=shown_message,
            stack_trace=shown_stack,
            fingerprint=fingerprint(qualified_type(error_type, final_line), frames, group_text or message),
            error_class=class_of(Evidence(shown_type, shown_message, shown_stack, http_status, layer)),
            group_title=self._texts.name(title, self._longest_title),
            short_type=short_type,
            origin=" ".join((*frames[-1], said)) if frames else message[:_LONGEST_KEY_MESSAGE],
        )


def _with_shown_message(stack: str, message: str, shown: str) -> str:
    """Put what is shown of a message in the place of the message; of a long one, a stack holds only the beginning."""
    if len(message) <= _LONGEST_WHOLE:
        return stack.replace(message, shown)
    start = stack.find(message[:_LONGEST_WHOLE])
    if start < 0:
        return stack
    end = start + len(message) if stack.startswith(message, start) else stack.find("…[cut, ", start)
    return stack[:start] + shown + (stack[end:] if end >= 0 else "")


_MOST_KNOWN: Final = 256
_LONGEST: Final = 65_536
_MOST_CHARACTERS: Final = 1_000_000
"""As recorded and as shown; per mapper, so per process."""
_LONGEST_READ: Final = 262_144
_LONGEST_KEY_MESSAGE: Final = 200
_LONGEST_MASKED: Final = 4096
_LONGEST_SAID: Final = 500
_SHORTEST_TELLING: Final = 4
_LONGEST_WHOLE: Final = 4096
"""Half of what `exception_stack` keeps of a message."""
