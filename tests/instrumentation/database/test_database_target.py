"""What is remembered of the statements of a connection, and for how long."""

import sys
from types import FrameType
from typing import Any

import pytest
from instrumentation.database.recorded_spans import Recording
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision, SamplingResult, StaticSampler

from e2edebug.policy.prepared_attributes import PreparedAttributes
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


@pytest.mark.parametrize("is_anywhere", [True, False])
def test_spans_have_in_common_what_is_said_again(is_anywhere: bool):
    """The first time nobody knows whether there will be a second one."""
    known = target_of("common").statement("SELECT 4", "SELECT 4", longest=100)
    place = None if is_anywhere else here()

    first, second, third = (known.attributes_at(place) for _ in range(3))

    assert type(first) is dict
    assert type(second) is PreparedAttributes
    assert second is third
    assert dict(first) == dict(second)


def test_what_one_span_says_beyond_that_is_its_own(recording: Recording):
    recorder = QueryRecorder(tracer_provider=recording.provider)
    target = target_of("own")

    for parameters in ([1, 2], [1, 2, 3], [4], None):
        query = recorder.begin_query(target, "UPDATE cart SET n = 1", parameters)
        assert query is not None
        query.succeed(1)

    assert [one["attributes"].get("db.operation.batch.size") for one in recording.take()] == [2, 3, 1, None]


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


class _Adding(StaticSampler):
    """Notes something in the attributes that it is asked about."""

    def should_sample(self, *given: Any, **named: Any) -> SamplingResult:
        given[4]["sampled.as"] = len(given[4])
        return SamplingResult(Decision.RECORD_AND_SAMPLE, given[4])


def test_a_sampler_of_the_applications_own_provider_changes_one_span():
    provider = TracerProvider(sampler=_Adding(Decision.RECORD_AND_SAMPLE))
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    recorder = QueryRecorder(tracer_provider=provider)
    target = target_of("sampled")

    for _ in range(3):
        send(recorder, target, "SELECT 5")
        command = recorder.begin_command(target, "COMMIT")
        assert command is not None
        command.succeed()

    of_query, of_command = ([span.attributes or {} for span in exporter.get_finished_spans()[at::2]] for at in (0, 1))
    assert len({one["sampled.as"] for one in of_query}) == 1
    assert len({one["sampled.as"] for one in of_command}) == 1
