"""How much memory a full queue of spans takes, beside OpenTelemetry's batch processor with the same spans.

A case is a module in the folder `cases`, found by being there: TITLE, WHO, and `begin() -> (tracer, held)`, where held()
says how many spans wait; nothing that waits may be sent on.
"""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.harness.listing import modules_in
from benchmarks.result import Case, Figure, Result, Target

ITEMS = 20_000
"""The default of E2EDEBUG_QUEUE_MAX_ITEMS. OpenTelemetry's own default is 2,048: it is given the same."""

EXPLANATION = f"""\
The store, or the collector, does not answer, and a quarter more spans end than the queue of {ITEMS:,} holds: spans of
requests with five queries, the same for all. Each case is a process of its own. *Memory* is what the process has in RAM
more than before the first span; *allocated* is what Python's own `tracemalloc` finds, in another process, because it
takes memory itself. What does not fit is dropped, and with e2edebug (whose queue is bounded in bytes too) counted.
"""


def measure(*, quick: bool) -> list[Result]:
    """Return the memory of each case."""
    cases, failures = [], {}
    for name in modules_in(Path(__file__).with_name("cases")):
        module = importlib.import_module(f"benchmarks.full_queue.cases.{name}")
        try:
            runs = [_run(name, "resident") for _ in range(1 if quick else 3)]
            allocated = _run(name, "allocated")
        except subprocess.CalledProcessError as error:
            failures[name] = error.stderr.strip()[-500:] or str(error)
            continue
        figures = {
            "spans held": Figure.of([run["held"] for run in runs], ""),
            "memory": Figure.of([run["bytes"] for run in runs], "By"),
            "memory a span": Figure.of([run["bytes"] / run["held"] for run in runs], "By"),
            "allocated a span": Figure.of([allocated["bytes"] / allocated["held"]], "By"),
        }
        cases.append(Case(module.TITLE, module.WHO, figures))
    ours = [case.figures["memory"].median for case in cases if case.who == "ours"]
    return [
        Result(
            name="full_queue",
            title="The memory of a full queue",
            explanation=EXPLANATION,
            cases=cases,
            targets=[Target(f"Memory of a full queue of {ITEMS:,} spans", max(ours), 64 * 2**20, unit="By")]
            if ours
            else [],
            failures=failures,
        )
    ]


def _run(name: str, what: str) -> dict[str, float]:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.full_queue.worker", name, what, str(ITEMS)],
        env=dict(os.environ),
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return found
