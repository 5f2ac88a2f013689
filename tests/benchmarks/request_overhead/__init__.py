"""What tracing adds to a request with five ORM queries, for e2edebug and its peers, in one run."""

from benchmarks.result import Result


def measure(*, quick: bool) -> list[Result]:
    """Return what each case adds to a request."""
    from benchmarks.request_overhead.measure import (
        request_overhead,
    )  # the workers import this package and need none of it

    return request_overhead(quick=quick)
