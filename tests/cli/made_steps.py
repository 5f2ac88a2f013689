"""Steps and errors made by hand for the tree's tests: milliseconds after a fixed moment, ids that read well."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

BEGAN = datetime(2026, 11, 23, 10, 4, 5, tzinfo=UTC)


@dataclass(frozen=True)
class MadeStep:
    trace_id: str
    span_id: str
    parent_span_id: str | None
    layer: str
    component: str
    operation: str
    kind: str
    service: str
    start_time: datetime
    end_time: datetime | None
    status: str
    status_message: str
    statement: str | None
    statement_digest: str | None
    code_location: str | None
    metadata: Mapping[str, object] = field(default_factory=dict)

    @property
    def duration_ms(self) -> float | None:
        return None if self.end_time is None else (self.end_time - self.start_time) / timedelta(milliseconds=1)


@dataclass(frozen=True)
class MadeError:
    trace_id: str | None
    span_id: str | None
    error_type: str
    error_message: str = ""
    stack_trace: str = ""


def step(
    span_id: str,
    parent: str | None = None,
    *,
    at_ms: float = 0,
    for_ms: float | None = 1,
    layer: str = "api",
    component: str = "",
    operation: str = "",
    kind: str = "internal",
    trace_id: str = "t1",
    service: str = "shop",
    status: str = "completed",
    status_message: str = "",
    statement: str | None = None,
    code_location: str | None = None,
    metadata: Mapping[str, object] | None = None,
) -> MadeStep:
    start = BEGAN + timedelta(milliseconds=at_ms)
    return MadeStep(
        trace_id, span_id, parent, layer, component, operation, kind, service, start,
        None if for_ms is None else start + timedelta(milliseconds=for_ms),
        status, status_message, statement, statement, code_location, metadata or {},
    )  # fmt: skip


def request(
    span_id: str, parent: str | None = None, *, method: str = "GET", path: str = "/", code: int = 200, **rest: object
) -> MadeStep:
    """The entry span of a request."""
    attributes = {"http.request.method": method, "url.path": path, "http.response.status_code": code}
    return step(span_id, parent, kind="server", metadata={"attributes": attributes}, **rest)  # type: ignore[arg-type]  # as step()


def query(span_id: str, parent: str | None, statement: str, **rest: object) -> MadeStep:
    """A database span."""
    return step(span_id, parent, kind="client", layer="database", statement=statement, **rest)  # type: ignore[arg-type]  # as step()
