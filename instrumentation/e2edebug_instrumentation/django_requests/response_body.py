"""A streamed body is produced after the request's span has ended; here its spans stay in the request's trace.

The server span ends with the headers, not with the body: an event stream may run for hours, and its request should be
seen, and timed, when it was answered. The production of the body is the child span `stream`.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from django.http.response import HttpResponseBase, StreamingHttpResponse
from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import Span, Tracer, set_span_in_context

from e2edebug.policy import attributes as names
from e2edebug_instrumentation.django_requests.interruption import INTERRUPTED, describe_interruption

BODY_PARTS = "e2edebug.stream.parts"
BODY_BYTES = "http.response.body.size"


def trace_body(
    response: HttpResponseBase,
    tracer: Tracer | None,
    context: Context,
    *,
    component: str = "",
) -> None:
    """Have the body of *response*, if it is streamed, produced within *context*.

    tracer: makes the span `stream` when the first part is asked for; None for a body that leaves no span.
    A file that the server may send by itself stays as it is: wrapping it would switch off `wsgi.file_wrapper`.
    """
    if not isinstance(response, StreamingHttpResponse) or getattr(response, "file_to_stream", None) is not None:
        return
    production = _Production(tracer, context, component)
    # A generator that is closed early runs its `finally` and `with` blocks there and then: within its own context, or
    # what it detaches would leave that context attached to whoever closed it.
    body: Any = response
    body._resource_closers[:] = [production.within(close) for close in body._resource_closers]
    parts = body.streaming_content
    response.streaming_content = _AsyncBody(parts, production) if response.is_async else _Body(parts, production)


class _Production:
    """The span of one body and the context its parts are made in. Ends once, whoever says so first."""

    def __init__(self, tracer: Tracer | None, context: Context, component: str) -> None:
        self._tracer = tracer
        self._component = component
        self._span: Span | None = None
        self._is_done = False
        self._parts = 0
        self._bytes = 0
        self.context = context

    def resume(self) -> Any:
        """Attach the context in which the next part is made; to be given to pause()."""
        if self._span is None and self._tracer is not None and not self._is_done:
            self._span = self._tracer.start_span(
                "stream",
                context=self.context,
                attributes={names.COMPONENT: self._component, names.OPERATION: "stream"} if self._component else None,
            )
            self.context = set_span_in_context(self._span, self.context)
        return otel_context.attach(self.context)

    def pause(self, token: Any) -> None:
        """Give the thread or task back its own context until the next part."""
        # A span that the generator holds open across a yield is current again when it goes on.
        self.context = otel_context.get_current()
        otel_context.detach(token)

    def within(self, close: Callable[[], None]) -> Callable[[], None]:
        """Return *close* so that it runs in the context of the body."""

        def close_within() -> None:
            token = otel_context.attach(self.context)
            try:
                close()
            finally:
                otel_context.detach(token)

        return close_within

    def count(self, part: bytes) -> None:
        self._parts += 1
        self._bytes += len(part)

    def end(self, error: BaseException | None = None, *, is_closed: bool = False) -> None:
        if self._is_done:
            return
        self._is_done = True
        span = self._span
        if span is None:
            return
        span.set_attributes({BODY_PARTS: self._parts, BODY_BYTES: self._bytes})
        if is_closed:
            span.set_attribute(INTERRUPTED, "closed")
        if error is not None:
            describe_interruption(span, error)
        span.end()


class _Body(Iterator[bytes]):
    def __init__(self, parts: Iterator[bytes], production: _Production) -> None:
        self._parts = parts
        self._production = production

    def __next__(self) -> bytes:
        production = self._production
        token = production.resume()
        try:
            part = next(self._parts)
        except StopIteration:
            production.end()
            raise
        except BaseException as error:
            production.end(error)
            raise
        finally:
            production.pause(token)
        production.count(part)
        return part

    def close(self) -> None:
        """Called by the response when the server is done with it: early, if the client went away."""
        self._production.end(is_closed=True)

    def __del__(self) -> None:
        self.close()


class _AsyncBody(AsyncIterator[bytes]):
    def __init__(self, parts: AsyncIterator[bytes], production: _Production) -> None:
        self._parts = parts
        self._production = production

    async def __anext__(self) -> bytes:
        production = self._production
        token = production.resume()
        try:
            part = await anext(self._parts)
        except StopAsyncIteration:
            production.end()
            raise
        except BaseException as error:
            production.end(error)
            # A coroutine thrown away unfinished is closed in another context, where the token means nothing.
            if isinstance(error, GeneratorExit):
                token = None
            raise
        finally:
            if token is not None:
                production.pause(token)
        production.count(part)
        return part

    def close(self) -> None:
        """Called by the response when the server is done with it: early, if the client went away."""
        self._production.end(is_closed=True)

    def __del__(self) -> None:
        self.close()
