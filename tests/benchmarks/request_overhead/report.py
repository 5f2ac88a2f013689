"""What was found, as a table, goals, and where our own share goes."""

from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from benchmarks.request_overhead.site import QUERIES
from benchmarks.result import Case, Figure, Result, Target

if TYPE_CHECKING:
    from benchmarks.request_overhead.measure import Measured

REQUESTS_AN_INTERVAL = 6000
"""What a process that serves 100 requests a second serves within the 60 s that one performance snapshot covers."""

COMPLETE, REQUESTS_ALONE = "e2edebug_complete", "e2edebug_requests_alone"
STOCK, SILK = "otel_noop", "silk"

EXPLANATION = """\
A Django REST framework view that makes {queries} ORM queries on MariaDB and serializes what it gets, called through Django's
whole WSGI stack, without a web server or a network client in the figures. Every case is a process of its own that lives
through the whole run; in each of {rounds} rounds it serves {requests} requests, in a new order each time (the two bare ones,
e2edebug as it comes and OpenTelemetry's own, of which the first goal speaks; the others in every third or fourth). *Added*
is the difference to the bare site's block of the same round. Where there are two cores, these processes run on one, and
the database and the sink on the other.

**CPU added** is that of the whole process: the thread that serves, and whatever the case does in the background until all
has been sent. **Instructions added** are the same work counted by callgrind in a run of its own, in a process that has
served {warm} requests before: the difference between blocks of 20 and of 40; **the caller's** are those of the thread that
serves, without which there is no answer. **p50 added** and **p99
added** are what the caller waits longer (p99 over all requests of all rounds together).

The bare site runs twice, as the **control**: what the second differs from the first is noise. Here it is
**{control:+.1%}, give or take {doubt:.1%}** of the bare site's CPU time; {verdict}

What e2edebug sends once an interval (its performance snapshots, every {interval} requests at 100 a second and the default
of 60 s) is measured by itself and is in its CPU as that share; the spans, sessions and errors are in it whole. What
OpenTelemetry's do-nothing exporter would have to do to be of use is not in its figure; nor has it any metrics.
{why_not}"""


def report(found: "dict[str, Measured]", failures: dict[str, str], why_not: str) -> Result:
    """Return the benchmark's result."""
    from benchmarks.request_overhead.instructions import WARM
    from benchmarks.request_overhead.measure import BASE, CONTROL_SHARE, control

    bare = found[BASE]
    share, doubt = control(found)
    explanation = EXPLANATION.format(
        queries=QUERIES,
        rounds=len(bare.blocks),
        requests=len(bare.walls_us) // len(bare.blocks),
        warm=WARM,
        control=share,
        doubt=doubt,
        interval=f"{REQUESTS_AN_INTERVAL:,}",
        why_not=why_not,
        verdict=f"within the {CONTROL_SHARE:.0%} that we ask for."
        if abs(share) + doubt <= CONTROL_SHARE
        else f"more than the {CONTROL_SHARE:.0%} that we ask for: the machine was too busy, and the instructions tell more.",
    )
    added = {name: _added_cpu_us(one, bare) for name, one in found.items()}
    return Result(
        name="request_overhead",
        title="A request with five queries",
        explanation=explanation,
        cases=[Case(one.title, one.who, _figures(one, bare, added[name])) for name, one in found.items()],
        targets=[*_goals(found, added), Target("The bare site against itself, of its CPU", abs(share), CONTROL_SHARE)],
        tables={"Where e2edebug's share goes": where_it_goes(found)},
        failures=failures,
    )


def _added_cpu_us(one: "Measured", bare: "Measured") -> list[float]:
    once = median(one.flush_us) / REQUESTS_AN_INTERVAL if one.who == "ours" and one.flush_us else 0.0
    return [added + once for added in _added(one, bare, "cpu_us")]


def _added(one: "Measured", bare: "Measured", key: str) -> list[float]:
    base = {block["round"]: block for block in bare.blocks}
    return [block[key] - base[block["round"]][key] for block in one.blocks]


def _figures(one: "Measured", bare: "Measured", added: list[float]) -> dict[str, Figure]:
    figures = {"CPU": Figure.of([block["cpu_us"] for block in one.blocks], "us")}
    if one is not bare:
        figures["CPU added"] = Figure.of(added, "us")
        if one.instructions is not None and bare.instructions is not None:
            more = one.instructions.all - bare.instructions.all
            figures["instructions added"] = Figure.of([more / 1000], "thousand")
            of_caller = one.instructions.caller - bare.instructions.caller
            figures["the caller's"] = Figure.of([of_caller / 1000], "thousand")
        figures["p50 added"] = Figure.of(_added(one, bare, "p50_us"), "us")
        figures["p99 added"] = Figure.of([_p99(one) - _p99(bare)], "us")
        figures["memory added"] = Figure.of(
            [one.blocks[-1]["peak_rss_bytes"] - bare.blocks[-1]["peak_rss_bytes"]], "By"
        )
    return figures


def _p99(one: "Measured") -> float:
    return quantiles(one.walls_us, n=100)[98]


def _goals(found: "dict[str, Measured]", added: dict[str, list[float]]) -> list[Target]:
    if COMPLETE not in found:
        return []
    goals = []
    for peer, words, bound in (
        (STOCK, "OpenTelemetry's own instrumentation adds with an exporter that does nothing", 0.6),
        (SILK, "django-silk adds", 0.1),
    ):
        if peer in found:
            ratio = median(added[COMPLETE]) / median(added[peer])
            goals.append(Target(f"CPU added to a request with five queries, of what {words}", ratio, bound))
    ours, stock, bare = (found[name].instructions if name in found else None for name in (COMPLETE, STOCK, "bare"))
    if ours is not None and stock is not None and bare is not None:
        ratio = (ours.all - bare.all) / (stock.all - bare.all)
        goals.append(Target("The same in instructions, of OpenTelemetry's own", ratio, 0.6))
        ratio = (ours.caller - bare.caller) / (stock.caller - bare.caller)
        goals.append(Target("The same in instructions of the thread that serves", ratio, 0.6))
    return goals


def where_it_goes(found: "dict[str, Measured]") -> list[dict[str, Any]]:
    """Return the parts of what e2edebug adds to a request; nothing when one of its two cases is missing."""
    if not {COMPLETE, REQUESTS_ALONE} <= found.keys():
        return []
    bare, complete, alone = found["bare"], found[COMPLETE], found[REQUESTS_ALONE]
    caller = median(_added(complete, bare, "caller_cpu_us"))
    of_request = median(_added(alone, bare, "caller_cpu_us"))
    writing = median(_added(complete, bare, "cpu_us")) - caller
    parts = {
        "the request itself: server span, correlation id, context": of_request,
        f"its {QUERIES} queries together": caller - of_request,
        "one query": (caller - of_request) / QUERIES,
        "the thread that writes: cleaning, mapping, counting metrics, SQL": writing,
        f"sending metrics once in {REQUESTS_AN_INTERVAL:,} requests": median(complete.flush_us) / REQUESTS_AN_INTERVAL,
    }
    rows: list[dict[str, Any]] = [{"part": part, "CPU, µs": value} for part, value in parts.items()]
    counts = bare.instructions, complete.instructions, alone.instructions
    if all(counts):
        base, whole, less = counts
        queries = whole.caller - less.caller
        for row, count in zip(
            rows,
            (less.caller - base.caller, queries, queries / QUERIES, whole.others - base.others,
             whole.others_once / REQUESTS_AN_INTERVAL),
            strict=True,
        ):  # fmt: skip
            row["thousand instructions"] = count / 1000
    return rows
