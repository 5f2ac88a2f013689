"""Serves blocks of requests with each peer in turn and compares how long they took."""

import importlib
import random
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Protocol

from benchmarks.harness.listing import modules_in
from benchmarks.result import Case, Figure, Result, Target
from benchmarks.sink import running_sink
from support.mariadb import MariaDBServer

BASE, OURS, OTLP = "none", "e2edebug_complete", "otlp_http"

_METHOD = """\
Requests arrive at a steady {rate} a second, each with {each} spans, so that the exporter has {spans:,} spans a second to send, in
the same process. A request's time counts from the moment at which it was to arrive: one that has to wait because the one
before is late waits in the figures too. Cases take turns in blocks of {seconds} s; p50 and p99 are the medians over {blocks}
blocks, with their quartiles. A ratio is that of two blocks of the same round, and the goals are the medians of these. What
befalls fewer than half of the blocks they do not show; the p99 of *all* requests does, which stands beside them, and in
which two cases that do the same were 0.4 to 3.1 of each other. The control says how much of the ratios is noise: here its
p99 is {control} of the base's.
"""


class Surroundings(Protocol):
    """Where requests are served with one peer. Made with the servers' URLs; closed at the end."""

    title: str
    explanation: str
    claim: str
    requests_a_second: int
    spans_a_request: int
    rounds: int

    def __init__(self, peer: str, site_url: str, store_url: str, sink_url: str) -> None: ...

    def serve(self, requests: int, rate: float) -> list[float]:
        """Return the milliseconds that each request took."""

    def close(self) -> None:
        """Send what waits and end."""


def compare_peers(surroundings: type[Surroundings], *, quick: bool) -> Result:
    """Return the result of one surroundings."""
    rounds, seconds = (1, 2) if quick else (surroundings.rounds, 4)
    rate = surroundings.requests_a_second
    requests = seconds * rate
    order = random.Random(1)  # an order, not a secret
    times: dict[str, list[list[float]]] = {}
    failures: dict[str, str] = {}
    names = modules_in(Path(__file__).with_name("peers"))
    modules: dict[str, Any] = {n: importlib.import_module(f"benchmarks.foreground_load.peers.{n}") for n in names}
    with ExitStack() as stack:
        server = MariaDBServer.create()
        stack.callback(server.remove)
        sink_url = stack.enter_context(running_sink())
        site_url = server.create_database()
        stores = {name: server.create_database() for name in names}
        running: dict[str, Surroundings] = {}
        for name in names:
            if hasattr(modules[name], "prepare"):
                modules[name].prepare(stores[name])
            try:
                running[name] = surroundings(name, site_url, stores[name], sink_url)
                stack.callback(running[name].close)
                running[name].serve(rate, rate)  # warm
                times[name] = []
            except (RuntimeError, OSError) as error:
                failures[modules[name].TITLE] = str(error)
                running.pop(name, None)
        for _ in range(rounds):
            for name in order.sample(list(running), len(running)):
                try:
                    times[name].append(running[name].serve(requests, rate))
                except (RuntimeError, OSError) as error:
                    failures[modules[name].TITLE] = str(error)
                    del running[name], times[name]
        for name, one in running.items():
            one.close()
            lost = _lost(modules[name], stores[name], (rate + rounds * requests) * surroundings.spans_a_request)
            if lost > 0:
                failures[modules[name].TITLE] = f"{lost} spans did not reach the store, so its figures would not count"
                del times[name]
    return _result(surroundings, modules, times, failures, seconds)


def _lost(module: Any, store_url: str, spans: int) -> int:
    return spans - module.stored(store_url) if hasattr(module, "stored") else 0


def _result(
    surroundings: Any,
    modules: dict[str, Any],
    times: dict[str, list[list[float]]],
    failures: dict[str, str],
    seconds: int,
) -> Result:
    p99 = {name: [_p99(block) for block in blocks] for name, blocks in times.items()}
    cases = []
    for name, blocks in times.items():
        figures = {
            "p50": Figure.of([median(block) for block in blocks], "ms"),
            "p99": Figure.of(p99[name], "ms"),
            "p99 of all": Figure.of([_p99([one for block in blocks for one in block])], "ms"),
        }
        if BASE in p99:
            figures["p99, of no exporter's"] = Figure.of(_ratios(p99[name], p99[BASE]), "1")
        cases.append(Case(modules[name].TITLE, modules[name].WHO, figures))
    goals = []
    for peer, words, bound in ((BASE, "without an exporter", 2.3), (OTLP, "with the OTLP exporter", 0.5)):
        if OURS in p99 and peer in p99:
            goals.append(Target(f"{surroundings.claim}: p99 while 1,000 spans a second are stored, of that {words}",
                                median(_ratios(p99[OURS], p99[peer])), bound))  # fmt: skip
    control = "unknown"
    if BASE in p99 and "none_again" in p99:
        control = f"{median(_ratios(p99['none_again'], p99[BASE])):.2f}"
    method = _METHOD.format(
        rate=surroundings.requests_a_second,
        each=surroundings.spans_a_request,
        spans=surroundings.requests_a_second * surroundings.spans_a_request,
        seconds=seconds,
        blocks=len(next(iter(times.values()), ())),
        control=control,
    )
    return Result(
        name="foreground_load",
        title=surroundings.title,
        explanation=f"{surroundings.explanation}\n{method}",
        cases=cases,
        targets=goals,
        failures=failures,
    )


def _ratios(p99: list[float], of: list[float]) -> list[float]:
    """Return the ratios round by round."""
    return [one / other for one, other in zip(p99, of, strict=True)]


def _p99(times: list[float]) -> float:
    return quantiles(times, n=100)[98]
