"""Every error class there is, in the order in which they are asked. A new class is one file and one line here."""

from collections.abc import Callable
from types import ModuleType
from typing import Final, NamedTuple

from e2edebug.policy.error_class import (
    authentication,
    code,
    configuration,
    database_connection,
    database_constraint,
    database_deadlock,
    database_lock_wait,
    external,
    not_found,
    permission,
    serialization,
    template,
    timeout,
    validation,
)
from e2edebug.policy.error_class.evidence import Evidence, Raised


class ErrorClass(NamedTuple):
    """What each of the modules holds."""

    name: str
    """As stored in `error_class`."""
    matches: Callable[[Raised], bool]
    """Says whether an exception of the chain is of this class."""
    suggestion: Callable[[Raised], str]
    """Says what to do about it: a sentence or three, about this very error."""


def _class(module: ModuleType) -> ErrorClass:
    return ErrorClass(module.NAME, module.matches, module.suggestion)


_CODE: Final = _class(code)
# The special before the general: a read timeout of a call is a timeout before it is a failed call.
_CLASSES: Final = tuple(
    map(
        _class,
        (
            database_deadlock,
            database_lock_wait,
            timeout,
            database_constraint,
            configuration,
            database_connection,
            validation,
            authentication,
            permission,
            not_found,
            serialization,
            template,
            external,
        ),
    )
)
_BY_NAME: Final = {one.name: one for one in (*_CLASSES, _CODE)}
_BY_HTTP_STATUS: Final = {
    400: validation.NAME, 401: authentication.NAME, 403: permission.NAME, 404: not_found.NAME, 408: timeout.NAME,
    422: validation.NAME, 502: external.NAME, 503: external.NAME, 504: timeout.NAME,
}  # fmt: skip

ERROR_CLASSES: Final = tuple(sorted(_BY_NAME))
"""The names that `error_class` may hold."""


def class_of(evidence: Evidence) -> str:
    """Return the class of an error: by its type, then by what it was raised from, then by the answer's status.

    An exception of the application's own, which none of these knows, is of class external where it was raised by a call
    to another service.
    """
    for raised in evidence.chain:
        found = next((one for one in _CLASSES if one.matches(raised)), None)
        if found is not None:
            return found.name
    if evidence.layer == "external" and evidence.raised.package:
        return external.NAME
    return _BY_HTTP_STATUS.get(evidence.http_status or 0, code.NAME)


class Advice(NamedTuple):
    """What is said about a stored error."""

    error_class: str
    suggestion: str


def advice_on(row: object) -> Advice:
    """Return the class of a stored error or error group, and what to do about it.

    row: a record of a query, an object of Django's, or anything else with the columns of the error log as attributes; of
    an error group the title is read. A row without a class, stored before there were classes, is given one here.
    """
    texts = {name: str(getattr(row, name, None) or "") for name in _COLUMNS}
    evidence = Evidence(
        texts["error_type"],
        texts["error_message"] or texts["title"].partition(": ")[2],  # `OperationalError: (1213, 'Deadlock found …')`
        texts["stack_trace"],
        layer=texts["layer"],
    )
    chosen = _BY_NAME.get(texts["error_class"]) or _BY_NAME[class_of(evidence)]
    raised = next((one for one in evidence.chain if chosen.matches(one)), evidence.raised)
    return Advice(chosen.name, f"{chosen.suggestion(raised)}{evidence.place}")


_COLUMNS: Final = ("error_class", "error_type", "error_message", "title", "stack_trace", "layer")
