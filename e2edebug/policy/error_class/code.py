"""Everything else: a mistake in the code."""

from typing import Final

from e2edebug.policy.error_class.evidence import Raised

NAME: Final = "code"


def matches(raised: Raised) -> bool:  # noqa: ARG001 - as the other classes
    """What no other class claims is of this one."""
    return True


def suggestion(raised: Raised) -> str:
    """By the built-in type, which says what kind of mistake it is."""
    text = raised.message
    if raised.is_named("AttributeError", "TypeError") and "NoneType" in text:
        return (
            "Something was None that should have been an object: find where it comes from (a `.first()`, a `.get()` of a "
            "dictionary, a field that may be empty) and decide there what its absence means."
        )
    if raised.number == 1064 or (raised.is_of_database and "syntax error" in text):
        return (
            "The statement is no valid SQL; the message says near what: it stands on the failed step. Values belong into "
            "parameters, and never into the text."
        )
    return _ADVICE.get(raised.short_name, _ANY)


_ADVICE: Final = {
    "AttributeError": "The object has no such attribute: it is of another type than this line expects; look at what produced it.",
    "KeyError": "The dictionary lacks that key: use `.get()` where absence is normal, and check what the data's source really sends.",
    "IndexError": "The sequence is shorter than this line expects: handle the empty case before indexing.",
    "TypeError": "A value has another type than this line expects, or a call has the wrong arguments: compare caller and signature.",
    "ValueError": "The value has the right type and the wrong content: check it where it comes in, before it gets here.",
    "ZeroDivisionError": "The divisor was 0: decide what the result means without any (an empty cart, no ratings).",
    "UnboundLocalError": "The variable is set on one path only: give it a value before the branch.",
    "NameError": "The name is not defined: a typing error or a missing import, which `ruff check` finds.",
    "RecursionError": "The function calls itself without end: look at the frames that repeat; a property or a signal that saves its own object does that.",
    "AssertionError": "An assumption of the code did not hold: find who broke it, and do not rely on `assert` for what users send.",
    "NotImplementedError": "A method that a subclass must provide is missing.",
    "MemoryError": "The process ran out of memory: read in pieces (`.iterator()`, streaming) in place of everything at once.",
    "TransactionManagementError": "A query failed inside `atomic()` and was caught there: put an `atomic()` of its own around what may fail.",
    "SynchronousOnlyOperation": "Synchronous database code was called in an async view: use the `a…` methods or `sync_to_async()`.",
    "MultipleObjectsReturned": "More than one row fits: make the field unique, or say which one is meant.",
    "FieldError": "The query names a field that the model does not have: the message lists those that exist.",
}  # fmt: skip
_ANY: Final = "Begin at the application's deepest line, and at what the steps before it returned."
