"""Stored distributions: what is written is read back, and merging loses nothing but the bucket's width."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2edebug_schema.histogram import Histogram, bucket_index, encode

durations = st.floats(min_value=0.001, max_value=600_000, allow_nan=False)
BUCKET_WIDTH = 2 ** (1 / 8)


def test_the_stored_form_is_the_documented_one() -> None:
    histogram = Histogram.of([0.0, 50.0, 51.0, 55.0])

    assert histogram.encode() == '{"s":3,"z":1,"b":[[45,2],[46,1]]}'


def test_a_power_of_two_is_the_upper_bound_of_its_bucket() -> None:
    assert [bucket_index(value) for value in (0.5, 1.0, 2.0, 1024.0)] == [-9, -1, 7, 79]
    assert bucket_index(1024.001) == 80


@given(st.lists(durations))
def test_what_was_encoded_is_decoded(values: list[float]) -> None:
    histogram = Histogram.of(values)

    decoded = Histogram.decode(histogram.encode(), minimum=histogram.minimum, maximum=histogram.maximum)

    assert decoded == histogram


@given(st.lists(durations), st.lists(durations))
def test_merging_equals_counting_everything_at_once(first: list[float], second: list[float]) -> None:
    merged = Histogram.of(first)
    merged.merge(Histogram.of(second))

    assert merged == Histogram.of([*first, *second])


@given(st.lists(durations, min_size=1), st.sampled_from([50, 95, 99]))
def test_a_percentile_is_off_by_less_than_one_bucket(values: list[float], percent: int) -> None:
    exact = sorted(values)[math.ceil(len(values) * percent / 100) - 1]

    estimate = Histogram.of(values).percentile(percent)

    assert estimate is not None
    assert exact / BUCKET_WIDTH * 0.999 <= estimate <= exact * BUCKET_WIDTH * 1.001


def test_a_percentile_stays_between_the_smallest_and_the_largest_value() -> None:
    histogram = Histogram.of([100.0])

    assert [histogram.percentile(percent) for percent in (1, 50, 100)] == [100.0, 100.0, 100.0]


def test_a_percentile_of_nothing_is_none() -> None:
    assert Histogram().percentile(95) is None


def test_a_histogram_of_a_coarser_scale_merges_at_that_scale() -> None:
    """The SDK halves its resolution when a distribution is too wide."""
    fine = Histogram.of([1.5, 3.0])

    fine.merge(Histogram(scale=0, counts={1: 5}))

    assert (fine.scale, fine.counts, fine.count) == (0, {0: 1, 1: 6}, 7)


def test_values_that_are_not_numbers_are_left_out() -> None:
    assert Histogram.of([math.nan, math.inf, -math.inf]).count == 0


@pytest.mark.parametrize(
    "text",
    [
        "[]", "{}", "null", "not json", '{"s":3,"z":0,"b":{}}', '{"s":3,"z":0,"b":{"45":2}}', '{"s":3,"z":0,"b":[45,2]}',
        '{"s":3,"z":0,"b":["45"]}', '{"s":3,"z":0,"b":[[45,2,1]]}', '{"s":3,"z":0,"b":[["x",1]]}',
    ],
)  # fmt: skip
def test_a_text_that_is_no_histogram_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Histogram.decode(text)


def test_buckets_are_stored_in_ascending_order() -> None:
    """Below 1 the index is negative: as text "-10" would come before "-9"."""
    assert encode({46: 1, -9: 2, -10: 3}) == '{"s":3,"z":0,"b":[[-10,3],[-9,2],[46,1]]}'


def test_empty_buckets_are_not_stored() -> None:
    assert encode({3: 0, 4: 1}) == '{"s":3,"z":0,"b":[[4,1]]}'


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_merging_a_text_is_merging_what_it_says(scale: int) -> None:
    other = Histogram(scale=scale)
    for value in (0.0, 0.04, 3.0, 3.1, 60_000.0):
        other.add(value)
    decoded, encoded = Histogram.of([1.0, 3.0]), Histogram.of([1.0, 3.0])

    decoded.merge(Histogram.decode(other.encode(), minimum=0.0, maximum=60_000.0))
    encoded.merge_encoded(other.encode(), minimum=0.0, maximum=60_000.0)

    assert encoded == decoded


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"s":3,"z":0,"b":[[1]]}', '{"s":3,"z":0,"b":7}', '{"s":3,"b":[]}'])
def test_merging_a_text_that_is_no_histogram_says_so_and_changes_nothing(text: str) -> None:
    histogram = Histogram.of([1.0])

    with pytest.raises(ValueError):  # noqa: PT011 # what json says of a text that is none is its own
        histogram.merge_encoded(text)

    assert histogram == Histogram.of([1.0])
