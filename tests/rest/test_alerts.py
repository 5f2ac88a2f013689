"""Alerts over the API: listed, acknowledged, snoozed, with their history."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from alerts.stored_metrics import minutes, store_session
from rest.api_project import Site

from e2edebug.alerts.evaluation import evaluate_store
from e2edebug.policy.config import load_config


@pytest.fixture
def firing(site: Site, request: pytest.FixtureRequest) -> dict[str, Any]:
    """An alert of a component of its own."""
    now = datetime.now(UTC)
    component = f"View{abs(hash(request.node.name)) % 10**9}"
    minutes(site.engine, now, component, 900.0)
    evaluate_store(site.engine, load_config({}, environ={}), now=now, evaluator="test", routes=())
    (alert,) = site.client.get(f"alerts/?component={component}").body["results"]
    return dict(alert)


def test_a_list_shows_what_fires_with_its_example(firing: dict[str, Any]) -> None:
    assert (firing["state"], firing["level"], firing["limit_value"]) == ("firing", "warning", 500.0)
    assert firing["correlation_id"] == f"worst-{firing['component']}"


def test_the_alerts_of_the_snapshots_are_those_that_the_evaluator_keeps(site: Site, firing: dict[str, Any]) -> None:
    found = site.client.get("performance-snapshots/alerts/").body["results"]

    (mine,) = [one for one in found if one["component"] == firing["component"]]
    assert (mine["level"], mine["threshold"]) == ("warning", 500.0)
    assert mine["value"] == pytest.approx(900, rel=0.1)


def test_an_alert_is_acknowledged_once_and_its_history_says_by_whom(site: Site, firing: dict[str, Any]) -> None:
    first = site.client.post(f"alerts/{firing['id']}/acknowledge/", {"note": "on it"})
    again = site.client.post(f"alerts/{firing['id']}/acknowledge/")
    history = site.client.get(f"alerts/{firing['id']}/history/").body["results"]

    assert (first.status, first.body["acknowledged_by"]) == (200, "root")
    assert again.body["acknowledged_at"] == first.body["acknowledged_at"]
    assert [(one["kind"], one["actor"], one["note"]) for one in history] == [
        ("acknowledged", "root", "on it"),
        ("fired", "", None),
    ]


def test_an_alert_is_snoozed_until_a_time_and_woken_again(site: Site, firing: dict[str, Any]) -> None:
    snoozed = site.client.post(f"alerts/{firing['id']}/snooze/", {"for_s": 3600}).body
    woken = site.client.post(f"alerts/{firing['id']}/snooze/", {}).body
    wrong = site.client.post(f"alerts/{firing['id']}/snooze/", {"until": "2001-01-01T00:00:00Z"})

    until = datetime.fromisoformat(snoozed["snoozed_until"])
    assert timedelta(minutes=58) < until - datetime.now(UTC) < timedelta(minutes=61)
    assert woken["snoozed_until"] is None
    assert (wrong.status, list(wrong.body)) == (400, ["until"])


def test_an_alert_that_is_over_cannot_be_acknowledged(site: Site, firing: dict[str, Any]) -> None:
    with site.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE debugging_alert SET state = 'resolved' WHERE id = :id"), {"id": firing["id"]}
        )

    assert site.client.post(f"alerts/{firing['id']}/acknowledge/").status == 400


def test_an_alert_that_is_not_there_is_not_found(site: Site) -> None:
    assert site.client.get("alerts/999999999/").status == 404
    assert site.client.post("alerts/999999999/snooze/", {"for_s": 60}).status == 404
    assert site.client.get("alerts/one/").status == 404


def test_a_series_is_marked_with_the_releases_of_its_time(site: Site, request: pytest.FixtureRequest) -> None:
    now, service = datetime.now(UTC), f"service{abs(hash(request.node.name)) % 10**9}"
    store_session(site.engine, f"of-{service}", now - timedelta(minutes=1), service=service, service_release="2.1")
    evaluate_store(site.engine, load_config({}, environ={}), now=now, evaluator="test", routes=())

    found = site.client.get(f"performance-snapshots/series/?layer=api&metric_name=response_time&service={service}").body

    assert [(one["service"], one["release"]) for one in found["releases"]] == [(service, "2.1")]
