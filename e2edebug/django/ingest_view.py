"""`ingest/v1/traces`: other services and browsers send OTLP to the project.

No session, cookie or user is looked at: the key is all that counts, so there is nothing that a forged request could use.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from e2edebug.ingest.receiver import Receiver, Request
from e2edebug.ingest.wsgi_body import reader_of
from e2edebug.runtime import lifecycle
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_instrumentation.django_requests.request_span import RequestSpan


def _pipeline() -> Pipeline | None:
    runtime = lifecycle.current()
    return None if runtime is None else runtime.pipeline


_receiver = Receiver(config=lifecycle.config_in_force, pipeline=_pipeline)


@csrf_exempt
def receive(request: HttpRequest, signal: str) -> HttpResponse:
    """Answer an OTLP request. It leaves no step of its own."""
    traced = RequestSpan.of(request)
    answer = _receiver.answer(
        Request(
            method=request.method or "",
            signal=signal,
            header=request.headers.get,
            read=_read(request),
        )
    )
    response = HttpResponse(answer.body, status=answer.status)
    for name, value in answer.headers.items():
        response[name] = value
    # Django logs what is refused, one line each, and a 503 as an error: an error of ours, stored with the others, for
    # each request that is sent away because nothing can be stored. The receiver says it once a minute.
    vars(response)["_has_been_logged"] = True
    if traced is not None:
        traced.withdraw()
    return response


@csrf_exempt
def not_received(request: HttpRequest, name: str) -> HttpResponse:
    """Answer for a signal that is not received, in the encoding of the request."""
    return receive(request, name)


def _read(request: HttpRequest) -> Any:
    """Not request.body: Django answers 400 in HTML at 2.5 MB, and nothing at all for chunks under WSGI."""
    environ = getattr(request, "environ", None)
    if environ is None:  # ASGI has read all of it
        return request.read
    return reader_of(environ, request.read)
