"""Every span is recorded, so that durations and counts are complete; the sampler decides only which are kept as steps."""

import logging
from importlib.metadata import entry_points
from typing import Final, NamedTuple

from opentelemetry.sdk.trace import sampling

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
    return Sampling(sampling.AlwaysRecordSampler(chosen), kept)


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
