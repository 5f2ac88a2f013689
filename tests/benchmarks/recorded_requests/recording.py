"""Spans as e2edebug's own instrumentation makes them, of real requests to a Django site: what exporters are given.

Recorded before anything is measured: how a span is captured is no exporter's cost.
"""

import logging
import os
import subprocess
import sys
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

from benchmarks.recorded_requests.shop import paths, site_settings
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from e2edebug.runtime import lifecycle, providers
from e2edebug_exporters.recording.provider import make_tracer_provider
from e2edebug_exporters.span_processor import SpanPipelineProcessor


class _Collector(SpanPipelineProcessor):
    """Gives spans their correlation ids as the pipeline's own processor does, and keeps them."""

    def __init__(self) -> None:
        self.ended: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)


class Recorder:
    """A site that is served in this process. There can be one.

    site_url: an empty MariaDB database. sink_url: a `running_sink()`, as the service that the site calls.
    """

    def __init__(self, site_url: str, sink_url: str) -> None:
        os.environ["BENCHMARK_DATABASE_URL"] = site_url
        os.environ["BENCHMARK_SINK_URL"] = sink_url
        subprocess.run([sys.executable, "-c", _MAKE_TABLES], check=True)
        self._collector = _Collector()
        resource = Resource.create(
            {"service.name": "shop", "service.version": "2.4.1", "deployment.environment.name": "benchmark"}
        )
        provider = make_tracer_provider(ALWAYS_ON, resource)
        provider.add_span_processor(self._collector)
        trace.set_tracer_provider(provider)
        providers.add_propagator()
        from django.conf import settings

        settings.configure(**site_settings())
        lifecycle.instrument()
        import django

        django.setup()
        from django.core.handlers.wsgi import WSGIHandler

        logging.getLogger("django.request").disabled = True  # one request in a hundred fails, as is meant
        self._application = WSGIHandler()
        self._served = 0

    def spans(self, count: int) -> list[ReadableSpan]:
        """Serve requests until *count* spans have ended and return so many."""
        while len(self._collector.ended) < count:
            for path in paths(self._served):
                _ask(self._application, path, uuid4() if self._served % 2 else None)
            self._served += 1
        ended, self._collector.ended = self._collector.ended[:count], self._collector.ended[count:]
        return ended

    def close(self) -> None:
        """Undo the instrumentation: what is measured next runs on libraries as they are."""
        from django.db import connection

        from e2edebug_instrumentation import registry

        registry.uninstrument_all()
        connection.close()


def _ask(application: Any, target: str, correlation_id: UUID | None) -> None:
    path, _, query = target.partition("?")
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": query,
        "SERVER_NAME": "shop.example",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "shop.example",
        "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "HTTP_ACCEPT": "application/json",
        "RAW_URI": target,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if correlation_id is not None:  # as from a front end that is traced too
        environ["HTTP_X_CORRELATION_ID"] = str(correlation_id)
    response = application(environ, lambda _status, _headers, _exc=None: None)
    b"".join(response)
    response.close()


_MAKE_TABLES = """
from benchmarks.recorded_requests.shop import make_tables, site_settings
from django.conf import settings
settings.configure(**site_settings())
import django
django.setup()
make_tables()
"""
