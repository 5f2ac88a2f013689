"""What a batch leaves in the store, once and delivered again, on each dialect."""

import json
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from e2edebug_exporters.batch_writer import BatchWriter, StoreUnavailable
from e2edebug_exporters.error_classes import ErrorClass
from e2edebug_exporters.ledger import WriteResult
from e2edebug_exporters.repeated_statements import RepeatCounts, TraceStatements
from e2edebug_exporters.rows import RowBatch, SessionFacts, StepRow
from e2edebug_exporters.store_connection import StoreConnection
from e2edebug_exporters.workflow_timeouts import WorkflowTimeouts
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.tables import error_group, trace_step

from .rows_by_hand import ROOT, changed, count, error, execute, root, session, snapshot, started, step


def write(engine: sa.Engine, batch: RowBatch, writer: BatchWriter | None = None) -> WriteResult:
    return (writer or BatchWriter(engine)).write(batch, deadline=time.monotonic() + 30)


def full_batch() -> RowBatch:
    return RowBatch(steps=[root(), *map(step, range(1, 30))], errors=[error()], snapshots=[snapshot()])


def test_a_step_is_stored_with_every_column_as_it_was_given(engine: sa.Engine) -> None:
    row = step(component="Ünïcode'\\\"%s 🛒", statement="SELECT '?' -- %d", metadata='{"k": "\\u0000 \' \\\\ 😀"}')

    write(engine, RowBatch(steps=[row]))

    with engine.connect() as connection:
        found = dict(connection.execute(sa.select(trace_step)).one()._mapping)
    expected: dict[str, Any] = dict(row.columns)
    del found["id"]
    for column in ("start_time", "end_time"):
        expected[column] = datetime.fromisoformat(expected[column]).replace(tzinfo=UTC)
    assert found == expected


def test_a_session_sums_up_its_steps_and_errors(engine: sa.Engine) -> None:
    slow = step(31, duration_ms=80.0, end_time="2026-09-21 14:13:20.111000", component="shop_order", operation="UPDATE")

    write(engine, RowBatch(steps=[root(), *map(step, range(1, 30)), slow], errors=[error()]))

    assert session(engine) == {
        "correlation_id": "c-1",
        "workflow_type": "api_call",
        "user_id": None,
        "user_label": None,
        "session_key": None,
        "trace_id": f"{1:032x}",
        "parent_correlation_id": None,
        "root_operation": "GET /cart",
        "service": "shop",
        "service_release": None,
        "start_time": datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC),
        "end_time": datetime(2026, 9, 21, 14, 13, 20, 111_000, tzinfo=UTC),
        "duration_ms": pytest.approx(111.0),
        "status": "completed",
        "status_rank": 2,
        "step_count": 31,
        "query_count": 30,
        "error_count": 1,
        "repeat_count": 30,
        "repeat_digest": "d" * 32,
        "repeat_statement": "SELECT * FROM shop_product WHERE id = ?",
        "slowest_step": "shop_order UPDATE",
        "slowest_ms": 80.0,
        "metadata": None,
    }


@pytest.mark.fault(35)
def test_a_batch_delivered_twice_is_stored_and_summed_up_once(engine: sa.Engine) -> None:
    first = write(engine, full_batch())
    once = session(engine)

    second = write(engine, full_batch())

    assert (first.stored, first.already_there) == (32, 0)
    assert (second.stored, second.already_there) == (0, 32)
    assert session(engine) == once
    with engine.connect() as connection:
        assert connection.execute(sa.select(error_group.c.occurrences)).scalars().all() == [1]


@pytest.mark.fault(35)
def test_of_a_batch_with_old_and_new_rows_only_the_new_ones_count(engine: sa.Engine) -> None:
    write(engine, RowBatch(steps=[step(1), step(2)], errors=[error(1)], snapshots=[snapshot(1)]))

    result = write(
        engine,
        RowBatch(steps=[step(2), step(3)], errors=[error(1), error(2)], snapshots=[snapshot(1), snapshot(2)]),
    )

    assert (result.stored, result.already_there) == (3, 3)
    assert session(engine)["step_count"] == 3
    assert session(engine)["error_count"] == 2
    assert count(engine, "debugging_error_group", "occurrences = 2") == 1


