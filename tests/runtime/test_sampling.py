"""The sampler of a process, as the recording tracer meets it."""

import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision

from e2edebug.runtime.sampling import build_sampling


@pytest.mark.parametrize("name", [None, "always_on", "no such sampler"])
def test_where_everything_is_kept_no_sampler_stands_in_the_way(name):
    """A RecordingTracer recognises ALWAYS_ON itself, and then asks nobody."""
    assert build_sampling(name, None).sampler is ALWAYS_ON


@pytest.mark.parametrize(
    ("name", "argument"), [("traceidratio", "0"), ("always_off", None), ("parentbased_traceidratio", "0")]
)
def test_what_is_not_kept_is_recorded_with_its_attributes(name, argument):
    result = build_sampling(name, argument).sampler.should_sample(None, 2**63, "work", attributes={"a": 1})

    assert (result.decision, dict(result.attributes)) == (Decision.RECORD_ONLY, {"a": 1})
