"""The rules for the spans of outgoing requests, whichever library sends them."""

import threading
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.util.types import AttributeValue

from e2edebug.policy.plain_values import text_of
from e2edebug_instrumentation.outgoing_http.failure_cause import cause_of
from e2edebug_instrumentation.outgoing_http.kept_outcome import current_outcome
from e2edebug_instrumentation.outgoing_http.own_services import OwnServices
from e2edebug_instrumentation.span_failure import record_failure

FAILURE: Final = "e2edebug.http.failure"
"""`dns`, `connect`, `connect_timeout`, `tls`, `read_timeout`, `timeout`, `pool_timeout`, `disconnect` or `proxy`."""
RESEND_COUNT: Final = "http.request.resend_count"
RETRY_EVENT: Final = "retry"

_LONGEST_MESSAGE: Final = 1000
_MOST_FAILED: Final = 500


class OutgoingCall:
    """A request under way."""

    __slots__ = ("failed_before", "is_to_own_service", "key", "retries", "span", "span_id")

    def __init__(self, span: Span, *, is_to_own_service: bool, key: tuple[int, str, str], failed_before: int) -> None:
        self.span = span
        self.span_id = span.get_span_context().span_id
        self.is_to_own_service = is_to_own_service
        self.key = key
        """Who asks for what: the enclosing step, the method, and the URL without its query."""
        self.failed_before = failed_before
        self.retries = 0

    def note_retry(self, reason: str) -> None:
        """Note that the library sends the request once more by itself."""
        self.retries += 1
        self.span.add_event(RETRY_EVENT, {"e2edebug.retry.reason": reason[:_LONGEST_MESSAGE]})
        self.span.set_attribute(RESEND_COUNT, self.failed_before + self.retries)


def current_call() -> OutgoingCall | None:
    """Return the call whose span is the current one, None elsewhere."""
    call = _call.get()
    if call is None or trace.get_current_span().get_span_context().span_id != call.span_id:
        return None
    return call


class CallGuide:
    """Begins and ends the spans of requests; one for all libraries."""

    def __init__(self, own_services: OwnServices) -> None:
        self.own_services = own_services
        self._lock = threading.Lock()
        self._failed: dict[tuple[int, str, str], int] = {}
        """How often a step has failed to get an answer to a request: asking once more is a retry."""

    def begin(self, tracer: Tracer, name: str, attributes: Mapping[str, AttributeValue]) -> Span | None:
        url = attributes.get("http.url") or attributes.get("url.full")
        url = url if isinstance(url, str) else ""
        method = attributes.get("http.method") or attributes.get("http.request.method") or ""
        key = (trace.get_current_span().get_span_context().span_id, str(method), url.partition("?")[0])
        failed_before = self._failed.get(key, 0) if self._failed else 0
        if failed_before:
            attributes = {**attributes, RESEND_COUNT: failed_before}
        span = tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
        is_own = self.own_services.is_ours(url)
        _call.set(OutgoingCall(span, is_to_own_service=is_own, key=key, failed_before=failed_before))
        return span

    def fail(self, span: Span, error: BaseException) -> None:
        """Record *error* with its cause in words, unless the library has an answer: then it is the instrumentor's."""
        outcome = current_outcome()
        if outcome is not None:
            _set_answer(span, outcome.error if outcome.answer is None else outcome.answer)
            if outcome.answer is not None:
                return
            error = outcome.error or error
        record_failure(span, error)
        self.name_cause(span, error)

    def name_cause(self, span: Span, error: BaseException) -> None:
        """Say on *span*, which has *error* already, what was behind it; count it, for the retry that may follow."""
        cause = cause_of(error)
        if cause is not None:
            span.set_attribute(FAILURE, cause.name)
            told = text_of(error)[:_LONGEST_MESSAGE]
            description = f"{type(error).__name__}: {cause.words}" + (f"; {told}" if told else "")
            span.set_status(Status(StatusCode.ERROR, description))
        self.count_failure(span)

    def end(self, span: Span) -> None:
        """End *span*; an answer that says no is told in words as well."""
        call = _call.get()
        _call.set(None)
        status = getattr(span, "status", None)
        if status is not None and status.status_code is StatusCode.ERROR:
            if not status.description:
                code = _status_code(span)
                if code:
                    span.set_status(Status(StatusCode.ERROR, f"answered {code}"))
                if code >= 500 or code in (408, 425, 429):
                    self._count(call, span)
        else:
            self.count_success(span, call)
        span.end()

    def count_success(self, span: Span, call: OutgoingCall | None = None) -> None:
        """Forget the failures before a call that was answered."""
        call = call or _call.get()
        if self._failed and call is not None and call.span is span:
            self._failed.pop(call.key, None)

    def count_failure(self, span: Span) -> None:
        """Count a call without a usable answer."""
        self._count(_call.get(), span)

    def _count(self, call: OutgoingCall | None, span: Span) -> None:
        if call is None or call.span is not span or call.key[0] == 0:
            return
        with self._lock:
            if len(self._failed) >= _MOST_FAILED:
                self._failed.clear()
            self._failed[call.key] = self._failed.get(call.key, 0) + 1


def _set_answer(span: Span, answer: object) -> None:
    """Say on *span* how it was answered, where the instrumentor did not come to it. urllib has answers that it raises."""
    code = getattr(answer, "status", None)
    if isinstance(code, int) and not _status_code(span):
        span.set_attribute("http.status_code", code)
        if code >= 400:
            span.set_status(Status(StatusCode.ERROR))


_call: ContextVar[OutgoingCall | None] = ContextVar("e2edebug_outgoing_call", default=None)


def _status_code(span: Span) -> int:
    attributes: Any = getattr(span, "attributes", None) or {}
    code = attributes.get("http.response.status_code", attributes.get("http.status_code"))
    return code if isinstance(code, int) else 0
