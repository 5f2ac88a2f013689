"""Exceptions on spans and in logs become errors: one for all copies, grouped, with their request."""

import json
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind, StatusCode
from support.spans import RESOURCE, START_UNIX_NS, exception_event, make_span

from e2edebug.policy.error_text import mask_stack_trace
from e2edebug.policy.exception_stack import stack_text
from e2edebug.policy.stack_frames import frames_of, read_stack
from e2edebug_exporters.error_mapping import TOO_MANY_ERRORS
from e2edebug_exporters.fingerprint import FINGERPRINT_VERSION, fingerprint, qualified_type
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import ErrorRow, RowBatch

RowsOf = Callable[[Sequence[ReadableSpan]], RowBatch]


def raised(error: BaseException) -> BaseException:
    """Return *error* with a stack."""
    try:
        raise error
    except BaseException as caught:
        return caught


def chained() -> BaseException:
    try:
        try:
            raise KeyError("sku")
        except KeyError as cause:
            raise ValueError("no price") from cause
    except ValueError as error:
        return error


def log_record(
    *,
    body: str = "it failed",
    severity: SeverityNumber = SeverityNumber.ERROR,
    attributes: dict[str, Any] | None = None,
    trace_id: int = 0,
    span_id: int = 0,
    timestamp: int | None = START_UNIX_NS,
    logger: str = "shop.orders",
) -> ReadableLogRecord:
    record = LogRecord(
        timestamp=timestamp,
        observed_timestamp=START_UNIX_NS + 5,
        severity_number=severity,
        body=body,
        attributes=attributes or {},
    )
    record.trace_id, record.span_id = trace_id, span_id
    return ReadableLogRecord(record, RESOURCE, InstrumentationScope(logger))


def error_of_log(record: ReadableLogRecord, mapper: RowMapper | None = None) -> ErrorRow | None:
    batch = RowBatch()
    assert (mapper or RowMapper()).add_log(batch, record)
    return batch.errors[0] if batch.errors else None


def exception_attributes(error: BaseException, type_name: str) -> dict[str, Any]:
    attributes = dict(exception_event(error).attributes or {})
    return attributes | {"exception.type": type_name}


def test_one_exception_on_three_spans_and_in_the_log_is_one_error(rows_of: RowsOf, mapper: RowMapper) -> None:
    error = chained()
    spans = [
        make_span(
            f"span {span_id}",
            span_id=span_id,
            parent=span_id - 1 or None,
            kind=SpanKind.SERVER if span_id == 1 else SpanKind.INTERNAL,
            attributes={"http.status_code": 500} if span_id == 1 else {},
            status=StatusCode.ERROR,
            events=[exception_event(error, timestamp_unix_ns=START_UNIX_NS + 1000 * (10 - span_id))],
        )
        for span_id in (3, 2, 1)
    ]

    errors = rows_of(spans).errors
    logged = error_of_log(
        log_record(attributes=exception_attributes(error, "ValueError"), trace_id=1, span_id=3), mapper
    )

    assert [row.span_id for row in errors] == [f"{3:016x}"]
    assert logged is not None
    assert (logged.event_key, logged.fingerprint) == (errors[0].event_key, errors[0].fingerprint)


def line_that_raised(error: BaseException) -> int | None:
    return traceback.extract_tb(error.__traceback__)[-1].lineno


def test_an_error_is_a_whole_row(rows_of: RowsOf) -> None:
    error = chained()
    request = make_span(
        "POST api/orders/",
        span_id=1,
        kind=SpanKind.SERVER,
        attributes={
            "correlation.id": "order-1",
            "http.request.method": "POST",
            "http.route": "api/orders/",
            "url.path": "/api/orders/",
            "http.response.status_code": 500,
            "user_agent.original": "Firefox",
            "client.address": "203.0.113.7",
            "enduser.id": "42",
        },
        status=StatusCode.ERROR,
    )
    step = make_span(
        "price",
        span_id=2,
        parent=1,
        attributes={"correlation.id": "order-1", "e2edebug.component": "CartService"},
        status=StatusCode.ERROR,
        events=[exception_event(error)],
    )

    row = rows_of([step, request]).errors[0]

    assert row._replace(event_key="", fingerprint="", stack_trace="") == ErrorRow(
        event_key="",
        correlation_id="order-1",
        trace_id=f"{1:032x}",
        span_id=f"{2:016x}",
        timestamp="2026-09-21 14:13:20.124456",
        layer="api",
        component="CartService",
        severity="error",
        error_type="ValueError",
        error_message="no price",
        stack_trace="",
        fingerprint="",
        fingerprint_version=FINGERPRINT_VERSION,
        user_id="42",
        request_path="/api/orders/",
        request_method="POST",
        user_agent="Firefox",
        ip_address=None,
        service="shop",
        service_release="1.4.2",
        metadata=(
            f'{{"code.location":"tests/exporters/mapping/test_errors.py:{line_that_raised(error)} in chained",'
            '"operation":"price","service.instance.id":"test-instance"}'
        ),
        error_class="code",
        group_title="ValueError: no price",
    )
    assert "KeyError: 'sku'" in row.stack_trace
    assert "direct cause" in row.stack_trace


