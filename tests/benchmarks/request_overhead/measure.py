"""What tracing adds to a request with five ORM queries, for e2edebug and its peers, in one run.

Each case is a process of its own that lives through the whole run. Round after round, in a new order each time, every
case serves a block of requests; what counts is the difference to the bare site's block of the same round.
"""

import argparse
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Literal

from benchmarks.harness.listing import modules_in
from benchmarks.result import Case as Row
from benchmarks.result import Figure, Result, Target
from benchmarks.sink import running_sink
from support.mariadb import MariaDBServer

BASE = "bare"
CASES = modules_in(Path(__file__).with_name("cases"))


class Case:
    """A process that serves blocks of requests."""

    def __init__(self, name: str, environment: dict[str, str]) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.request_overhead.worker", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        self._answer()

    def serve(self, requests: int) -> dict[str, float]:
        """Serve so many and return what they cost."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{requests}\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the case {self.name} ended with exit code {self._process.wait()}")
        answer: dict[str, float] = json.loads(line)
        return answer


@contextmanager
def running_cases(names: Sequence[str]) -> Iterator[list[Case]]:
    """Start a MariaDB, a sink and a process for each case."""
    with ExitStack() as stack:
        server = MariaDBServer.create()
        stack.callback(server.remove)
        sink = stack.enter_context(running_sink())
        site_url = server.create_database()
        subprocess.run(
            [sys.executable, "-c", _MAKE_TABLES], check=True, env={**os.environ, "BENCHMARK_DATABASE_URL": site_url}
        )
        environment = {
            "BENCHMARK_DATABASE_URL": site_url,
            "BENCHMARK_SINK_URL": sink,
            "E2EDEBUG_DATABASE_URL": server.create_database(),
        }
        cases = []
        for name in names:
            case = Case(name, environment)
            stack.callback(case.close)
            cases.append(case)
        yield cases


_MAKE_TABLES = """
from benchmarks.request_overhead.site import make_tables, site_settings
from django.conf import settings
settings.configure(**site_settings())
import django
django.setup()
make_tables()
"""


def measure(names: Sequence[str], *, rounds: int, requests: int, seed: int = 1) -> dict[str, Any]:
    """Return, for each case, its blocks' figures and their differences to the bare site's block of the same round."""
    order = random.Random(seed)  # an order, not a secret
    blocks: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with running_cases(names) as cases:
        for case in cases:
            case.serve(2 * requests)  # warm
        for _ in range(rounds):
            for case in order.sample(cases, len(cases)):
                blocks[case.name].append(case.serve(requests))
    return {"rounds": rounds, "requests_a_block": requests, "cases": {n: _figures(blocks, n) for n in names}}


def _figures(blocks: dict[str, list[dict[str, float]]], name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in ("cpu_us", "caller_cpu_us", "p50_us", "p99_us"):
        values = [block[key] for block in blocks[name]]
        added = [mine[key] - base[key] for mine, base in zip(blocks[name], blocks[BASE], strict=True)]
        low, _, high = quantiles(added, n=4)
        found[key] = {"median": median(values), "added": median(added), "added_quartiles": [low, high]}
    found["peak_rss_mb"] = blocks[name][-1]["peak_rss_mb"]
    return found


def request_overhead(*, quick: bool) -> list[Result]:
    """Return the benchmark's result."""
    result = measure(CASES, rounds=3 if quick else 20, requests=20 if quick else 100)
    rows, headings = [], {"cpu_us": "CPU", "caller_cpu_us": "caller's CPU", "p50_us": "p50", "p99_us": "p99"}
    for name, found in result["cases"].items():
        figures = {}
        for key, heading in headings.items():
            low, high = found[key]["added_quartiles"]
            figures[f"{heading} added"] = Figure(found[key]["added"], low, high, "us")
        who: Literal["base", "peer", "ours"] = (
            "base" if name.startswith("bare") else "ours" if name.startswith("e2edebug") else "peer"
        )
        rows.append(Row(name, who, figures))
    added = {name: found["cpu_us"]["added"] for name, found in result["cases"].items()}
    targets = [
        Target(f"CPU added to a request, of what {words} adds", added["e2edebug_complete"] / added[peer], bound)
        for peer, words, bound in (
            ("otel_noop", "OpenTelemetry's own instrumentation with an exporter that does nothing", 0.6),
            ("silk", "django-silk", 0.1),
        )
    ]
    return [
        Result(
            name="request_overhead",
            title="A request with five queries",
            explanation=__doc__ or "",
            cases=rows,
            targets=targets,
        )
    ]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--requests", type=int, default=100, help="in a block")
    parser.add_argument("--cases", nargs="*", default=CASES)
    options = parser.parse_args()
    result = measure(options.cases, rounds=options.rounds, requests=options.requests)
    stock = result["cases"].get("otel_noop", {}).get("cpu_us", {}).get("added")
    print(
        f"{'case':26}{'CPU us':>9}{'added':>9}{'quartiles':>18}{'of stock':>9}{'caller +':>10}{'p50 +':>9}{'p99 +':>9}"
    )
    for name, figures in result["cases"].items():
        cpu = figures["cpu_us"]
        low, high = cpu["added_quartiles"]
        share = f"{cpu['added'] / stock:.2f}" if stock else ""
        print(
            f"{name:26}{cpu['median']:9.0f}{cpu['added']:9.0f}{f'{low:.0f}..{high:.0f}':>18}{share:>9}"
            f"{figures['caller_cpu_us']['added']:10.0f}{figures['p50_us']['added']:9.0f}{figures['p99_us']['added']:9.0f}"
        )


if __name__ == "__main__":
    main()
