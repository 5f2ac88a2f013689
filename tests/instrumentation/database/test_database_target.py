"""What is remembered of the statements of a connection, and for how long."""

import sys
from types import FrameType

from instrumentation.database.recorded_spans import Recording

from e2edebug_instrumentation.database.database_target import DatabaseTarget, database_target
from e2edebug_instrumentation.database.query_span import QueryRecorder


class Name(str):
    """As Django's SafeString, it says that it is its own text."""

    __slots__ = ()

    def __str__(self) -> str:
        return self


def target_of(test: str) -> DatabaseTarget:
    """A target that no other test has sent anything to."""
    return database_target(system="mysql", name=test)


def send(recorder: QueryRecorder, target: DatabaseTarget, sql: object) -> None:
    query = recorder.begin_query(target, sql)
    assert query is not None
    query.succeed(1)


def here() -> FrameType:
    return sys._getframe(1)


def test_what_is_known_of_a_database_outlives_its_connection():
    first = database_target(system="mysql", name="default", namespace="shop", port=3306)

    assert database_target(system="mysql", name="default", namespace="shop", port="3306") is first
    assert database_target(system="mysql", name="replica", namespace="shop", port=3306) is not first


def test_names_of_a_class_of_their_own_become_plain_texts():
    target = database_target(system=Name("mysql"), name=Name("default"), namespace=Name("shop"), address=Name("db"))

    assert {type(value) for value in (target.name, *target.attributes.values())} == {str}


def test_a_statement_that_is_sent_twice_says_the_same_twice(recording: Recording):
    recorder = QueryRecorder(tracer_provider=recording.provider)
    target = target_of("twice")

    for _ in range(2):
        send(recorder, target, "SELECT a FROM cart WHERE id = 7")

    first, second = recording.take()
    assert list(target.statements) == ["SELECT a FROM cart WHERE id = 7"]
    assert first["attributes"] == second["attributes"]
    assert first["attributes"]["db.query.text"] == "SELECT a FROM cart WHERE id = ?"


def test_a_place_is_its_code_object_and_the_instruction_in_it():
    known = target_of("places").statement("SELECT 2", "SELECT 2", longest=100)

    first, second = known.attributes_at(here()), known.attributes_at(here())

    assert first["code.function.name"] == second["code.function.name"]
    assert len(known.places) == 2  # two calls in one line are two instructions


def test_an_id_that_another_code_object_had_before_does_not_name_the_wrong_function():
    known = target_of("ids").statement("SELECT 3", "SELECT 3", longest=100)
    frame = here()
    other = compile("0", "elsewhere.py", "eval")
    known.places[id(frame.f_code), frame.f_lasti] = other, {"code.function.name": "elsewhere"}

    found = known.attributes_at(frame)

    assert str(found["code.function.name"]).endswith(
        "test_an_id_that_another_code_object_had_before_does_not_name_the_wrong_function"
    )


def test_what_a_span_says_is_its_own():
    known = target_of("own").statement("SELECT 4", "SELECT 4", longest=100)

    known.attributes_at(None)["db.operation.batch.size"] = 2

    assert "db.operation.batch.size" not in known.attributes_at(None)


def test_long_statements_and_those_on_our_own_tables_are_not_remembered():
    target = target_of("forgotten")

    target.statement("SELECT " + "a, " * 2_000 + "a", "SELECT 1", longest=100_000)
    target.statement("SELECT id FROM debugging_trace_step", "SELECT id FROM debugging_trace_step", longest=100_000)
    target.statement(b"SELECT 1", "SELECT 1", longest=100_000)

    assert target.statements == {}


def test_statements_without_end_do_not_fill_the_memory():
    target = target_of("many")

    for number in range(2_000):
        target.statement(f"SELECT {number}", f"SELECT {number}", longest=100)

    assert 0 < len(target.statements) <= 500


def test_a_statement_that_is_cut_says_so_also_after_it_was_known_whole(recording: Recording):
    target = target_of("cut")
    sql = "SELECT " + "1," * 200 + "1"

    send(QueryRecorder(tracer_provider=recording.provider), target, sql)
    send(QueryRecorder(tracer_provider=recording.provider, value_max_bytes=256), target, sql)

    whole, cut = recording.take()
    assert "e2edebug.db.statement_length" not in whole["attributes"]
    assert cut["attributes"]["e2edebug.db.statement_length"] == len(sql)
