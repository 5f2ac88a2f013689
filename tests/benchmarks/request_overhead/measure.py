"""What tracing adds to a request with five ORM queries, for e2edebug and its peers, in one run.

Each case is a process of its own that lives through the whole run. Round after round, in a new order each time, every
case serves a block of requests; what counts is the difference to the bare site's block of the same round.

A block is what a process serves in about a second: what is written once a second then has the share in it that it has
with a site under load. Shorter ones, between which the others have their turn, were tried: they made the writing thread
begin a transaction for every few requests, and doubled its share.
"""

import argparse
import random
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

from benchmarks.callgrind import can_count
from benchmarks.request_overhead.case_process import CASES, CaseProcess, servers_for_cases
from benchmarks.request_overhead.instructions import Instructions, count_instructions
from benchmarks.request_overhead.report import report
from benchmarks.result import Result

BASE, CONTROL = "bare", "bare_again"
CONTROL_SHARE = 0.03
"""The bare site against itself has to lie within this share of its CPU time, or the machine was too busy to tell."""


@dataclass(slots=True)
class Measured:
    """What was found of one case."""

    title: str
    who: Any
    blocks: list[dict[str, Any]] = field(default_factory=list)
    """CPU time a request, in each round that it took part in, and which that was."""
    walls_us: list[float] = field(default_factory=list)
    """Of every request of all rounds."""
    flush_us: list[float] = field(default_factory=list)
    """CPU time of sending what is sent once an interval, however many requests there were."""
    instructions: Instructions | None = None


def request_overhead(*, quick: bool) -> list[Result]:
    """Return the benchmark's result."""
    if quick:
        found, failures = run(CASES, rounds=3, most_rounds=3, requests=20)
    else:
        found, failures = run(CASES, rounds=24, most_rounds=60, requests=100, most_s=200)
    why_not = ""
    if quick:
        why_not = "Instructions were not counted: that takes minutes."
    elif can_count():
        with servers_for_cases() as environment:
            names = [name for name in found if name != CONTROL]  # which executes what the bare site does
            counts, uncounted = count_instructions(names, environment, requests=20)
        for name, counted in counts.items():
            found[name].instructions = counted
        failures |= {f"instructions of {name}": why for name, why in uncounted.items()}
    else:
        why_not = "Instructions were not counted: valgrind is not installed."
    return [report(found, failures, why_not)]


def run(
    names: Sequence[str], *, rounds: int, most_rounds: int, requests: int, most_s: float = 3600, seed: int = 1
) -> tuple[dict[str, Measured], dict[str, str]]:
    """Return what was found of each case, and why those that are missing failed.

    At least *rounds*, then more until the control shows that the machine is calm enough, at most *most_rounds*; none
    begins after *most_s*.
    """
    order = random.Random(seed)  # an order, not a secret
    found: dict[str, Measured] = {}
    failures: dict[str, str] = {}
    with ExitStack() as stack:
        environment = stack.enter_context(servers_for_cases())
        cases: dict[str, CaseProcess] = {}

        def attempt(name: str, action: Any) -> None:
            try:
                action()
            except RuntimeError as error:
                if name == BASE:
                    raise
                failures[name] = str(error)
                cases.pop(name, None)
                found.pop(name, None)

        def start(name: str) -> None:
            case = CaseProcess(name, environment)
            stack.callback(case.close)
            case.serve(requests)  # warm
            cases[name], found[name] = case, Measured(case.title, case.who)

        def serve(case: CaseProcess, number: int) -> None:
            answer = case.serve(requests)
            one = found[case.name]
            one.walls_us += answer["walls_us"]
            one.blocks.append({
                "round": number,
                "cpu_us": answer["cpu_us"] / requests,
                "caller_cpu_us": answer["caller_cpu_us"] / requests,
                "p50_us": median(answer["walls_us"]),
                "peak_rss_bytes": answer["peak_rss_bytes"],
            })  # fmt: skip

        def flush(case: CaseProcess) -> None:
            for _ in range(3):
                case.serve(requests)
                found[case.name].flush_us.append(case.serve(0, "flush")["cpu_us"])

        for name in names:
            attempt(name, lambda name=name: start(name))
        began = time.monotonic()
        for number in range(1, most_rounds + 1):
            due = [case for case in cases.values() if (number - 1) % case.every == 0]
            for case in order.sample(due, len(due)):
                attempt(case.name, lambda case=case, number=number: serve(case, number))
            share, doubt = control(found)
            is_calm = abs(share) + doubt <= CONTROL_SHARE
            is_last = number == most_rounds or time.monotonic() - began >= most_s or (number >= rounds and is_calm)
            if number % 4 == 0 or is_last:
                print(f"round {number}: bare against bare {share:+.1%}, give or take {doubt:.1%}", flush=True)
            if is_last:
                break
        for case in list(cases.values()):
            if case.who == "ours":  # the others send nothing once an interval
                attempt(case.name, lambda case=case: flush(case))
    return found, failures


def control(found: dict[str, Measured]) -> tuple[float, float]:
    """Return what the bare site's second process takes more than its first, as a share, and how sure that is.

    The doubt is twice the standard error of the median, which is 1.253 of that of the mean; the standard deviation is
    taken from the quartiles (a normal distribution's lie 1.349 of it apart), which a few disturbed rounds do not move.
    """
    if CONTROL not in found or len(found[CONTROL].blocks) < 2:
        return 0.0, 1.0
    base = [block["cpu_us"] for block in found[BASE].blocks]
    added = [again["cpu_us"] - first for again, first in zip(found[CONTROL].blocks, base, strict=True)]
    low, middle, high = quantiles(added, n=4)
    return middle / median(base), 2 * 1.253 * (high - low) / 1.349 / len(added) ** 0.5 / median(base)


def main() -> None:
    """Measure some cases and print CPU time: for tuning. The instructions are `make bench ARGS=request_overhead`'s."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--requests", type=int, default=100, help="in a block")
    parser.add_argument("--cases", nargs="*", default=CASES)
    options = parser.parse_args()
    found, failures = run(options.cases, rounds=options.rounds, most_rounds=options.rounds, requests=options.requests)
    from benchmarks.harness.printing import show_rows, terminal
    from benchmarks.harness.wording import case_rows, headings

    result = report(found, failures, "")
    show_rows(terminal(), result.title, ["", *headings(result)], case_rows(result))


if __name__ == "__main__":
    main()
