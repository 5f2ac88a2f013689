"""What the tracing of a request does not tell by itself: size, queries, slowness, templates, and whose session it is."""

import logging
import time
from typing import Any, Final

from django.http.response import HttpResponseBase
from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_instrumentation

from e2edebug.django.query_counter import QueryCounter
from e2edebug.policy.self_report import internal_error
from e2edebug.runtime import lifecycle
from e2edebug_instrumentation.django_requests.request_user import USER_ID_IN_SESSION, user_of_session

BODY_SIZE: Final = "http.response.body.size"
"""OpenTelemetry's name, semantic conventions for HTTP."""
QUERY_COUNT: Final = "db.query_count"
QUERY_MS: Final = "db.query_ms"
SLOW: Final = "request.is_slow"
SLOW_LIMIT_MS: Final = "request.slow_limit_ms"
TEMPLATE: Final = "template.name"
TEMPLATE_LINE: Final = "template.line"

_log = logging.getLogger("e2edebug.django")

_WATCHED: Final = "_e2edebug_watched"


class WatchedRequest:
    """Measures one request and says on its span what it found. Neither finish() nor abandon() raises."""

    def __init__(self, request: Any) -> None:
        self._request = request
        self._started = time.perf_counter()
        self._span = trace.get_current_span()
        self._queries = QueryCounter()
        self._queries.begin()
        self._template: dict[str, Any] = {}
        request.__dict__[_WATCHED] = self

    @staticmethod
    def of(request: Any) -> "WatchedRequest | None":
        """Return who watches *request*, if anybody does."""
        found = request.__dict__.get(_WATCHED)
        return found if isinstance(found, WatchedRequest) else None

    def note_template(self, name: Any) -> None:
        """The view has answered with a template: its name, the first of several, or an object that has one."""
        if isinstance(name, list | tuple):
            name = name[0] if name else None
        name = getattr(getattr(name, "template", name), "name", name)
        if isinstance(name, str):
            self._template[TEMPLATE] = name

    def note_exception(self, error: BaseException) -> None:
        """A view or its template has raised *error*. Django says where in the template while the engine debugs.

        Whose request it was is worth reading a session that nobody has read yet; an error is rare.
        """
        place = getattr(error, "template_debug", None)
        if isinstance(place, dict):
            self._template = {TEMPLATE: str(place.get("name", ""))}
            if isinstance(place.get("line"), int):
                self._template[TEMPLATE_LINE] = place["line"]
        session = self._request.__dict__.get("session")
        if session is not None and not hasattr(session, "_session_cache") and session.session_key:
            self._queries.end()
            try:
                with suppress_instrumentation():
                    session.get(USER_ID_IN_SESSION)
            except Exception as fault:  # noqa: BLE001 # the session's store, which may be what has failed
                _log.debug("the session of a failed request could not be read: %s", fault)
            finally:
                self._queries.begin()

    def finish(self, response: HttpResponseBase) -> None:
        """Say what is known once the response is there; the body of a streamed one is a step of its own."""
        try:
            found: dict[str, Any] = dict(self._template)
            if not response.streaming:
                found[BODY_SIZE] = len(response.content)  # type: ignore[attr-defined]  # of HttpResponse
            self._describe(found)
        except Exception as error:  # noqa: BLE001 # the response is ready and must go out
            internal_error("describe a request", error)
        finally:
            self._end()

    def abandon(self) -> None:
        """The request was taken away: the client is gone, or the worker is about to be."""
        try:
            self._describe(dict(self._template))
        except Exception as error:  # noqa: BLE001 # the host's own exception is on its way
            internal_error("describe a request", error)
        finally:
            self._end()

    def _describe(self, found: dict[str, Any]) -> None:
        if not self._span.is_recording():
            return
        found[QUERY_COUNT] = self._queries.count
        if self._queries.count:
            found[QUERY_MS] = round(self._queries.duration_ms, 3)
        limit_ms = _slow_limit_ms()
        if (time.perf_counter() - self._started) * 1000 > limit_ms:
            found[SLOW] = True
            found[SLOW_LIMIT_MS] = limit_ms
        found |= user_of_session(self._request)
        self._span.set_attributes(found)

    def _end(self) -> None:
        self._queries.end()
        self._request.__dict__.pop(_WATCHED, None)


def _slow_limit_ms() -> float:
    runtime = lifecycle.current()
    stored = runtime.pipeline.configuration.slow_request_ms if runtime is not None else None
    return lifecycle.config_in_force().slow_request_ms if stored is None else stored
