"""Every span is recorded, so that durations and counts are complete; the sampler decides only which are kept as steps."""

import logging
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Final, NamedTuple

from opentelemetry.context import Context
from opentelemetry.sdk.trace import sampling
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

_log = logging.getLogger("e2edebug")

_BY_NAME: Final = {
    "always_on": sampling.ALWAYS_ON,
    "always_off": sampling.ALWAYS_OFF,
    "parentbased_always_on": sampling.ParentBased(sampling.ALWAYS_ON),
    "parentbased_always_off": sampling.ParentBased(sampling.ALWAYS_OFF),
}
_BY_RATIO: Final = {
    "traceidratio": sampling.TraceIdRatioBased,
    "parentbased_traceidratio": sampling.ParentBasedTraceIdRatio,
}


class Sampling(NamedTuple):
    """A sampler, and in words which traces it keeps."""

    sampler: sampling.Sampler
    kept: str


def build_sampling(name: str | None, argument: str | None) -> Sampling:
    """Return the sampler that OTEL_TRACES_SAMPLER and its argument name, wrapped so that it records everything.

    Without a name: every trace is kept, even one that its caller marked as not sampled, because a debugger that a
    browser's flag can switch off is blind. A name or argument that cannot be used is logged, and everything is kept,
    as OpenTelemetry asks of an SDK.
    """
    chosen = _chosen(name, argument)
    kept = (
        "every trace is kept"
        if chosen is sampling.ALWAYS_ON
        else f"{chosen.get_description()} decides which traces are kept, errors always are"
    )
    # Unwrapped, because this one records everything already, and a RecordingTracer need not ask it.
    return Sampling(chosen if chosen is sampling.ALWAYS_ON else _RecordingSampler(chosen), kept)


class _RecordingSampler(sampling.AlwaysRecordSampler):
    """Has spans recorded that *chosen* drops, with the attributes they begin with.

    The SDK's hands on what the chosen sampler returns, and those of the SDK return no attributes with a DROP. Durations
    would then be counted without the layer and component that the span was begun with.
    """

    def __init__(self, chosen: sampling.Sampler) -> None:
        super().__init__(chosen)
        self._chosen = chosen

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> sampling.SamplingResult:
        result = self._chosen.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        if result.decision is not sampling.Decision.DROP:
            return result
        return sampling.SamplingResult(sampling.Decision.RECORD_ONLY, attributes, result.trace_state)


def _chosen(name: str | None, argument: str | None) -> sampling.Sampler:
    if not name:
        return sampling.ALWAYS_ON
    known = name.strip().lower()
    if known in _BY_NAME:
        return _BY_NAME[known]
    if known in _BY_RATIO:
        try:
            ratio = float(argument or "")
            return _BY_RATIO[known](ratio)
        except ValueError:
            _log.warning("OTEL_TRACES_SAMPLER_ARG=%r is not a ratio between 0 and 1; every trace is kept", argument)
            return sampling.ALWAYS_ON
    for entry_point in entry_points(group="opentelemetry_traces_sampler", name=name):
        made = entry_point.load()(argument)
        if isinstance(made, sampling.Sampler):
            return made
    _log.warning(
        "OTEL_TRACES_SAMPLER=%r is no sampler known here (%s); every trace is kept",
        name,
        ", ".join([*_BY_NAME, *_BY_RATIO]),
    )
    return sampling.ALWAYS_ON
