"""A process that serves requests of one case to itself, whenever it is told to: `python -m … CASE`.

Requests go straight into the WSGI application, so that no web server and no client is in the figures.

A case is a module in the folder `cases`, found by being there:

TITLE, WHO            what it is called, and whether it is the `base`, a `peer` or `ours`
configure(settings)   change Django's settings before they are used
begin()               switch it on, before `django.setup()`
prepare()             optional: what it needs once before it serves, such as tables
settle()              optional: wait until it has sent what it sends by itself within seconds; by default flush()
flush()               send all that waits, aggregated metrics of this moment included
stand_still()         optional: do nothing any more only because time has passed, as far as no setting says that
EVERY                 optional: it is measured in one of so many rounds, where its effect is far above the noise
"""

import gc
import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from io import BytesIO
from types import ModuleType
from typing import Any

from benchmarks.request_overhead.site import PRODUCTS, site_settings


def main(name: str) -> None:
    """Serve until the input ends.

    A line `100 settle` or `100 flush` asks for so many requests and what has to be sent after them, and is answered by
    what all of it cost, as a line of JSON. With 0 requests it is the cost of the sending alone.
    """
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
    ways = {
        "flush": case.flush,
        "settle": getattr(case, "settle", case.flush),
        "stand_still": getattr(case, "stand_still", lambda: None),
    }
    gc.collect()
    print(json.dumps({"title": case.TITLE, "who": case.WHO, "every": getattr(case, "EVERY", 1)}), flush=True)
    for line in sys.stdin:
        requests, way = line.split()
        print(json.dumps(block(application, ways[way], int(requests))), flush=True)
        gc.collect()


def block(application: Any, send: Callable[[], None], requests: int) -> dict[str, Any]:
    """Return CPU time of the process and of the serving thread in it, in all, and how long each request took."""
    walls = []
    process_ns, thread_ns = time.process_time_ns(), time.thread_time_ns()
    for number in range(requests):
        began = time.perf_counter_ns()
        ask(application, number % PRODUCTS)
        walls.append((time.perf_counter_ns() - began) / 1e3)
    thread_ns = time.thread_time_ns() - thread_ns
    send()
    process_ns = time.process_time_ns() - process_ns
    return {
        "cpu_us": process_ns / 1e3,
        "caller_cpu_us": thread_ns / 1e3,
        "walls_us": walls,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
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