def test_a_session_grows_the_same_in_whatever_order_its_batches_arrive(engine: sa.Engine) -> None:
    parts = [
        RowBatch(steps=[root(5, status="failed")]),
        RowBatch(steps=[step(1), step(2)]),
        RowBatch(steps=[root(0, operation="first"), step(9, duration_ms=70.0)], errors=[error()]),
    ]
    for part in parts:
        write(engine, part, BatchWriter(engine))
    forwards = session(engine)
    tables = ("debugging_workflow_session", "debugging_trace_step", "debugging_error_log")
    execute(engine, *(f"DELETE FROM {table}" for table in tables))

    for part in reversed(parts):
        write(engine, part, BatchWriter(engine))

    backwards = session(engine)
    for order_dependent in ("repeat_count", "repeat_digest", "repeat_statement"):  # counted by each process for itself
        del forwards[order_dependent], backwards[order_dependent]
    assert backwards == forwards
    assert forwards["status"] == "failed"
    assert forwards["step_count"] == 5


def test_repetitions_of_a_statement_add_up_over_the_batches_of_one_writer(engine: sa.Engine) -> None:
    writer = BatchWriter(engine)

    write(engine, RowBatch(steps=[step(number) for number in range(1, 11)]), writer)
    write(engine, RowBatch(steps=[step(number) for number in range(11, 38)]), writer)

    assert session(engine)["repeat_count"] == 37


def test_an_announced_step_is_completed_and_counted_once(engine: sa.Engine) -> None:
    writer = BatchWriter(engine)
    row = root(1)

    announced = write(engine, RowBatch(steps=[started(row)]), writer)
    before = session(engine)
    finished = write(engine, RowBatch(steps=[row, step(2)]), writer)
    late = write(engine, RowBatch(steps=[started(row)]), BatchWriter(engine))

    assert (before["status"], before["end_time"], before["step_count"]) == ("in_progress", None, 1)
    assert (announced.stored, finished.stored, late.already_there) == (1, 2, 1)
    assert count(engine, "debugging_trace_step", "status = 'completed' AND end_time IS NOT NULL") == 2
    assert (session(engine)["status"], session(engine)["step_count"]) == ("completed", 2)


def test_a_step_announced_by_another_process_is_completed_too(engine: sa.Engine) -> None:
    write(engine, RowBatch(steps=[started(root(1))]))

    result = write(engine, RowBatch(steps=[root(1), step(2)]), BatchWriter(engine))

    assert (result.stored, result.already_there) == (2, 0)
    assert count(engine, "debugging_trace_step", "end_time IS NULL") == 0
    assert session(engine)["step_count"] == 2


def test_start_and_end_of_a_step_in_one_batch_are_one_row(engine: sa.Engine) -> None:
    result = write(engine, RowBatch(steps=[root(1), started(root(1))]))

    assert (result.stored, count(engine, "debugging_trace_step", "status = 'completed'")) == (2, 1)
    assert session(engine)["step_count"] == 1


@pytest.mark.fault(35)
def test_start_and_end_in_one_batch_share_their_fate_when_it_is_delivered_again(engine: sa.Engine) -> None:
    batch = RowBatch(steps=[step(1), started(step(1))])
    writer = BatchWriter(engine)

    first, again = write(engine, batch, writer), write(engine, batch, BatchWriter(engine))

    assert (first.stored, first.already_there) == (2, 0)
    assert (again.stored, again.already_there) == (0, 2)


def test_start_and_end_in_one_batch_both_remain_without_tables(empty_store_url: str) -> None:
    engine = create_store_engine(empty_store_url)

    with pytest.raises(StoreUnavailable) as raised:
        write(engine, RowBatch(steps=[step(1), started(step(1)), step(2)]))

    assert (raised.value.result.settled, len(raised.value.remaining)) == (0, 3)
    engine.dispose()


def test_a_statement_is_repeated_as_often_as_it_ended(engine: sa.Engine) -> None:
    writer = BatchWriter(engine)

    write(engine, RowBatch(steps=[started(step(1))]), writer)
    write(engine, RowBatch(steps=[step(1)]), writer)

    assert (session(engine)["query_count"], session(engine)["repeat_count"]) == (1, 1)


def test_a_statement_that_begins_late_in_a_long_trace_is_still_found_to_repeat() -> None:
    counts = RepeatCounts(max_digests=3)
    counts.add({"t": TraceStatements({"often": 9, "rare": 1, "twice": 2}, {})})

    counts.add({"t": TraceStatements({"late": 4}, {})})
    counts.add({"t": TraceStatements({"late": 4}, {})})

    assert counts.of_trace("t") == {"often": 9, "twice": 2, "late": 8}