@pytest.mark.parametrize(
    "error_type", ["django.http.response.Http404", "django.core.exceptions.PermissionDenied", "ValueError"]
)
def test_an_exception_answered_with_a_status_below_500_is_no_error(rows_of: RowsOf, error_type: str) -> None:
    event = Event("exception", {"exception.type": error_type, "exception.message": "no"}, START_UNIX_NS)
    span = make_span(
        kind=SpanKind.SERVER, attributes={"http.status_code": 404}, events=[event], status=StatusCode.ERROR
    )

    batch = rows_of([span])

    assert (batch.errors, batch.steps[0].status) == ([], "completed")


@pytest.mark.parametrize(
    "error_type",
    ["xml.etree.ElementTree.ParseError", "google.api_core.exceptions.BadRequest", "shop.errors.PermissionDenied"],
)
def test_another_librarys_error_of_the_same_bare_name_is_one(rows_of: RowsOf, error_type: str) -> None:
    event = Event("exception", {"exception.type": error_type}, START_UNIX_NS)

    batch = rows_of([make_span(parent=1, events=[event], status=StatusCode.ERROR)])

    assert [row.error_type for row in batch.errors] == [error_type]


@pytest.mark.parametrize(
    ("kind", "attributes", "expected"),
    [
        (SpanKind.SERVER, {"http.response.status_code": 404}, 0),
        (SpanKind.SERVER, {"http.status_code": 403}, 0),
        (SpanKind.SERVER, {"http.response.status_code": 500}, 1),
        (SpanKind.INTERNAL, {}, 1),
        (SpanKind.CONSUMER, {}, 1),
    ],
)
def test_what_django_answers_with_a_status_below_500_is_an_error_where_nobody_answered_so(
    rows_of: RowsOf, kind: SpanKind, attributes: dict[str, Any], expected: int
) -> None:
    event = Event("exception", {"exception.type": "django.core.exceptions.PermissionDenied"}, START_UNIX_NS)
    step = make_span(span_id=2, parent=1, events=[event], status=StatusCode.ERROR)

    batch = rows_of([step, make_span(span_id=1, kind=kind, attributes=attributes)])

    assert len(batch.errors) == expected


def test_different_failures_at_one_line_of_one_trace_are_as_many_errors(rows_of: RowsOf) -> None:
    errors = []
    for number in range(5):
        try:
            raise ValueError(f"order {number} has no address")
        except ValueError as error:
            errors.append(error)
    span = make_span(events=[exception_event(error) for error in errors], status=StatusCode.ERROR)

    rows = rows_of([span]).errors

    assert [row.error_message for row in rows] == [str(error) for error in errors]
    assert len({row.fingerprint for row in rows}) == 1


@pytest.mark.parametrize(
    "message",
    [
        "(1062, \"Duplicate entry 'ann@example.org' for key 'users.email'\")",
        '(1064, "You have an error in your SQL syntax; check the manual that corresponds to your MariaDB server version'
        " for the right syntax to use near ''x' = 5' at line 1\")",
        "(1054, \"Unknown column 'colour' in 'field list'\")",
        "UNIQUE constraint failed: users.email",
        "(builtins.X) near 'it''s': syntax error\n[SQL: SELECT 'a' FROM \"b\" WHERE c = 'd']\n[parameters: ('e',)]",
        'duplicate key value violates unique constraint "users_email"\nDETAIL:  Key (email)=(ann@example.org) already exists.',
        'near "FROM": syntax error of \'ann\' and "bob"',
    ],
)
@pytest.mark.parametrize("error_type", ["django.db.utils.OperationalError", "sqlalchemy.exc.ProgrammingError"])
def test_the_masked_copy_of_a_querys_span_and_the_requests_copy_are_one_error(
    rows_of: RowsOf, message: str, error_type: str
) -> None:
    raw = stack(VIEW, LIBRARY, message=f"{error_type}: {message}")
    masked = mask_stack_trace(raw)
    events = [
        Event("exception", {"exception.type": error_type, "exception.stacktrace": text}, START_UNIX_NS)
        for text in (masked, raw)
    ]

    assert len(rows_of([make_span(events=events, status=StatusCode.ERROR)]).errors) == 1


