"""What one step is called on one line: its statement, its request, or its component and operation."""

import re
from collections.abc import Mapping
from typing import Final

from e2edebug.cli.step_tree import TraceStep
from e2edebug.cli.terminal import Piece, inert

_LONGEST_LABEL: Final = 4_000
_LONGEST_REASON: Final = 120
_SELECTED_COLUMNS = re.compile(r"(SELECT (?:DISTINCT )?+)(?:[^()]|\([^()]*\)){20,}?( FROM )", re.IGNORECASE)
_QUOTED_NAME = re.compile(r"""([`"])([A-Za-z_][\w$]*)\1""", re.ASCII)
_TABLE = re.compile(r"\b(?:FROM|JOIN|UPDATE|INTO) (\w+)", re.IGNORECASE | re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z_][\w.]*", re.ASCII)


def label(step: TraceStep, *, ellipsis: str, whole_statement: bool = False) -> list[Piece]:
    """Return what *step* did. Of a SELECT the columns are left out unless *whole_statement*: its tables say more."""
    if step.statement and step.statement.strip():
        return [Piece(inert(step.statement) if whole_statement else _shortened(step.statement, ellipsis))]
    component, operation = inert(step.component), inert(step.operation[:_LONGEST_LABEL])
    request = _request(step) if step.kind == "server" else ""
    if request:
        return [Piece(request), Piece(f"  {_call(component, operation, request)}".rstrip(), "quiet")]
    detail = _detail(step)
    return [Piece(_call(component, operation, "")), *([Piece(f"  {detail}", "quiet")] if detail else [])]


def location(step: TraceStep) -> str:
    """Return the line of code that *step* came from, '' if unknown; its module is not said twice.

    `cart/current.py:11 in cart.current.cart_of` becomes `cart/current.py:11 in cart_of`.
    """
    text = inert((step.code_location or "")[:_LONGEST_LABEL])
    place, separator, function = text.partition(" in ")
    module = place.rpartition(":")[0].removesuffix(".py").replace("/", ".").replace("\\", ".")
    return f"{place}{separator}{function.removeprefix(f'{module}.')}" if module else text


def _shortened(statement: str, ellipsis: str) -> str:
    """The statement for one line: literals are masked already, so every quoted word is a name and needs no quotes."""
    text = _QUOTED_NAME.sub(r"\2", inert(statement[:_LONGEST_LABEL]))
    tables = _TABLE.findall(text)
    if len(tables) == 1:  # Django qualifies every column, where only a join needs it
        text = text.replace(f"{tables[0]}.", "")
    return _SELECTED_COLUMNS.sub(rf"\1{ellipsis}\2", text, count=1)


def _call(component: str, operation: str, request: str) -> str:
    if not component or operation.startswith(component):
        return "" if operation in request else operation
    if not operation or operation in request:
        return component
    dot_reads_well = _IDENTIFIER.fullmatch(component) and _IDENTIFIER.fullmatch(operation) and not operation.isupper()
    return f"{component}.{operation}" if dot_reads_well else f"{component} {operation}"


def _request(step: TraceStep) -> str:
    """`POST /api/checkout/ 500`, from the semantic conventions for HTTP, new names and old."""
    attributes = step.metadata.get("attributes", step.metadata)
    if not isinstance(attributes, Mapping):
        return ""
    method = _first(attributes, "http.request.method", "http.method")
    path = _first(attributes, "url.path", "http.target", "http.route")
    status = _first(attributes, "http.response.status_code", "http.status_code")
    if not (method and path):
        return ""
    shown_path = path if path.startswith("/") else f"/{path}"
    return inert(" ".join(part for part in (method, shown_path[:_LONGEST_LABEL], status) if part))


def _detail(step: TraceStep) -> str:
    """What tells two steps of one name apart: `user:*:cart miss` of a cache, `retry 2` of a call or a task."""
    attributes = step.metadata.get("attributes", step.metadata)
    if not isinstance(attributes, Mapping):
        return ""
    told = []
    keys = attributes.get("cache.key")
    if step.layer == "cache" and keys:
        told.append(", ".join(map(str, keys)) if isinstance(keys, list) else str(keys))
        hits, misses = attributes.get("cache.hits"), attributes.get("cache.misses")
        if isinstance(hits, int) and isinstance(misses, int) and hits + misses > 0:
            told.append(f"{hits} of {hits + misses} hit" if hits + misses > 1 else "hit" if hits else "miss")
    again = attributes.get("http.request.resend_count", attributes.get("messaging.retry_count"))
    if isinstance(again, int) and again > 0:
        told.append(f"retry {again}")
    reason = attributes.get("e2edebug.retry.reason")
    if isinstance(reason, str):
        told.append(f"tried again: {reason[:_LONGEST_REASON]}")
    return inert(" ".join(told)[:_LONGEST_LABEL])


def _first(attributes: Mapping[str, object], *names: str) -> str:
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str | int) and value != "":
            return str(value)
    return ""
