"""Requests with five queries each, as spans: what an instrumented Django site would record, made without one.

For benchmarks of what comes after a span has ended. The spans differ from one request to the next where real ones do: ids,
paths, values, durations.
"""

import itertools

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Tracer

SPANS = 6
"""Of one request."""

_TABLES = ("shop_product", "shop_category", "shop_review", "shop_stock", "auth_user")
_numbers = itertools.count()


def make_request(tracer: Tracer) -> None:
    """Start and end the spans of one request."""
    number = next(_numbers)
    attributes = {
        "http.request.method": "GET",
        "url.scheme": "https",
        "url.path": f"/products/{number % 997}/",
        "url.query": f"page={number % 7}",
        "http.route": "products/<int:pk>/",
        "server.address": "shop.example.com",
        "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "network.protocol.version": "1.1",
    }
    with tracer.start_as_current_span("GET products/<int:pk>/", kind=SpanKind.SERVER, attributes=attributes) as request:
        for position, table in enumerate(_TABLES):
            query = {
                "db.system.name": "mysql",
                "db.namespace": "shop",
                "db.operation.name": "SELECT",
                "db.collection.name": table,
                "db.query.text": f"SELECT `{table}`.`id`, `{table}`.`name` FROM `{table}` WHERE `{table}`.`id` = %s LIMIT 21",
                "server.address": "db.internal",
                "server.port": 3306,
                "code.file.path": "/srv/shop/catalogue/views.py",
                "code.line.number": 40 + position,
                "code.function.name": "ProductView.get",
            }
            with tracer.start_as_current_span(f"SELECT {table}", kind=SpanKind.CLIENT, attributes=query):
                pass
        request.set_attribute("http.response.status_code", 200)


def spans_of_requests(count: int) -> list[trace.Span]:
    """Return *count* ended spans of the SDK, from as many requests as it takes."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("benchmark")
    for _ in range(-(-count // SPANS)):
        make_request(tracer)
    return list(kept.get_finished_spans())[:count]
