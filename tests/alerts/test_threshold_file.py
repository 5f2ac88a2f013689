"""Thresholds as YAML, and what they would have found."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from alerts.stored_metrics import snapshot, store

from e2edebug.alerts.backtest import back_test
from e2edebug.alerts.threshold_file import (
    ThresholdFileError,
    differences,
    read_thresholds,
    store_thresholds,
    write_thresholds,
)
from e2edebug_schema.queries.thresholds import thresholds
from e2edebug_schema.thresholds import DEFAULT_THRESHOLDS

CHECKOUT = """
thresholds:
  - {layer: api, component: Checkout, metric: response_time, warning: 800, critical: 3000, pending: 2m, window: 10m, no_data: 1h}
"""
MINUTE = timedelta(minutes=1)


def test_what_is_exported_is_read_back_as_it_was(engine: sa.Engine, noon: datetime) -> None:
    store_thresholds(engine, differences(engine, read_thresholds(CHECKOUT)), now=noon)
    held = thresholds(engine)

    assert read_thresholds(write_thresholds(held)) == held
    (mine,) = [one for one in held if one.component == "Checkout"]
    assert (mine.pending_s, mine.window_s, mine.no_data_s, mine.min_samples) == (120, 600, 3600, 5)


def test_an_import_says_what_changes_and_twice_changes_nothing(engine: sa.Engine, noon: datetime) -> None:
    first = differences(engine, read_thresholds(CHECKOUT))
    store_thresholds(engine, first, now=noon)
    again = differences(engine, read_thresholds(CHECKOUT))
    changed = differences(engine, read_thresholds(CHECKOUT.replace("warning: 800", "warning: 900")))
    store_thresholds(engine, changed, now=noon)

    assert [one.before for one in first] == [None]
    assert again == []
    assert [one.changed for one in changed] == [{"warning": (800.0, 900.0)}]
    assert len(thresholds(engine)) == len(DEFAULT_THRESHOLDS) + 1


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{layer: apy, metric: x, warning: 1, critical: 2}", "layer='apy' is not one of frontend, api"),
        ("{layer: api, metric: x, warning: 1}", "critical is missing"),
        ("{layer: api, metric: x, warning: 1, critical: 1}", "warning and critical are equal"),
        ("{layer: api, metric: x, warning: 1, critical: 2, windw: 5m}", "did you mean window?"),
        ("{layer: api, metric: x, warning: 1, critical: 2, window: 0}", "window=0 is not a length of time"),
        ("{layer: api, metric: x, warning: high, critical: 2}", "warning='high' is not a number"),
        ("{layer: api, metric: x, warning: .nan, critical: 2}", "warning=nan is not a number"),
        ("{layer: api, metric: x, warning: 1, critical: 2, aggregation: p96}", "aggregation='p96' is not one of p50"),
        ("[1]", "entry 1 is not a mapping"),
    ],
)
def test_each_mistake_is_named_with_the_accepted_form(entry: str, said: str) -> None:
    with pytest.raises(ThresholdFileError) as raised:
        read_thresholds(f"thresholds:\n  - {entry}\n")

    assert said in str(raised.value)


@pytest.mark.parametrize("text", ["thresholds: {", "", "other: []", "!!python/object:os.system {}"])
def test_a_file_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ThresholdFileError):
        read_thresholds(text)


def test_a_back_test_tells_what_would_have_fired(engine: sa.Engine, noon: datetime) -> None:
    for minute in range(120):
        value = 900.0 if 30 <= minute < 50 else 100.0
        store(engine, snapshot(noon + minute * MINUTE, "Checkout", [value] * 20))

    found = back_test(engine, thresholds(engine), since=noon, until=noon + timedelta(hours=2))
    strict = back_test(
        engine,
        read_thresholds(CHECKOUT.replace("pending: 2m", "pending: 1h")),
        since=noon,
        until=noon + timedelta(hours=2),
    )

    (alert,) = found.alerts
    assert (alert.target.component, alert.level, alert.correlation_id) == ("Checkout", "warning", "worst-Checkout")
    assert (alert.started_at, alert.resolved_at) == (noon + 31 * MINUTE, noon + 60 * MINUTE)
    assert found.looks == 120
    assert strict.alerts == []
