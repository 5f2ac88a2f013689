"""What all endpoints have in common: who may, how often, in which form, with which headers, and what errors look like."""

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.db import Error as DjangoDatabaseError
from django.db import connections
from django.http import HttpResponse, HttpResponseNotModified
from django.utils.decorators import method_decorator
from django.views.decorators.gzip import gzip_page
from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY
from rest_framework.exceptions import APIException, PermissionDenied
from rest_framework.views import APIView, exception_handler
from sqlalchemy.exc import DBAPIError

from e2edebug.django.api.openapi import DebuggingSchema
from e2edebug.django.api.permissions import PERSONAL_DATA, may, permission_classes
from e2edebug.django.api.query_parameters import check_parameters
from e2edebug.django.api.strict_json import StrictJSONParser, StrictJSONRenderer
from e2edebug.django.api.throttling import DebuggingRateThrottle
from e2edebug.django.store_alias import alias_of_store
from e2edebug_schema.read_limits import limited_statement
from e2edebug_schema.store_errors import StoreError

READ_LIMIT_S: Final = 5.0
"""A page that takes longer asks for too much; the server ends it."""
_INTERRUPTED: Final = {1969, 3024, 1317}
"""MariaDB's max_statement_time, MySQL's MAX_EXECUTION_TIME, a statement that was killed."""
_HEADERS: Final = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

logger = logging.getLogger("e2edebug.rest")


class StoreAway(APIException):
    """503."""

    status_code = 503
    default_detail = "The store cannot be reached just now."
    default_code = "store_unavailable"


@method_decorator(gzip_page, name="dispatch")
class Endpoint(APIView):
    """The base of every view. Nothing depends on the project's own REST framework settings but how users log in."""

    permission_models: tuple[Any, ...] = ()
    verbs: dict[str, str] = {}
    """Action -> the permission that it needs, where the method does not say it."""
    personal_parameters: frozenset[str] = frozenset()
    parser_classes = [StrictJSONParser]
    renderer_classes = [StrictJSONRenderer]
    throttle_classes = [DebuggingRateThrottle]
    versioning_class = None
    schema = DebuggingSchema()

    def get_permissions(self) -> list[Any]:
        """Return the permission that the setting names, or ours."""
        return [one() for one in permission_classes()]

    def get_exception_handler(self) -> Callable[..., Any]:
        """Return ours: the project's may know nothing of a store that is away."""
        return answer_to_failure

    def accepted_parameters(self) -> set[str]:
        """Return the query parameters of the endpoint."""
        return set()

    def initial(self, request: Any, *arguments: Any, **named: Any) -> None:
        """Check who asks, then what for."""
        super().initial(request, *arguments, **named)
        check_parameters(request, self.accepted_parameters())
        told = self.personal_parameters & set(request.query_params)
        if told and not self.shows_personal_data:
            # To filter by what one may not see is to see it.
            raise PermissionDenied(f"{', '.join(sorted(told))}: needs the permission {PERSONAL_DATA}.")

    def dispatch(self, request: Any, *arguments: Any, **named: Any) -> Any:
        """Answer; our own queries make no spans, and none that only reads goes on for ever."""
        token = otel_context.attach(otel_context.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        try:
            with _bounded_reads():
                return super().dispatch(request, *arguments, **named)
        finally:
            otel_context.detach(token)

    def finalize_response(self, request: Any, response: Any, *arguments: Any, **named: Any) -> Any:
        """Put the headers on, and an ETag on what can be asked for again."""
        response = super().finalize_response(request, response, *arguments, **named)
        for name, value in _HEADERS.items():
            response.setdefault(name, value)
        if request.method in ("GET", "HEAD") and response.status_code == 200 and hasattr(response, "accepted_renderer"):
            response.add_post_render_callback(lambda rendered: _tagged(request, rendered))
        return response

    @property
    def shows_personal_data(self) -> bool:
        """Whether the user may see who somebody was."""
        return may(self.request.user, PERSONAL_DATA)


def _tagged(request: Any, response: HttpResponse) -> HttpResponse | None:
    tag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    response["ETag"] = tag
    wanted = [one.strip().removeprefix("W/") for one in request.META.get("HTTP_IF_NONE_MATCH", "").split(",")]
    if tag not in wanted:
        return None
    unchanged = HttpResponseNotModified()
    for name in ("ETag", *_HEADERS, "Vary"):
        if name in response:
            unchanged[name] = response[name]
    return unchanged


def answer_to_failure(error: Exception, context: dict[str, Any]) -> Any:
    """Return the response for an exception; None: it is a bug of ours, and Django's business."""
    if isinstance(error, (DjangoDatabaseError, DBAPIError, StoreError)):
        cause = getattr(error, "orig", error)
        code = cause.args[0] if getattr(cause, "args", ()) else None
        if code in _INTERRUPTED:
            error = StoreAway("This reads too much: give a shorter span of time (since, until) or more filters.")
        else:
            logger.warning("the store does not answer a request: %s: %s", type(cause).__name__, str(cause)[:300])
            error = StoreAway()
    return exception_handler(error, context)


@contextmanager
def _bounded_reads() -> Iterator[None]:
    alias = alias_of_store()
    if alias is None or connections[alias].vendor != "mysql":
        yield
        return
    with connections[alias].execute_wrapper(_limited):
        yield


def _limited(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    connection = context["connection"]
    if sql.startswith("SELECT ") and not sql.endswith("FOR UPDATE"):
        sql = limited_statement(sql, limit_s=READ_LIMIT_S, is_mariadb=bool(connection.mysql_is_mariadb))
    return execute(sql, params, many, context)
