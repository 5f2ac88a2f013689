"""What an instrumentation adds to one operation, beside its peer, in one run: the ratio is what counts.

Rounds alternate between the plain library, the peer and ours, so that what else the machine does meets all three alike;
each figure is the median of its rounds, in time of the processor.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from benchmarks.result import Case, Figure, Result, Target
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from e2edebug_exporters.recording.provider import make_tracer_provider

Variant = Callable[[], AbstractContextManager[None]]


class Forgetting(SpanProcessor):
    """Takes every span and keeps none: what is measured is the capture."""

    def on_end(self, span: ReadableSpan) -> None:
        """Forget it."""


def stock_provider() -> TracerProvider:
    """Return the SDK's provider, with which the peer runs."""
    provider = TracerProvider(resource=Resource.get_empty(), shutdown_on_exit=False)
    provider.add_span_processor(Forgetting())
    return provider


def own_provider() -> TracerProvider:
    """Return the provider that e2edebug sets up."""
    provider = make_tracer_provider(ALWAYS_ON, Resource.get_empty())
    provider.add_span_processor(Forgetting())
    return provider


@contextmanager
def instrumented(instrumentor: Any, provider: TracerProvider, **options: Any) -> Iterator[None]:
    """Switch *instrumentor* on, within a span as in a request, and off again."""
    instrumentor.instrument(tracer_provider=provider, **options)
    try:
        with provider.get_tracer("benchmark").start_as_current_span("request"):
            yield
    finally:
        instrumentor.uninstrument()


@contextmanager
def plain() -> Iterator[None]:
    """The library alone."""
    with trace.use_span(trace.INVALID_SPAN):
        yield


def compare(
    name: str,
    operation: Callable[[int], object],
    *,
    peer: Variant | None,
    ours: Variant,
    count: int,
    rounds: int = 15,
    quick: bool = False,
) -> Case:
    """Return and print what *operation* (called with how often it is to be done) costs alone, and what the two add to it.

    The case is one row for one operation, with the columns `alone`, `OpenTelemetry adds`, `e2edebug adds` and their
    ratio; the peer's and the ratio are absent where *peer* is None: there is no instrumentor but ours.
    """
    if quick:
        count, rounds = max(1, count // 10), 3
    variants: dict[str, Variant] = {"alone": plain, "ours": ours}
    if peer is not None:
        variants = {"alone": plain, "peer": peer, "ours": ours}
    times_us: dict[str, list[float]] = {variant: [] for variant in variants}
    for number in range(rounds + 1):
        for variant, context in variants.items():
            with context():
                operation(max(1, count // 10))
                began = time.process_time()
                operation(count)
                taken_us = (time.process_time() - began) * 1e6 / count
            if number:  # the first round warms up
                times_us[variant].append(taken_us)
    # Against the plain one of the same round: what disturbs a round disturbs all three.
    added = {
        variant: [one - alone for one, alone in zip(times_us[variant], times_us["alone"], strict=True)]
        for variant in variants
    }
    figures = {"alone": Figure.of(times_us["alone"], "us"), "e2edebug adds": Figure.of(added["ours"], "us")}
    shown = f"{name:<34} alone {figures['alone'].median:8.1f} us   ours +{figures['e2edebug adds'].median:7.1f} us"
    if peer is not None:
        ratios = [own / stock for own, stock in zip(added["ours"], added["peer"], strict=True) if stock > 0]
        figures |= {
            "OpenTelemetry adds": Figure.of(added["peer"], "us"),
            "ratio": Figure.of(ratios or [float("nan")], "1"),
        }
        shown += f"   peer +{figures['OpenTelemetry adds'].median:7.1f} us   ratio {figures['ratio'].median:5.2f}"
    print(shown, flush=True)
    return Case(name, "ours", figures)


def result_of(name: str, title: str, explanation: str, cases: list[Case]) -> Result:
    """Return the result of a benchmark whose cases are of :func:`compare`: none with a peer is to cost more than it."""
    return Result(
        name,
        title,
        explanation,
        cases,
        [
            Target(f"{case.name}: CPU added, of what the peer adds", case.figures["ratio"].median, 1.0)
            for case in cases
            if "ratio" in case.figures
        ],
    )
