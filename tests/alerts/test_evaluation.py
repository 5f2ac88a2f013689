"""The evaluator over real stores: what is kept, what is told, who wins, and how many queries it takes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from alerts.stored_metrics import gauge, minutes, query, snapshot, step, store, store_error, store_session, store_steps

from e2edebug.alerts.alert_store import EvaluationLostError
from e2edebug.alerts.evaluation import Turn, evaluate_store
from e2edebug.alerts.routes import Route, read_route
from e2edebug.policy.config import Config
from e2edebug_schema.alert_tables import alert_event, alert_target, maintenance_window, notification, release
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.queries.alerts import StoredAlert, events_of, list_alerts
from e2edebug_schema.tables import alert, performance_threshold

MINUTE = timedelta(minutes=1)
OPS = read_route("ops", {"url": "json://localhost"})


def turn(engine: sa.Engine, config: Config, now: datetime, routes: list[Route] = OPS, **facts: Any) -> Turn:
    return evaluate_store(engine, config, now=now, evaluator="test", routes=routes, **facts)


def messages(engine: sa.Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(notification).order_by(notification.c.id)))


@contextmanager
def counted_statements(engine: sa.Engine) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    yield statements
    sa.event.remove(engine, "before_cursor_execute", note)


def test_an_alert_is_kept_with_its_evidence(engine: sa.Engine, config: Config, noon: datetime) -> None:
    minutes(engine, noon, "Checkout", 900.0)

    found = turn(engine, config, noon)

    (kept,) = list_alerts(engine)
    assert (kept.state, kept.level, kept.component, kept.limit_value) == ("firing", "warning", "Checkout", 500.0)
    assert kept.value == pytest.approx(900, rel=0.1)
    assert (kept.started_at, kept.correlation_id) == (noon, "worst-Checkout")
    (event,) = events_of(engine, kept.id)
    assert (event.kind, event.from_state, event.to_state, event.samples, event.window_s) == (
        "fired",
        "ok",
        "firing",
        100,
        300,
    )
    assert event.correlation_id == "worst-Checkout"
    assert [one.kind for one in found.transitions] == ["fired"]


def test_an_alert_resolves_once_it_was_well_for_a_window(engine: sa.Engine, config: Config, noon: datetime) -> None:
    minutes(engine, noon, "Checkout", 900.0)
    turn(engine, config, noon)
    later = noon
    for _ in range(12):
        store(engine, snapshot(later, "Checkout", [100.0] * 20))
        later += MINUTE
        turn(engine, config, later)

    (kept,) = list_alerts(engine)
    assert (kept.state, kept.correlation_id) == ("resolved", "worst-Checkout")
    assert kept.resolved_at is not None
    assert kept.resolved_at - noon == timedelta(minutes=10)
    assert [event.kind for event in events_of(engine, kept.id)] == ["fired", "resolved"]
    assert [row.kind for row in messages(engine)] == ["firing", "resolved"]


def test_the_message_says_what_where_since_how_far_and_what_to_do(
    engine: sa.Engine, config: Config, noon: datetime
) -> None:
    minutes(engine, noon - timedelta(days=1), "Checkout", 150.0)
    minutes(engine, noon, "Checkout", 900.0)
    at = noon - MINUTE
    store_steps(
        engine,
        step("worst-Checkout", at, 900.0),
        *(query("worst-Checkout", at, 15.0, "SELECT * FROM shop_review WHERE product_id = ?") for _ in range(40)),
    )

    turn(engine, config, noon)

    (message,) = messages(engine)
    assert message.subject.startswith("[warning] response time of Checkout 9")
    for said in (
        "The 95th percentile of the last 5 minutes is 9",
        "(100 values); the warning limit is 500 ms, so it is",
        "% over it. Since 12:00 UTC",
        "Yesterday at this time: 1",
        "times as much now",
        "What to do: One request runs `SELECT * FROM shop_review WHERE product_id = ?` 40 times at shop/views.py:31",
        "Example: e2edebug show worst-Checkout",
        "--acknowledge",
    ):
        assert said in message.message
    assert json.loads(message.payload)["alerts"][0]["yesterday"] == pytest.approx(150, rel=0.1)


def test_an_error_rate_shows_a_request_that_failed(engine: sa.Engine, config: Config, noon: datetime) -> None:
    minutes(engine, noon, "Checkout", 100.0, errors=5)
    store_error(engine, noon - MINUTE)

    turn(engine, config, noon)

    (kept,) = list_alerts(engine)
    assert (kept.metric_name, kept.level, kept.value, kept.correlation_id) == (
        "error_rate",
        "critical",
        25.0,
        "failing",
    )
    assert kept.recommendation is not None
    assert kept.recommendation.startswith("ValueError happened once in Checkout (api)")


def test_a_hit_rate_counts_its_look_ups(engine: sa.Engine, config: Config, noon: datetime) -> None:
    """One busy minute at 50 % outweighs four idle ones at 100 %."""
    busy = gauge(noon - MINUTE, "default", 50.0, layer="cache", metric_name="hit_rate", metadata='{"lookups": 1000}')
    idle = [
        gauge(noon - ago * MINUTE, "default", 100.0, layer="cache", metric_name="hit_rate", metadata='{"lookups": 1}')
        for ago in (2, 3, 4, 5)
    ]
    store(engine, busy, *idle)

    turn(engine, config, noon)

    (kept,) = list_alerts(engine)
    assert (kept.level, kept.component) == ("critical", "default")
    assert kept.value == pytest.approx(50.2, abs=0.1)


def test_the_second_of_two_evaluators_changes_nothing(
    store_url: str, engine: sa.Engine, config: Config, noon: datetime
) -> None:
    """Both have read the same; the first commits while the second is about to."""
    turn(engine, config, noon - 10 * MINUTE)
    minutes(engine, noon, "Checkout", 900.0)
    other = create_store_engine(store_url)

    with pytest.raises(EvaluationLostError):
        turn(engine, config, noon, after_reading=lambda: turn(other, config, noon) and None)

    other.dispose()
    assert len(list_alerts(engine)) == 1
    assert len(messages(engine)) == 1


def test_the_second_of_two_first_evaluators_changes_nothing(
    store_url: str, engine: sa.Engine, config: Config, noon: datetime
) -> None:
    minutes(engine, noon, "Checkout", 900.0)
    other = create_store_engine(store_url)

    with pytest.raises(EvaluationLostError):
        turn(engine, config, noon, after_reading=lambda: turn(other, config, noon) and None)

    other.dispose()
    assert len(list_alerts(engine)) == 1


def test_what_was_missed_is_found_and_told_in_one_message(engine: sa.Engine, config: Config, noon: datetime) -> None:
    turn(engine, config, noon)
    for minute in range(1, 60):
        value = 900.0 if 10 <= minute < 20 else 100.0
        store(engine, *(snapshot(noon + minute * MINUTE, name, [value] * 20) for name in ("Checkout", "Search")))

    found = turn(engine, config, noon + 61 * MINUTE)

    assert found.caught_up_from == noon
    assert [(one.state, one.started_at.minute) for one in list_alerts(engine)] == [("resolved", 11), ("resolved", 11)]
    (message,) = messages(engine)
    assert message.subject == "[missed] 2 alerts while nobody evaluated"
    assert "response time of Checkout (api), warning: 12:11 UTC to" in message.message


def test_what_began_while_nobody_evaluated_and_goes_on_is_told_as_an_alert(
    engine: sa.Engine, config: Config, noon: datetime
) -> None:
    turn(engine, config, noon)
    for minute in range(1, 60):
        store(engine, snapshot(noon + minute * MINUTE, "Checkout", [900.0 if minute > 30 else 100.0] * 20))

    turn(engine, config, noon + 61 * MINUTE)

    (message,) = messages(engine)
    assert message.kind == "firing"
    assert "Since 12:" in message.message


def test_a_maintenance_window_is_silent_and_what_lasts_is_told_at_its_end(
    engine: sa.Engine, config: Config, noon: datetime
) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.insert(maintenance_window).values(
                layer="api", starts_at=noon - MINUTE, ends_at=noon + 3 * MINUTE, created_at=noon, reason="move"
            )
        )
    minutes(engine, noon, "Checkout", 900.0)
    told = []
    for ahead in range(5):
        now = noon + ahead * MINUTE
        store(engine, snapshot(now - timedelta(seconds=30), "Checkout", [900.0] * 20))
        turn(engine, config, now)
        told.append(len(messages(engine)))

    assert told == [0, 0, 0, 1, 1]
    assert list_alerts(engine)[0].started_at == noon


def test_a_threshold_that_is_removed_withdraws_its_alerts(engine: sa.Engine, config: Config, noon: datetime) -> None:
    minutes(engine, noon, "Checkout", 900.0)
    turn(engine, config, noon)
    with engine.begin() as connection:
        connection.execute(
            sa.insert(performance_threshold).values(
                layer="api", metric_name="response_time", warning_threshold=500, critical_threshold=2000, enabled=False,
                created_at=noon, updated_at=noon,
            )
        )  # fmt: skip

    found = turn(engine, config, noon + MINUTE)

    assert [one.kind for one in found.transitions] == ["withdrawn"]
    assert [one.state for one in list_alerts(engine)] == ["resolved"]


def test_releases_are_noted_when_they_are_first_seen(engine: sa.Engine, config: Config, noon: datetime) -> None:
    store_session(engine, "one", noon - 5 * MINUTE, service_release="1.0")
    store_session(engine, "two", noon - 2 * MINUTE, service_release="1.0")
    turn(engine, config, noon)
    store_session(engine, "three", noon + MINUTE / 2, service_release="1.1")
    turn(engine, config, noon + MINUTE)

    with engine.connect() as connection:
        seen = connection.execute(
            sa.select(release.c.service_release, release.c.first_seen).order_by(release.c.id)
        ).all()
    assert [tuple(row) for row in seen] == [("1.0", noon - 5 * MINUTE), ("1.1", noon + MINUTE / 2)]


def test_what_is_well_leaves_nothing_behind(engine: sa.Engine, config: Config, noon: datetime) -> None:
    minutes(engine, noon, "Checkout", 100.0)

    turn(engine, config, noon)

    with engine.connect() as connection:
        for table in (alert, alert_event, alert_target, notification):
            assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() == 0


@pytest.mark.parametrize("bad", [2, 30])
def test_the_number_of_queries_does_not_depend_on_what_is_found(
    engine: sa.Engine, config: Config, noon: datetime, bad: int
) -> None:
    turn(engine, config, noon - MINUTE)
    for number in range(40):
        minutes(engine, noon, f"View{number}", 900.0 if number < bad else 50.0)

    with counted_statements(engine) as statements:
        turn(engine, config, noon)

    reads = [one for one in statements if "SELECT" in one and not one.startswith("INSERT")]
    assert len(reads) <= 22, reads
    assert not [one for one in reads if "debugging_trace_step" in one and "correlation_id IN" not in one]
    assert isinstance(list_alerts(engine)[0], StoredAlert)