@pytest.mark.parametrize("length", [10, 5_000, 50_000])
def test_what_a_message_hides_does_not_stand_in_the_stack_however_long_it_is(rows_of: RowsOf, length: int) -> None:
    message = f"near 'ann@example.org' {'x' * length}"
    error = type("MySQLError", (Exception,), {"__module__": "shop"})(message)
    event = Event(
        "exception",
        {
            "exception.type": "shop.MySQLError",
            "exception.message": message,
            "exception.stacktrace": stack_text(raised(error)),
        },
        START_UNIX_NS,
    )

    row = rows_of([make_span(events=[event])]).errors[0]

    assert "ann@example.org" not in row.error_message + row.stack_trace
    assert "shop.MySQLError: near '?'" in row.stack_trace


def test_a_note_added_on_the_way_out_makes_no_other_error(rows_of: RowsOf) -> None:
    error = chained()
    inner = exception_event(error)
    error.add_note("while the cart was priced")

    assert len(rows_of([make_span(events=[inner, exception_event(error)])]).errors) == 1


def test_exceptions_beyond_the_most_of_a_span_are_counted(rows_of: RowsOf, mapper: RowMapper) -> None:
    events = [Event("exception", {"exception.type": f"E{number}"}, START_UNIX_NS) for number in range(1030)]

    batch = rows_of([make_span(events=events)])

    assert (len(batch.errors), mapper.sanitised[TOO_MANY_ERRORS]) == (1024, 6)


@pytest.mark.parametrize("time", [None, 0, 10**22, -5])
def test_an_exception_at_no_possible_time_happened_by_the_end_of_its_span(rows_of: RowsOf, time: int | None) -> None:
    event = Event("exception", {"exception.type": "Late"}, START_UNIX_NS)
    event._timestamp = time  # type: ignore[assignment]  # as other SDKs send it

    assert rows_of([make_span(events=[event])]).errors[0].timestamp == "2026-09-21 14:13:20.125956"


def test_a_missing_page_is_no_error_on_an_inner_step_either(rows_of: RowsOf) -> None:
    event = Event("exception", {"exception.type": "django.http.response.Http404"}, START_UNIX_NS)

    assert rows_of([make_span(parent=1, events=[event], status=StatusCode.ERROR)]).errors == []


def test_an_exception_that_a_step_survived_is_a_warning(rows_of: RowsOf) -> None:
    assert rows_of([make_span(events=[exception_event(raised(ValueError("x")))])]).errors[0].severity == "warning"


def test_events_say_severity_layer_component_and_user_themselves(rows_of: RowsOf) -> None:
    event = Event(
        "exception",
        {
            "exception.type": "Declined",
            "e2edebug.error.severity": "critical",
            "e2edebug.layer": "external",
            "e2edebug.component": "Payment",
            "enduser.id": "7",
            "e2edebug.metadata": {"attempt": 3},
        },
        START_UNIX_NS,
    )

    row = rows_of([make_span(parent=9, events=[event])]).errors[0]

    assert (row.severity, row.layer, row.component, row.user_id) == ("critical", "external", "Payment", "7")
    assert json.loads(row.metadata)["attempt"] == 3


@pytest.mark.parametrize(
    ("severity", "attributes", "expected"),
    [
        (SeverityNumber.ERROR, {}, "error"),
        (SeverityNumber.FATAL, {}, "critical"),
        (SeverityNumber.WARN, {}, None),
        (SeverityNumber.INFO, {"exception.type": "ValueError"}, "info"),
        (SeverityNumber.WARN, {"exception.type": "ValueError"}, "warning"),
        (SeverityNumber.DEBUG, {"exception.type": "ValueError"}, "debug"),
        (SeverityNumber.WARN, {"exception.type": "PermissionDenied"}, "warning"),
        (SeverityNumber.ERROR, {"e2edebug.error.severity": "warning"}, "warning"),
    ],
)
def test_logs_are_errors_by_level_or_by_their_exception(
    severity: SeverityNumber, attributes: dict[str, Any], expected: str | None
) -> None:
    row = error_of_log(log_record(severity=severity, attributes=attributes))

    assert (row.severity if row is not None else None) == expected


def test_what_django_logs_of_a_request_it_answered_below_500_is_no_error() -> None:
    attributes = {"exception.type": "PermissionDenied", "status_code": 403}

    assert error_of_log(log_record(logger="django.request", attributes=attributes)) is None


def test_a_log_without_an_exception_is_named_after_its_logger() -> None:
    row = error_of_log(log_record(body="payment provider is down"))

    assert row is not None
    assert (row.error_type, row.error_message, row.component) == (
        "shop.orders",
        "payment provider is down",
        "shop.orders",
    )
    assert row.correlation_id is None