def test_the_earliest_root_of_a_batch_names_the_session(engine: sa.Engine) -> None:
    later, earlier = root(9, operation="POST /second", service="b"), root(1, trace=2, correlation_id="c-1", service="a")
    later = later._replace(session_facts=replace(ROOT, root_operation="POST /second"))

    write(engine, RowBatch(steps=[later, earlier]))

    assert (session(engine)["root_operation"], session(engine)["service"]) == ("GET /cart", "a")


def test_what_steps_say_of_their_session_is_merged_in_the_order_of_time(engine: sa.Engine) -> None:
    def telling(number: int, metadata: str) -> StepRow:
        return step(number, facts=SessionFacts(is_root=False, status=None, is_explicit=False, metadata=metadata))

    batch = RowBatch(steps=[telling(9, '{"cart":2}'), telling(5, '{"cart":1,"plan":"ä"}')])
    batch.steps[0] = batch.steps[0]._replace(span_id=f"{1:016x}")  # sorted before the earlier one

    write(engine, batch)
    write(engine, RowBatch(steps=[telling(2, '{"late":true}')]))

    assert json.loads(session(engine)["metadata"]) == {"cart": 2, "plan": "ä"}


def test_a_timed_out_session_that_goes_on_is_in_progress_again(engine: sa.Engine) -> None:
    write(engine, RowBatch(steps=[step(5), step(5, trace=2)]))
    execute(engine, "UPDATE debugging_workflow_session SET status = 'timeout', status_rank = 1")

    write(engine, RowBatch(steps=[step(9), step(1, trace=2)]))

    found = [(session(engine, name)["status"], session(engine, name)["status_rank"]) for name in ("c-1", "c-2")]
    assert found == [("in_progress", 0), ("timeout", 1)]


def test_an_exception_recorded_on_three_spans_is_one_error(engine: sa.Engine) -> None:
    copies = [error(1, timestamp=f"2026-09-21 14:13:20.00000{number}") for number in (3, 1, 2)]

    result = write(engine, RowBatch(errors=copies[:2]))
    later = write(engine, RowBatch(errors=copies[2:]))

    assert (result.stored, result.already_there, later.already_there) == (1, 1, 1)
    assert count(engine, "debugging_error_log", "timestamp LIKE '%.000001'") == 1
    assert count(engine, "debugging_error_group", "occurrences = 1") == 1


def test_an_explicit_status_wins_over_a_later_root_and_a_timeout_may_be_left(engine: sa.Engine) -> None:
    explicit = root(1)._replace(session_facts=replace(root(1).session_facts, status="failed", is_explicit=True))  # type: ignore[type-var]
    write(engine, RowBatch(steps=[step(7, trace=2)]))
    execute(engine, "UPDATE debugging_workflow_session SET status = 'timeout', status_rank = 1")

    write(engine, RowBatch(steps=[explicit, root(1, trace=2)]))
    write(engine, RowBatch(steps=[root(2)]))

    assert (session(engine)["status"], session(engine, "c-2")["status"]) == ("failed", "completed")


def begun(number: int = 0) -> StepRow:
    """The announcement of start_workflow()."""
    row = started(root(number))
    return row._replace(session_facts=replace(row.session_facts, status="in_progress", is_explicit=True))  # type: ignore[type-var]


def ended(number: int = 0, *, status: str = "completed") -> StepRow:
    """The end of what start_workflow() began."""
    row = root(number)
    return row._replace(session_facts=replace(row.session_facts, status=status, is_explicit=True))  # type: ignore[type-var]


def test_a_workflow_begun_explicitly_is_in_progress_until_its_end_whatever_ends_within_it(engine: sa.Engine) -> None:
    """A request in another trace that continues it is a root too, and ends first."""
    request = root(3, correlation_id="c-1", trace_id="b" * 32)
    failed_request = root(4, correlation_id="c-1", trace_id="c" * 32, status="failed")
    found = []
    for rows in ([begun()], [request], [failed_request], [ended()]):
        write(engine, RowBatch(steps=rows))
        found.append(session(engine)["status"])

    assert found == ["in_progress", "in_progress", "in_progress", "completed"]


