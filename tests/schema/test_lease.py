"""A lease: one holder at a time, by the database's clock, whoever races for it."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from e2edebug_schema import lease as lease_module
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.lease import Lease, acquire_lease, hold_lease, holder_name, release_lease, renew_lease
from e2edebug_schema.queries.leases import lease_row
from e2edebug_schema.tables import lease as lease_table


def acquire(engine: sa.Engine, holder: str, *, name: str = "work", duration_s: float = 60) -> Lease | None:
    return acquire_lease(engine, name, holder=holder, duration_s=duration_s)


def run_out(engine: sa.Engine, name: str = "work") -> None:
    """Make the lease one that was not renewed."""
    with engine.begin() as connection:
        past = datetime.now(UTC) - timedelta(days=1)
        connection.execute(lease_table.update().where(lease_table.c.name == name).values(expires_at=past))


def test_the_first_who_asks_gets_it_and_nobody_else(engine: sa.Engine) -> None:
    first, second = acquire(engine, "one"), acquire(engine, "two")

    assert (first and (first.name, first.holder, first.fence), second) == (("work", "one", 1), None)


def test_leases_of_different_names_have_nothing_to_do_with_each_other(engine: sa.Engine) -> None:
    assert acquire(engine, "one", name="a")
    assert acquire(engine, "two", name="b")


def test_a_lease_that_was_given_back_is_the_next_ones_at_once(engine: sa.Engine) -> None:
    first = acquire(engine, "one")
    assert first is not None

    released = release_lease(engine, first)
    second = acquire(engine, "two")

    assert (released, second and second.fence) == (True, 2)


def test_a_lease_that_was_not_renewed_can_be_taken_over(engine: sa.Engine) -> None:
    acquire(engine, "one")
    run_out(engine)

    second = acquire(engine, "two")

    assert second is not None
    assert second.fence == 2


def test_a_former_holder_can_neither_renew_nor_release(engine: sa.Engine) -> None:
    first = acquire(engine, "one")
    assert first is not None
    run_out(engine)
    acquire(engine, "two")

    outcome = (renew_lease(engine, first), release_lease(engine, first))

    found = lease_row(engine, "work")
    assert (outcome, found and found.holder) == ((None, False), "two")


def test_who_was_away_and_was_not_replaced_goes_on(engine: sa.Engine) -> None:
    first = acquire(engine, "one")
    assert first is not None
    run_out(engine)

    renewed = renew_lease(engine, first)

    assert renewed is not None
    assert renewed.fence == first.fence
    assert acquire(engine, "two") is None


def test_renewing_lasts_the_whole_duration_from_then_on(engine: sa.Engine) -> None:
    first = acquire(engine, "one", duration_s=60)
    assert first is not None
    before = lease_row(engine, "work")

    renew_lease(engine, replace(first, duration_s=600))

    after = lease_row(engine, "work")
    assert before
    assert after
    assert after.expires_at - before.expires_at > timedelta(seconds=500)
    assert (after.acquired_at, after.expires_at - after.renewed_at) == (before.acquired_at, timedelta(seconds=600))


def test_asking_again_after_a_lost_answer_gives_the_same_lease(engine: sa.Engine) -> None:
    first, again = acquire(engine, "one"), acquire(engine, "one")

    assert first
    assert again
    assert again.fence == first.fence == 1


def test_the_times_are_the_databases_and_in_the_stored_form(engine: sa.Engine) -> None:
    acquire(engine, "one", duration_s=90)

    found = lease_row(engine, "work")

    assert found is not None
    assert found.expires_at - found.renewed_at == timedelta(seconds=90)
    assert abs(datetime.now(UTC) - found.renewed_at) < timedelta(hours=1)
    with engine.connect() as connection:
        stored = connection.execute(sa.text("SELECT CAST(expires_at AS CHAR) FROM debugging_lease")).scalar_one()
    assert len(stored) == len("2026-11-25 12:00:00.000000")


def test_the_holder_tells_by_its_own_clock_when_it_is_no_longer_safe() -> None:
    lease = Lease("work", "one", 1, duration_s=60, asked_at_s=1000)

    assert [(lease.is_valid(lambda now=now: now), lease.is_due(lambda now=now: now)) for now in (1010, 1021, 1060)] == [
        (True, False), (True, True), (False, True),
    ]  # fmt: skip


def test_long_work_keeps_its_lease_and_hears_when_it_is_lost(engine: sa.Engine) -> None:
    with hold_lease(engine, "work", duration_s=0.003) as held:
        assert held is not None
        kept = held.keep()
        run_out(engine)
        thief = acquire(engine, "two")
        while held.keep():  # asks again as soon as a third of the three milliseconds is over
            pass

    found = lease_row(engine, "work")
    assert (kept, thief is not None, held.fence, found and found.holder) == (True, True, None, "two")


def test_a_block_without_the_lease_is_told_so_and_the_lease_is_back_afterwards(engine: sa.Engine) -> None:
    other = create_store_engine(engine.url)
    with hold_lease(engine, "work") as first, hold_lease(other, "work") as second:
        held = (first is not None, second)
    other.dispose()

    found = lease_row(engine, "work")
    assert (held, found and found.holder) == ((True, None), "")


def test_the_lease_is_given_back_when_the_work_fails(engine: sa.Engine) -> None:
    with pytest.raises(ZeroDivisionError), hold_lease(engine, "work"):
        raise ZeroDivisionError

    assert acquire(engine, "two") is not None


def test_no_two_holders_have_the_same_name() -> None:
    names = {holder_name() for _ in range(100)}

    assert len(names) == 100
    assert max(map(len, names)) <= 150


def test_the_loser_of_a_certification_conflict_goes_without(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a Galera node answers at COMMIT to the second of two nodes that took the row."""

    def conflict(*_args: Any) -> bool:
        original = Exception(1213, "Deadlock found when trying to get lock; try restarting transaction")
        raise sa.exc.OperationalError("COMMIT", {}, original)

    lease = acquire(engine, "one")
    assert lease is not None
    monkeypatch.setattr(lease_module, "_changes", conflict)

    assert acquire(engine, "two") is None
    assert renew_lease(engine, lease) is lease
    assert release_lease(engine, lease) is False


