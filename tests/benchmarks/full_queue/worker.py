"""A process that fills one case's queue and prints what that took: `python -m … CASE resident|allocated ITEMS`."""

import gc
import importlib
import json
import sys
import tracemalloc

import psutil
from benchmarks.made_requests import SPANS, make_request


def main(name: str, what: str, items: int) -> None:
    """Fill the queue and print a line of JSON."""
    tracer, held = importlib.import_module(f"benchmarks.full_queue.cases.{name}").begin(items)
    make_request(tracer)  # what is made once
    gc.collect()
    if what == "allocated":
        tracemalloc.start()
    before = _bytes(what)
    for _ in range(items * 5 // 4 // SPANS):
        make_request(tracer)
    gc.collect()
    print(json.dumps({"bytes": _bytes(what) - before, "held": held()}), flush=True)
    sys.stdout.flush()
    import os

    os._exit(0)  # nobody waits for what nobody takes


def _bytes(what: str) -> int:
    return tracemalloc.get_traced_memory()[0] if what == "allocated" else psutil.Process().memory_info().rss


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