def test_the_order_of_arrival_does_not_change_the_status_of_an_explicit_workflow(engine: sa.Engine) -> None:
    request = root(3, trace=2, correlation_id="c-1")
    found = []
    for rows in ([request], [begun()], [ended(status="failed")], [begun(5)._replace(trace_id="b" * 32)]):
        write(engine, RowBatch(steps=rows))
        found.append(session(engine)["status"])

    assert found == ["completed", "in_progress", "failed", "failed"]


def test_an_explicit_workflow_that_timed_out_and_goes_on_waits_for_its_end_again(engine: sa.Engine) -> None:
    write(engine, RowBatch(steps=[begun()]))
    sweeper = WorkflowTimeouts(StoreConnection(lambda: engine), timeout_s=60.0)
    found = []

    assert sweeper.sweep() == 1
    found.append(session(engine)["status"])
    for rows in ([root(3, correlation_id="c-1", trace_id="b" * 32)], [ended()]):
        write(engine, RowBatch(steps=rows))
        found.append(session(engine)["status"])

    assert found == ["timeout", "in_progress", "completed"]


def test_a_resolved_group_that_errs_again_regresses_and_an_ignored_one_stays(engine: sa.Engine) -> None:
    others = {"fingerprint": "e" * 32}
    write(engine, RowBatch(errors=[error(1), error(2, **others)]))
    execute(
        engine,
        "UPDATE debugging_error_group SET status = 'resolved' WHERE fingerprint LIKE 'f%'",
        "UPDATE debugging_error_group SET status = 'ignored' WHERE fingerprint LIKE 'e%'",
    )

    write(
        engine, RowBatch(errors=[error(number, service_release="1.5.0", **of) for number, of in ((3, {}), (4, others))])
    )

    assert count(engine, "debugging_error_group", "fingerprint LIKE 'f%' AND status = 'regressed'") == 1
    assert count(engine, "debugging_error_group", "status = 'ignored' AND last_release = '1.5.0'") == 1


def resolve(engine: sa.Engine, *, at: str, release: str | None) -> None:
    shown = "NULL" if release is None else f"'{release}'"
    execute(
        engine,
        "UPDATE debugging_error_group SET status = 'resolved'",
        "INSERT INTO debugging_error_group_change (fingerprint, changed_at, old_status, new_status, service_release) "
        f"VALUES ('{'f' * 32}', '{at}', 'unresolved', 'resolved', {shown})",
    )


RESOLVED_AT = "2026-09-21 14:13:30.000000"
LATER, EARLIER = "2026-09-21 14:13:40.000000", "2026-09-21 14:13:25.000000"


@pytest.mark.parametrize(
    ("resolved_in", "seen_at", "seen_in", "status"),
    [
        ("1.9.0", LATER, "1.10.0", "regressed"),
        ("1.9.0", LATER, "1.9.0", "resolved"),
        ("1.9.0", LATER, "1.8.7", "resolved"),
        ("1.9.0", EARLIER, "1.10.0", "resolved"),
        ("1.9.0", LATER, None, "regressed"),
        (None, LATER, "1.9.0", "regressed"),
        ("3f2a8c1", LATER, "91bc04d", "regressed"),
    ],
)
def test_a_resolved_group_regresses_when_it_errs_afterwards_in_a_later_release(
    engine: sa.Engine, resolved_in: str | None, seen_at: str, seen_in: str | None, status: str
) -> None:
    """An old release that still runs goes on failing, and an error that arrives late happened before."""
    write(engine, RowBatch(errors=[error(1)]))
    resolve(engine, at=RESOLVED_AT, release=resolved_in)

    write(engine, RowBatch(errors=[error(2, timestamp=seen_at, service_release=seen_in)]))

    assert count(engine, "debugging_error_group", f"status = '{status}'") == 1
    noted = f"new_status = 'regressed' AND changed_at = '{seen_at}'"
    assert count(engine, "debugging_error_group_change", noted) == (status == "regressed")


def test_a_regression_is_noted_once_with_its_release_however_often_it_is_delivered(engine: sa.Engine) -> None:
    write(engine, RowBatch(errors=[error(1)]))
    resolve(engine, at=RESOLVED_AT, release="1.9.0")
    batch = RowBatch(errors=[error(2, timestamp=LATER, service_release="2.0.0"), error(3, service_release="1.9.0")])

    write(engine, batch)
    write(engine, batch)

    assert count(engine, "debugging_error_group_change", "service_release = '2.0.0' AND old_status = 'resolved'") == 1
    assert count(engine, "debugging_error_group_change") == 2


