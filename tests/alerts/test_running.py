"""Several evaluators over one store: one works, the others stand by, and nothing is told twice."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from alerts.stored_metrics import minutes
from alerts.story import FOLDER, as_told, read_story

from e2edebug.alerts.alert_store import EvaluationLostError
from e2edebug.alerts.evaluation import evaluate_store
from e2edebug.alerts.housekeeping import tidy
from e2edebug.alerts.routes import read_route
from e2edebug.alerts.running import EvaluationRunner
from e2edebug.alerts.threshold_file import Difference, store_thresholds
from e2edebug.policy.config import Config
from e2edebug_schema.alert_tables import notification
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.queries.alerts import list_alerts
from e2edebug_schema.tables import performance_snapshot


def test_one_of_two_evaluates_and_the_other_takes_over(store_url: str, engine: sa.Engine, config: Config) -> None:
    minutes(engine, datetime.now(UTC), "Checkout", 900.0)
    other_engine = create_store_engine(store_url)
    one, other = (EvaluationRunner(each, config, every_s=1.0) for each in (engine, other_engine))

    first, second = one.run_once(), other.run_once()
    one.release()
    third = other.run_once()

    assert (first.turn is not None, second.turn is not None, third.turn is not None) == (True, False, True)
    assert len(list_alerts(engine)) == 1
    other.release()
    other_engine.dispose()


@pytest.mark.parametrize("name", ["two_steps_down", "gap_and_still_bad", "clock_jumps_back"])
def test_two_evaluators_that_race_over_a_store_find_what_the_story_tells(
    store_url: str, engine: sa.Engine, config: Config, name: str
) -> None:
    """Both read, both judge, the second one's turn is void; each of them is new at every look, as after a restart."""
    story = read_story(FOLDER / f"{name}.yaml")
    store_thresholds(engine, [Difference(one, None) for one in story.thresholds], now=story.starts)
    ops = read_route("ops", {"url": "json://localhost", "group_interval_s": 0, "repeat_s": 0, "quota_per_hour": 1000})
    rival = create_store_engine(store_url)
    arrivals = list(story.arrivals)
    found = []
    lost = 0
    for wall in story.looks():
        now = story.clock(wall)
        due = [one for one in arrivals if one.at <= wall]
        arrivals = arrivals[len(due) :]
        if due:
            with engine.begin() as connection:
                connection.execute(
                    sa.insert(performance_snapshot),
                    [
                        {
                            "event_key": f"{one.row.id:032x}", "timestamp": one.row.timestamp, "interval_s": 60.0,
                            "service": "shop", "service_instance": "one", "layer": one.row.layer,
                            "component": one.row.component, "metric_name": one.row.metric_name,
                            "metric_kind": "histogram", "metric_value": one.row.metric_value, "unit": "ms",
                            "count": one.row.samples, "sum": one.row.sum, "min": one.row.min, "max": one.row.max,
                            "error_count": 0, "buckets": one.row.buckets, "metadata": "{}",
                            "correlation_id": one.row.correlation_id,
                        }
                        for one in due
                    ],
                )  # fmt: skip

        def overtake(at: datetime = now, wall: datetime = wall) -> None:
            turn = evaluate_store(rival, config, now=at, evaluator="rival", routes=ops)
            found.extend(as_told(replace(one, at=wall - (at - one.at))) for one in turn.transitions)

        try:
            evaluate_store(engine, config, now=now, evaluator="late", routes=ops, after_reading=overtake)
        except EvaluationLostError:
            lost += 1
    rival.dispose()

    assert found == story.expected
    assert lost == len(list(story.looks()))
    with engine.connect() as connection:
        told = connection.execute(sa.select(notification.c.subject).order_by(notification.c.id)).scalars().all()
    quiet = ("pending", "cleared", "deescalated", "data_back")
    assert len(told) == len([one for one in story.expected if one.split()[2] not in quiet]), told


def test_what_is_old_goes_and_what_waits_stays(engine: sa.Engine, config: Config, noon: datetime) -> None:
    minutes(engine, noon, "Checkout", 900.0)
    evaluate_store(
        engine, config, now=noon, evaluator="x", routes=read_route("ops", {"urls": ["json://a", "json://b"]})
    )
    with engine.begin() as connection:
        connection.execute(sa.update(notification).where(notification.c.route == "ops#1").values(status="sent"))

    assert tidy(engine, now=noon + timedelta(days=1), keep_days=180) == 0
    assert tidy(engine, now=noon + timedelta(days=200), keep_days=180) == 1
    assert tidy(engine, now=noon + timedelta(days=200), keep_days=0) == 0
