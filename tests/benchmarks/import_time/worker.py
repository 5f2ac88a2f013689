"""A process that switches one case on and says what that took: `python …/worker.py CASE alone|project`.

A script that imports nothing but built-in modules, and its cases from beside it rather than through the package, so that
nothing is there before a case asks for it.
"""

import sys
import time


def main(name: str, surroundings: str) -> None:
    """Print seconds, seconds of CPU, modules and bytes that the case added."""
    case = __import__(f"cases.{name}", fromlist=["switch_on"])
    modules, resident = len(sys.modules), resident_bytes()
    cpu_s, began_s = time.process_time(), time.perf_counter()
    case.switch_on()
    if surroundings == "project":
        start_project()
    taken_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    print(taken_s, cpu_s, len(sys.modules) - modules, resident_bytes() - resident)


def start_project() -> None:
    """Do what a server does with a Django project before the first request; the environment names its settings."""
    import django

    django.setup()
    from django.core.handlers.wsgi import WSGIHandler
    from django.urls import get_resolver

    WSGIHandler()
    assert get_resolver().url_patterns  # which imports the views


def resident_bytes() -> int:
    """Return the memory that the process has in RAM."""
    with open("/proc/self/statm") as file:  # noqa: PTH123 - pathlib is a module that a case may be the first to import
        return int(file.read().split()[1]) * 4096


main(*sys.argv[1:3])