_RACE = """
import sys, time
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.lease import acquire_lease, holder_name, release_lease
engine = create_store_engine(sys.argv[1])
me = holder_name()
sys.stdin.readline()
held = []
deadline = time.monotonic() + 60
while len(held) < 5 and time.monotonic() < deadline:
    lease = acquire_lease(engine, "work", holder=me)
    if lease is None:
        time.sleep(0.001)
        continue
    with engine.begin() as connection:  # a counter that only a single holder can read and write back unharmed
        value = int(connection.exec_driver_sql("SELECT config_data FROM debugging_configuration").scalar_one())
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE debugging_configuration SET config_data = '%d'" % (value + 1))
    held.append(lease.fence)
    release_lease(engine, lease)
print(*held)
"""


def test_processes_that_race_for_it_hold_it_one_after_the_other(store_url: str, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO debugging_configuration (name, config_type, config_data, created_at, updated_at) "
            "VALUES ('counter', 'test', '0', '2026-11-25 00:00:00', '2026-11-25 00:00:00')"
        )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _RACE, store_url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip

    outcomes = [process.communicate("go\n", timeout=90) for process in processes]

    fences = [int(fence) for out, _ in outcomes for fence in out.split()]
    with engine.connect() as connection:
        counted = connection.exec_driver_sql("SELECT config_data FROM debugging_configuration").scalar_one()
    assert [error for _, error in outcomes if error] == []
    assert sorted(fences) == list(range(1, 21))
    assert int(counted) == 20
