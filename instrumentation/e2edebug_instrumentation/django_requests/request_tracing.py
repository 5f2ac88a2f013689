"""What all requests of a process share while they are traced."""

from dataclasses import dataclass
from typing import Any

from opentelemetry.instrumentation import asgi
from opentelemetry.instrumentation.django.middleware.otel_middleware import _DjangoMiddleware
from opentelemetry.trace import INVALID_SPAN_CONTEXT, NonRecordingSpan, Tracer
from opentelemetry.util.http import ExcludeList, get_custom_headers

from e2edebug_instrumentation.correlation.id_reuse import IdReuse
from e2edebug_instrumentation.django_requests.options import RequestOptions

_CAPTURED_REQUEST_HEADERS = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST"
_CAPTURED_RESPONSE_HEADERS = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE"
_SANITIZED_FIELDS = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTracing:
    """Options, and what OpenTelemetry's Django instrumentor was told: its tracer, conventions, hooks, exclusions."""

    options: RequestOptions
    tracer: Tracer
    semconv_mode: Any
    excluded: tuple[ExcludeList, ...]
    id_reuse: IdReuse
    captured_request_headers: list[str]
    captured_response_headers: list[str]
    sanitized_headers: list[str]
    status_names: tuple[str, ...]
    """What the conventions in force call the status of a response."""

    @classmethod
    def after_stock(cls, options: RequestOptions, tracer: Tracer) -> "RequestTracing":
        """Return what to trace with, once the stock instrumentor has run and chosen *tracer*."""
        ours = ExcludeList(options.excluded_urls)
        stock = _DjangoMiddleware._excluded_urls
        return cls(
            options=options,
            tracer=tracer,
            semconv_mode=_DjangoMiddleware._sem_conv_opt_in_mode,
            # An empty list is left out: building the URL it would be matched against costs more than the match.
            excluded=tuple(patterns for patterns in (ours, stock) if patterns._excluded_urls),
            id_reuse=IdReuse(max_traces=options.correlation_id_max_traces, max_age_s=options.correlation_id_max_age_s),
            captured_request_headers=get_custom_headers(_CAPTURED_REQUEST_HEADERS),
            captured_response_headers=get_custom_headers(_CAPTURED_RESPONSE_HEADERS),
            sanitized_headers=get_custom_headers(_SANITIZED_FIELDS),
            status_names=_status_names(_DjangoMiddleware._sem_conv_opt_in_mode),
        )

    def excludes(self, request: Any) -> bool:
        """Return whether one of the patterns finds something in the request's URL, which is taken without its query."""
        if not self.excluded:
            return False
        # request.build_absolute_uri() would raise DisallowedHost here, for requests that nobody else refuses.
        host = request.META.get("HTTP_HOST") or request.META.get("SERVER_NAME", "")
        url = f"{request.scheme}://{host}{request.path}"
        return any(patterns.url_disabled(url) for patterns in self.excluded)


def _status_names(semconv_mode: Any) -> tuple[str, ...]:
    span = _Noting()
    asgi.set_status_code(span, 200, sem_conv_opt_in_mode=semconv_mode)  # type: ignore[no-untyped-call] # has no annotations
    return tuple(span.attributes)


class _Noting(NonRecordingSpan):
    """Notes the names of what is set on it."""

    def __init__(self) -> None:
        super().__init__(INVALID_SPAN_CONTEXT)
        self.attributes: list[str] = []

    def is_recording(self) -> bool:
        return True

    def set_attribute(self, key: str, value: Any) -> None:  # noqa: ARG002 - the name is what is asked for
        self.attributes.append(key)
