"""How long a traced request takes while the exporter works at 1,000 spans a second, beside other exporters.

A peer is a module in the folder `peers`, found by being there: TITLE, WHO, and

provider(store_url, sink_url)   the tracer provider with its exporter, for the requests that are made in the process
begin(store_url, sink_url)      optional: instrument a Django project; by default OpenTelemetry's own instrumentations
                                with that provider
stored(store_url)               optional: how many spans have reached the store, to see that none was lost
"""

from benchmarks.result import Result


def measure(*, quick: bool) -> list[Result]:
    """Return the foreground's times: in one process, and behind a threaded and an asynchronous server."""
    from benchmarks.foreground_load.comparison import compare_peers  # the peers' processes need none of it
    from benchmarks.foreground_load.in_process import InProcess
    from benchmarks.foreground_load.served import Gunicorn, Uvicorn

    return [compare_peers(surroundings, quick=quick) for surroundings in (InProcess, Gunicorn, Uvicorn)]
