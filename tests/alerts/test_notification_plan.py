"""What is told, when, to whom: the difference between how things are and what each route was told last."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from e2edebug.alerts.notification_plan import Situation, plan_notifications
from e2edebug.alerts.routes import Route, RouteError, read_route, routes_of
from e2edebug.alerts.states import Target
from e2edebug_schema.queries.alerts import MaintenanceWindow

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
MINUTE = timedelta(minutes=1)
CHECKOUT = Target("api", "response_time", "Checkout")
SEARCH = Target("api", "response_time", "Search")
CART = Target("database", "response_time", "cart_line")


def route(**fields: Any) -> Route:
    (only,) = read_route("ops", {"url": "json://localhost", "group_interval_s": 0} | fields)
    return only


def firing(target: Target = CHECKOUT, **facts: Any) -> Situation:
    return Situation(**{"target": target, "alert_id": 1, "state": "firing", "level": "warning"} | facts)


class Office:
    """One route over some time."""

    def __init__(self, one: Route, **facts: Any) -> None:
        self.route = one
        self.facts = facts
        self.told: dict[Target, dict[str, Any]] = {}

    def hears(self, *situations: Situation, at: datetime = NOON, **facts: Any) -> list[str]:
        """Return the kinds of what is told at a moment."""
        plan = plan_notifications(situations, self.told, [self.route], at, **self.facts | facts)
        self.told = plan.told
        return [item.kind for message in plan.messages for item in message.items]


def test_an_alert_and_its_recovery_are_told_once_each() -> None:
    office = Office(route())

    assert office.hears(firing()) == ["firing"]
    assert office.hears(firing(), at=NOON + MINUTE) == []
    assert office.hears(firing(state="ok"), at=NOON + 2 * MINUTE) == ["resolved"]
    assert office.hears(firing(state="ok"), at=NOON + 3 * MINUTE) == []


def test_what_gets_worse_is_told_and_what_gets_better_only_when_it_is_over() -> None:
    office = Office(route())

    assert office.hears(firing()) == ["firing"]
    assert office.hears(firing(level="critical"), at=NOON + MINUTE) == ["escalated"]
    assert office.hears(firing(), at=NOON + 2 * MINUTE) == []
    assert office.hears(firing(level="critical"), at=NOON + 3 * MINUTE) == []


def test_a_pending_alert_is_nobodys_business() -> None:
    assert Office(route()).hears(firing(state="pending")) == []


def test_what_flaps_is_told_once_and_again_when_it_is_steady() -> None:
    office = Office(route(repeat_s=60))

    assert office.hears(firing(state="flapping")) == ["flapping"]
    assert office.hears(firing(state="flapping"), at=NOON + 30 * MINUTE) == []
    assert office.hears(firing(), at=NOON + 31 * MINUTE) == ["steadied"]


def test_data_that_ends_is_told_and_data_that_is_back_is_not() -> None:
    office = Office(route())
    office.hears(firing())

    assert office.hears(firing(state="no_data"), at=NOON + MINUTE) == ["no_data"]
    assert office.hears(firing(), at=NOON + 2 * MINUTE) == []


def test_who_has_not_acknowledged_is_reminded() -> None:
    office = Office(route(repeat_s=3600))
    office.hears(firing())

    assert office.hears(firing(), at=NOON + 59 * MINUTE) == []
    assert office.hears(firing(), at=NOON + 60 * MINUTE) == ["repeat"]
    assert office.hears(firing(acknowledged=True), at=NOON + 200 * MINUTE) == []


def test_an_acknowledged_alert_that_gets_worse_is_told() -> None:
    office = Office(route())
    office.hears(firing())

    assert office.hears(firing(level="critical", acknowledged=True), at=NOON + MINUTE) == ["escalated"]


def test_a_snoozed_alert_is_told_at_its_end_if_it_lasts() -> None:
    office, until = Office(route()), NOON + 60 * MINUTE

    assert office.hears(firing(snoozed_until=until)) == []
    assert office.hears(firing(snoozed_until=until), at=NOON + 59 * MINUTE) == []
    assert office.hears(firing(snoozed_until=until), at=until) == ["firing"]


def test_what_came_and_went_while_it_was_snoozed_is_never_told() -> None:
    office = Office(route())

    assert office.hears(firing(snoozed_until=NOON + 60 * MINUTE)) == []
    assert office.hears(firing(state="ok"), at=NOON + 61 * MINUTE) == []


def test_quiet_hours_wait_until_the_morning_and_critical_passes() -> None:
    night = NOON.replace(hour=23)
    office = Office(route(quiet_hours="22:00-07:00"))

    assert office.hears(firing(), at=night) == []
    assert office.hears(firing(level="critical", alert_id=2), at=night) == ["firing"]
    assert Office(office.route).hears(firing(), at=night + timedelta(hours=8)) == ["firing"]


def test_quiet_hours_are_those_of_their_zone_and_days() -> None:
    weekend = route(quiet_hours="00:00-23:59", quiet_zone="Asia/Tokyo", quiet_days=["sat", "sun"]).quiet_hours
    assert weekend is not None

    friday_afternoon = datetime(2026, 3, 6, 16, tzinfo=UTC)  # Saturday, 01:00 in Tokyo
    assert weekend.hold(friday_afternoon, "warning")
    assert not weekend.hold(friday_afternoon - timedelta(hours=2), "warning")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, ["firing", "firing", "firing"]),
        ({"layers": ["database"]}, ["firing"]),
        ({"components": ["Check*"]}, ["firing"]),
        ({"metrics": ["error_rate"]}, []),
        ({"level": "critical"}, []),
    ],
)
def test_a_route_takes_what_it_is_for(fields: dict[str, Any], told: list[str]) -> None:
    everything = [firing(CHECKOUT, alert_id=1), firing(SEARCH, alert_id=2), firing(CART, alert_id=3)]

    assert Office(route(**fields)).hears(*everything) == told


@pytest.mark.parametrize(("grouping", "messages"), [("all", 1), ("layer", 2), ("component", 3), ("alert", 3)])
def test_what_belongs_together_is_one_message(grouping: str, messages: int) -> None:
    everything = [firing(CHECKOUT, alert_id=1), firing(SEARCH, alert_id=2), firing(CART, alert_id=3)]

    assert len(plan_notifications(everything, {}, [route(group_by=grouping)], NOON).messages) == messages


def test_the_next_message_waits_for_what_belongs_to_it() -> None:
    one = route(group_interval_s=60)

    assert Office(one).hears(firing(), recent={"ops": (1, NOON - timedelta(seconds=30))}) == []
    assert Office(one).hears(firing(), recent={"ops": (1, NOON - timedelta(seconds=60))}) == ["firing"]


def test_the_quota_is_said_to_be_used_up_and_what_is_left_is_told_later() -> None:
    office = Office(route(quota_per_hour=2, group_by="alert"))
    three = [firing(CHECKOUT, alert_id=1), firing(SEARCH, alert_id=2), firing(CART, alert_id=3)]

    plan = plan_notifications(three, {}, [office.route], NOON)
    assert [message.is_last_of_quota for message in plan.messages] == [False, True]

    office.told = plan.told
    assert office.hears(*three, at=NOON + MINUTE, recent={"ops": (2, NOON)}) == []
    assert office.hears(*three, at=NOON + 61 * MINUTE, recent={}) == ["firing"]


def test_maintenance_is_for_its_layer_component_and_time() -> None:
    window = MaintenanceWindow(
        id=1, layer="api", component="Checkout", starts_at=NOON, ends_at=NOON + 10 * MINUTE, reason="", created_by=""
    )
    office = Office(route(), maintenance=[window])

    assert office.hears(firing(CHECKOUT, alert_id=1), firing(SEARCH, alert_id=2)) == ["firing"]
    assert office.hears(firing(CHECKOUT, alert_id=1), at=NOON + 10 * MINUTE) == ["firing"]


def test_a_route_that_wants_no_recoveries_gets_none() -> None:
    office = Office(route(send_resolved=False))
    office.hears(firing())

    assert office.hears(firing(state="ok"), at=NOON + MINUTE) == []


def test_each_address_of_a_route_is_told_for_itself() -> None:
    both = read_route("ops", {"urls": ["json://a", "json://b"]})

    plan = plan_notifications([firing()], {}, both, NOON)

    assert [message.route.name for message in plan.messages] == ["ops#1", "ops#2"]
    assert len({message.event_key for message in plan.messages}) == 2


def test_a_stored_route_that_is_off_is_none() -> None:
    assert routes_of([("ops", False, {"url": "json://a"}), ("made by setup", True, {"urls": None})]).usable == ()


def test_a_wrong_route_does_not_silence_the_others() -> None:
    found = routes_of([("wrong", True, {"url": "json://a", "level": "high"})], ["json://b"])

    assert [one.name for one in found.usable] == ["settings"]
    assert found.problems == ("route 'wrong': level='high' is not one of warning, critical",)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "urls is missing"),
        ({"url": "json://a", "levels": "x"}, "did you mean level?"),
        ({"url": "json://a", "level": "high"}, "level='high' is not one of warning, critical"),
        ({"url": "json://a", "layers": ["apy"]}, "'apy', which is not one of frontend, api"),
        ({"url": "json://a", "quiet_hours": "22-7"}, "is not of the form 22:00-07:00"),
        (
            {"url": "json://a", "quiet_hours": "22:00-07:00", "quiet_zone": "Mars"},
            "quiet_zone='Mars' is not a time zone",
        ),
        ({"url": "json://a", "repeat_s": -1}, "repeat_s=-1 is not a number from 0"),
    ],
)
def test_a_wrong_route_is_named_with_its_field_and_form(data: dict[str, Any], said: str) -> None:
    with pytest.raises(RouteError) as raised:
        read_route("ops", data)

    assert said in str(raised.value)
