"""Messages go out once, whoever delivers and whatever ends in between."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alerts.stored_metrics import minutes
from support.mailbox import Mailbox, open_mailbox

from e2edebug.alerts.channels.channel import DeliveryError, OutgoingMessage, PermanentDeliveryError
from e2edebug.alerts.delivery import DeliveryReport, deliver_waiting
from e2edebug.alerts.evaluation import evaluate_store
from e2edebug.alerts.routes import Route, read_route
from e2edebug.policy.config import Config
from e2edebug_schema.alert_tables import notification

OPS = read_route("ops", {"url": "json://localhost"})
MINUTE = timedelta(minutes=1)


class Pigeon:
    """A channel that keeps what it was given, or fails as it was told."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.taken: list[OutgoingMessage] = []

    def __call__(self, _route: Route) -> "Pigeon":
        return self

    def send(self, message: OutgoingMessage) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.taken.append(message)


@pytest.fixture
def waiting(engine: sa.Engine, config: Config, noon: datetime) -> sa.Engine:
    """A store with one message that waits."""
    minutes(engine, noon, "Checkout", 900.0)
    evaluate_store(engine, config, now=noon, evaluator="test", routes=OPS)
    return engine


def deliver(engine: sa.Engine, pigeon: Pigeon, now: datetime, routes: list[Route] = OPS) -> DeliveryReport:
    return deliver_waiting(engine, routes, pigeon, now=now, deliverer="test", jitter=lambda: 1.0)


def stored(engine: sa.Engine) -> Any:
    with engine.connect() as connection:
        return connection.execute(sa.select(notification)).one()


def test_a_message_is_sent_once(waiting: sa.Engine, noon: datetime) -> None:
    pigeon = Pigeon()

    first, second = deliver(waiting, pigeon, noon), deliver(waiting, pigeon, noon + MINUTE)

    assert (first.sent, second.sent, len(pigeon.taken)) == (1, 0, 1)
    assert (stored(waiting).status, stored(waiting).attempts) == ("sent", 1)


def test_a_message_that_was_not_taken_is_tried_again_with_growing_pauses(waiting: sa.Engine, noon: datetime) -> None:
    pigeon = Pigeon(DeliveryError("busy"), DeliveryError("busy"))

    assert deliver(waiting, pigeon, noon).postponed == 1
    assert (stored(waiting).status, stored(waiting).last_error) == ("waiting", "busy")
    assert deliver(waiting, pigeon, noon + timedelta(seconds=14)).postponed == 0
    assert deliver(waiting, pigeon, noon + timedelta(seconds=15)).postponed == 1
    assert deliver(waiting, pigeon, noon + timedelta(seconds=44)).sent == 0
    assert deliver(waiting, pigeon, noon + timedelta(seconds=45)).sent == 1


def test_a_message_that_is_refused_is_not_tried_again(waiting: sa.Engine, noon: datetime) -> None:
    pigeon = Pigeon(PermanentDeliveryError("no such channel: token=hunter2"))

    assert deliver(waiting, pigeon, noon).failed == 1
    assert deliver(waiting, pigeon, noon + timedelta(days=1)).sent == 0
    assert stored(waiting).status == "failed"
    assert "hunter2" not in stored(waiting).last_error


def test_a_message_is_given_up_after_a_day(waiting: sa.Engine, noon: datetime) -> None:
    assert deliver(waiting, Pigeon(DeliveryError("down")), noon + timedelta(hours=25)).failed == 1


def test_a_message_of_a_route_that_is_gone_fails(waiting: sa.Engine, noon: datetime) -> None:
    assert deliver(waiting, Pigeon(), noon, routes=[]).failed == 1


def test_what_another_process_delivers_is_left_alone(waiting: sa.Engine, noon: datetime) -> None:
    with waiting.begin() as connection:
        connection.execute(
            sa.update(notification).values(status="sending", claimed_by="other", claimed_until=noon + MINUTE)
        )

    assert deliver(waiting, Pigeon(), noon).sent == 0


def test_a_claim_that_ran_out_is_sent_once_more_and_marked(waiting: sa.Engine, noon: datetime) -> None:
    with waiting.begin() as connection:
        connection.execute(sa.update(notification).values(status="sending", claimed_by="dead", claimed_until=noon))
    pigeon = Pigeon()

    assert deliver(waiting, pigeon, noon + MINUTE).sent == 1
    assert pigeon.taken[0].is_possible_repeat
    assert pigeon.taken[0].text.startswith("(You may have got this message before")


def test_a_second_claim_that_ran_out_is_not_sent_again(waiting: sa.Engine, noon: datetime) -> None:
    with waiting.begin() as connection:
        connection.execute(
            sa.update(notification).values(status="sending", claimed_until=noon, is_possible_repeat=True)
        )

    assert deliver(waiting, Pigeon(), noon + MINUTE).sent == 0
    assert stored(waiting).status == "unconfirmed"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with open_mailbox() as opened:
        yield opened


EVALUATE = """
import os, signal, sys
from e2edebug.alerts import delivery
if sys.argv[1] == "before sending":
    def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
    import e2edebug.alerts.running
    e2edebug.alerts.running.deliver_waiting = die
from e2edebug.cli.command_line import main
sys.exit(main(["evaluate", "--once"]))
"""


def evaluator(store_url: str, mailbox: Mailbox, mode: str, tmp_path: Path) -> "subprocess.Popen[bytes]":
    environ = os.environ | {
        "E2EDEBUG_DATABASE_URL": store_url,
        "E2EDEBUG_NOTIFY_URLS": mailbox.url,
        "E2EDEBUG_NOTIFY_ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    return subprocess.Popen([sys.executable, "-c", EVALUATE, mode], env=environ, cwd=tmp_path)


def test_killed_between_storing_and_sending_the_message_goes_out_once_after_the_restart(
    store_url: str, engine: sa.Engine, mailbox: Mailbox, tmp_path: Path
) -> None:
    minutes(engine, datetime.now().astimezone(), "Checkout", 900.0)
    killed = evaluator(store_url, mailbox, "before sending", tmp_path)
    assert killed.wait(60) == -signal.SIGKILL
    assert mailbox.bodies == []

    for _ in range(2):
        assert evaluator(store_url, mailbox, "to the end", tmp_path).wait(60) == 0

    assert len(mailbox.bodies) == 1
    assert b'"possible_repeat": false' in mailbox.bodies[0]


def test_killed_between_sending_and_noting_it_goes_out_once_more_at_most_and_says_so(
    store_url: str, engine: sa.Engine, mailbox: Mailbox, tmp_path: Path
) -> None:
    minutes(engine, datetime.now().astimezone(), "Checkout", 900.0)
    mailbox.holds = threading.Event()
    killed = evaluator(store_url, mailbox, "to the end", tmp_path)
    assert mailbox.arrived.wait(60)
    killed.kill()
    killed.wait(30)
    mailbox.holds.set()
    mailbox.holds = None
    with engine.begin() as connection:  # two minutes pass
        connection.execute(sa.update(notification).values(claimed_until=datetime.now().astimezone() - MINUTE))

    for _ in range(2):
        assert evaluator(store_url, mailbox, "to the end", tmp_path).wait(60) == 0

    assert len(mailbox.bodies) == 2
    assert b'"possible_repeat": true' in mailbox.bodies[1]
    assert stored(engine).is_possible_repeat
