"""A process that serves requests of one case to itself, whenever it is told to: `python -m … CASE`.

Reads a number of requests a line and answers with a line of JSON: what the block cost. Requests go straight into the
WSGI application, so that no web server and no client is in the figures.
"""

import gc
import importlib
import json
import resource
import sys
import time
from io import BytesIO
from statistics import median, quantiles
from types import ModuleType
from typing import Any

from benchmarks.request_overhead.site import PRODUCTS, site_settings


def main(name: str) -> None:
    """Serve blocks of requests until the input ends."""
    case: ModuleType = importlib.import_module(f"benchmarks.request_overhead.cases.{name}")
    settings = site_settings()
    case.configure(settings)
    from django.conf import settings as django_settings

    django_settings.configure(**settings)
    case.begin()
    import django

    django.setup()
    from django.core.handlers.wsgi import WSGIHandler

    prepare = getattr(case, "prepare", None)
    if prepare is not None:
        prepare()
    application = WSGIHandler()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(block(application, case, int(line))), flush=True)


def block(application: Any, case: ModuleType, requests: int) -> dict[str, float]:
    """Return CPU and wall time of so many requests, microseconds a request; the export is part of it."""
    gc.collect()
    walls = []
    process_ns, thread_ns = time.process_time_ns(), time.thread_time_ns()
    for number in range(requests):
        began = time.perf_counter_ns()
        ask(application, number % PRODUCTS)
        walls.append(time.perf_counter_ns() - began)
    thread_ns = time.thread_time_ns() - thread_ns
    case.flush()
    process_ns = time.process_time_ns() - process_ns
    cut = quantiles(walls, n=100)
    return {
        "cpu_us": process_ns / requests / 1e3,
        "caller_cpu_us": thread_ns / requests / 1e3,
        "p50_us": median(walls) / 1e3,
        "p99_us": cut[98] / 1e3,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def ask(application: Any, pk: int) -> None:
    """Send one request and read its answer whole."""
    status: list[str] = []
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": f"/products/{pk}/",
        "SCRIPT_NAME": "",
        "QUERY_STRING": "page=1",
        "SERVER_NAME": "benchmark",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "benchmark",
        "HTTP_USER_AGENT": "benchmark/1.0",
        "HTTP_ACCEPT": "application/json",
        "RAW_URI": f"/products/{pk}/?page=1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    response = application(environ, lambda code, _headers, _exc=None: status.append(code))
    body = b"".join(response)
    response.close()
    if status != ["200 OK"] or not body:
        raise RuntimeError(f"the endpoint answered {status}: {body[:300]!r}")


if __name__ == "__main__":
    main(sys.argv[1])
