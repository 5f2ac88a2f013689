"""The Django project that is served: the view of the request benchmark with further spans of the application's own."""

import importlib
import os
from typing import Any

from benchmarks.request_overhead import site

STEPS = 34
"""With the request and its five queries, a request has 40 spans."""


def make_wsgi() -> Any:
    """Return the application for a WSGI server."""
    _begin(connection_age_s=None)
    from django.core.handlers.wsgi import WSGIHandler

    return WSGIHandler()


def make_asgi() -> Any:
    """Return the application for an ASGI server."""
    # Django's documentation: no persistent connections under ASGI, where each request may have a thread of its own.
    _begin(connection_age_s=0)
    from django.core.handlers.asgi import ASGIHandler

    return ASGIHandler()


def _begin(*, connection_age_s: int | None) -> None:
    peer = importlib.import_module(f"benchmarks.foreground_load.peers.{os.environ['BENCHMARK_PEER']}")
    urls = os.environ["BENCHMARK_STORE_URL"], os.environ["BENCHMARK_SINK_URL"]
    _configure(connection_age_s)
    if hasattr(peer, "begin"):
        peer.begin(*urls)
    else:
        _instrument(peer.provider(*urls))
    import django

    django.setup()


def _configure(connection_age_s: int | None) -> None:
    from django.conf import settings

    given = site.site_settings()
    given["ROOT_URLCONF"] = __name__
    given["DATABASES"]["default"]["CONN_MAX_AGE"] = connection_age_s
    # PyMySQL reads the system's certificates for each connection, 30 to 50 ms of the processor, also where the server has
    # no TLS: with a connection for each request, these alone would keep the server busy.
    given["DATABASES"]["default"].setdefault("OPTIONS", {})["ssl_disabled"] = True
    settings.configure(**given)


def _instrument(provider: Any) -> None:
    """Instrument as OpenTelemetry's own documentation shows."""
    import atexit

    from opentelemetry import trace
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.instrumentation.pymysql import PyMySQLInstrumentor

    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument(is_sql_commentor_enabled=False)
    PyMySQLInstrumentor().instrument()
    atexit.register(provider.shutdown)


def make_tables() -> None:
    """Create and fill the site's tables, unless they are there."""
    _configure(0)
    import django
    from django.db import connection

    django.setup()
    if "product" not in connection.introspection.table_names():
        site.make_tables()


def _urlpatterns() -> list[Any]:
    from benchmarks.request_overhead.product_view import ProductView
    from django.urls import path
    from opentelemetry import trace

    tracer = trace.get_tracer("shop")

    class ProductWithSpans(ProductView):
        def get(self, request: Any, pk: int) -> Any:
            """Answer, with spans of the application's own around nothing."""
            for number in range(STEPS):
                with tracer.start_as_current_span("price", attributes={"product": pk, "position": number}):
                    pass
            return super().get(request, pk)

    return [path("products/<int:pk>/", ProductWithSpans.as_view())]


def __getattr__(name: str) -> Any:
    # Django reads it once the settings are configured; the view's models cannot be imported before.
    if name == "urlpatterns":
        return _urlpatterns()
    raise AttributeError(name)