def test_a_log_in_a_trace_belongs_to_the_workflow_of_its_spans(mapper: RowMapper) -> None:
    mapper.add_span(RowBatch(), make_span(trace_id=5, attributes={"correlation.id": "order-1"}))

    row = error_of_log(log_record(trace_id=5, span_id=2), mapper)

    assert row is not None
    assert row.correlation_id == "order-1"


def test_logs_without_a_stack_each_count() -> None:
    keys = {error_of_log(log_record(timestamp=START_UNIX_NS + delay, trace_id=1)).event_key for delay in (0, 1)}  # type: ignore[union-attr]  # both are errors

    assert len(keys) == 2


def test_the_same_record_delivered_twice_is_the_same_row() -> None:
    record = log_record(attributes=exception_attributes(chained(), "ValueError"), timestamp=None)

    assert error_of_log(record) == error_of_log(record)


def stack(*frames: tuple[str, int, str], message: str = "ValueError: x") -> str:
    lines = [f'  File "{path}", line {line}, in {function}\n    code()\n' for path, line, function in frames]
    return "Traceback (most recent call last):\n" + "".join(lines) + message + "\n"


VIEW = ("/srv/releases/41/shop/views.py", 12, "create")
LIBRARY = ("/venv/lib/python3.11/site-packages/django/db/models/query.py", 640, "get")


def fingerprint_of(text: str, error_type: str = "ValueError", message: str = "x") -> str:
    frames, final_line = read_stack(text)
    return fingerprint(qualified_type(error_type, final_line), frames, message)


@pytest.mark.parametrize(
    "other",
    [
        stack(("/srv/releases/42/shop/views.py", 12, "create"), LIBRARY),
        stack(("/srv/releases/41/shop/views.py", 99, "create"), LIBRARY),
        stack(VIEW, ("/venv/lib/python3.12/site-packages/django/db/models/query.py", 700, "other")),
        stack(("C:\\code\\shop\\views.py", 12, "create"), LIBRARY),
    ],
    ids=["another release", "another line", "another library version", "another machine"],
)
def test_an_error_keeps_its_fingerprint_on(other: str) -> None:
    assert fingerprint_of(stack(VIEW, LIBRARY)) == fingerprint_of(other)


def test_the_qualified_and_the_bare_type_have_one_fingerprint() -> None:
    text = stack(VIEW, message="shop.errors.Declined: no funds")

    assert fingerprint_of(text, "shop.errors.Declined") == fingerprint_of(text, "Declined")


@pytest.mark.parametrize(
    ("text", "error_type"),
    [
        (stack(("/srv/releases/41/shop/views.py", 12, "update"), LIBRARY), "ValueError"),
        (stack(("/srv/releases/41/shop/forms.py", 12, "create"), LIBRARY), "ValueError"),
        (stack(VIEW, LIBRARY), "TypeError"),
        (stack(VIEW, LIBRARY), "shop.ValueError"),
        (stack(("/srv/releases/41/v2/shop/views.py", 12, "create"), LIBRARY), "ValueError"),
    ],
    ids=["another function", "another file", "another type", "another module", "another version of an interface"],
)
def test_another_error_has_another_fingerprint(text: str, error_type: str) -> None:
    assert fingerprint_of(stack(VIEW, LIBRARY)) != fingerprint_of(text, error_type)


def test_errors_without_a_stack_group_by_message_without_its_numbers_and_ids() -> None:
    first = fingerprint_of("", message="order 17 of 0x7f3a 'ann' 4bf92f35-77b3-4da6-a3ce-929d0e0e4736 failed")
    second = fingerprint_of("", message="order 8 of 0x11 'bob' 00f067aa-0ba9-02b7-1111-929d0e0e4736 failed")

    assert first == second != fingerprint_of("", message="refund failed")


def test_an_exception_group_is_grouped_by_its_frames() -> None:
    inner = '    |   File "/srv/shop/tasks.py", line 3, in work\n    |     x()\n'

    assert [frame.function for frame in frames_of(inner)] == ["work"]


def test_a_long_stack_keeps_its_end() -> None:
    long = stack(*[("/srv/shop/a.py", number, "f") for number in range(20_000)], message="ValueError: the end")
    event = Event("exception", {"exception.type": "ValueError", "exception.stacktrace": long}, START_UNIX_NS)
    batch = RowBatch()

    RowMapper().add_span(batch, make_span(events=[event]))

    assert batch.errors[0].stack_trace.endswith("ValueError: the end\n")
    assert f"…[cut, {len(long)} chars]" in batch.errors[0].stack_trace
    assert len(batch.errors[0].stack_trace) <= 262_144