def test_one_bad_row_of_200_is_dropped_alone(engine: sa.Engine) -> None:
    rows = [step(number) for number in range(200)]
    rows[77] = rows[77]._replace(metadata='{"name": "\ud800"}')

    result = write(engine, RowBatch(steps=rows))

    assert (result.stored, dict(result.dropped)) == (199, {"UnicodeEncodeError": 1})
    assert count(engine, "debugging_trace_step") == session(engine)["step_count"] == 199


@pytest.mark.parametrize("dialect", ["mariadb"])
def test_a_value_that_the_server_refuses_is_dropped_under_its_number(engine: sa.Engine) -> None:
    """Never cut: INSERT IGNORE would have stored the first 150 characters."""
    rows = [step(number) for number in range(200)]
    rows[0] = changed(rows[0], component="x" * 151)
    rows[199] = rows[199]._replace(duration_ms=float("nan"))

    result = write(engine, RowBatch(steps=rows))

    assert (result.stored, dict(result.dropped)) == (198, {"errno_1406": 1, "NotFiniteError": 1})
    assert count(engine, "debugging_trace_step", "LENGTH(component) > 20") == 0


@pytest.mark.fault(30)
@pytest.mark.parametrize("dialect", ["mariadb"])
def test_a_row_above_max_allowed_packet_is_dropped_and_large_ones_travel_alone(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        packet = int(connection.exec_driver_sql("SELECT @@max_allowed_packet").scalar_one())
    rows = [step(1), step(2, metadata="x" * packet), step(3, metadata="y" * (packet // 4)), step(4)]

    result = write(engine, RowBatch(steps=rows))

    assert (result.stored, dict(result.dropped)) == (3, {"packet_too_large": 1})


@pytest.mark.fault(35)
def test_threads_delivering_the_same_batch_store_and_count_it_once(store_url: str, engine: sa.Engine) -> None:
    results: list[WriteResult] = []

    def deliver() -> None:
        own = create_store_engine(store_url)
        writer = BatchWriter(own)
        for trace in range(1, 6):
            steps = [root(trace=trace), *(step(number, trace=trace) for number in range(1, 40))]
            results.append(write(own, RowBatch(steps=steps, errors=[error(trace, trace=trace)]), writer))
        own.dispose()

    threads = [threading.Thread(target=deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(result.stored for result in results) == 5 * 41
    assert sum(result.already_there for result in results) == 3 * 5 * 41
    assert [session(engine, f"c-{trace}")["step_count"] for trace in range(1, 6)] == [40] * 5
    assert count(engine, "debugging_error_group", "occurrences = 5") == 1


def test_a_batch_in_pieces_is_the_same_batch(engine: sa.Engine) -> None:
    result = BatchWriter(engine).write(full_batch(), deadline=time.monotonic() + 30, pieces=8)

    assert (result.stored, session(engine)["step_count"], session(engine)["error_count"]) == (32, 30, 1)
    assert session(engine)["repeat_count"] == 29


@pytest.mark.fault(39)
def test_without_tables_nothing_is_dropped(empty_store_url: str) -> None:
    engine = create_store_engine(empty_store_url)

    with pytest.raises(StoreUnavailable) as caught:
        write(engine, full_batch())

    engine.dispose()
    assert caught.value.error_class is ErrorClass.SCHEMA
    assert len(caught.value.remaining) == 32


@pytest.mark.parametrize("root_first", [True, False])
def test_the_type_that_the_application_tells_goes_before_a_rules(engine: sa.Engine, root_first: bool) -> None:
    by_rule = replace(ROOT, workflow_type="browse")
    told = SessionFacts(is_root=False, status=None, is_explicit=False, workflow_type="checkout", is_type_told=True)
    # Span ids decide the order within a batch, and they are random.
    rows = (
        [step(1, facts=by_rule), step(2, facts=told)] if root_first else [step(1, facts=told), step(2, facts=by_rule)]
    )

    BatchWriter(engine).write(RowBatch(steps=rows), deadline=time.monotonic() + 10)

    assert session(engine)["workflow_type"] == "checkout"
