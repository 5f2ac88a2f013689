"""A span's row: layer, names, status, statement and metadata, from old and new semantic conventions."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode
from support.spans import RESOURCE, START_UNIX_NS, make_span

from e2edebug.policy.sql_text import describe_statement
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import RowBatch, SessionFacts, StepRow

StepOf = Callable[[ReadableSpan], StepRow]
MetadataOf = Callable[[ReadableSpan], dict[str, Any]]
RowsOf = Callable[[Sequence[ReadableSpan]], RowBatch]

BROWSER = Resource({"service.name": "web", "telemetry.sdk.language": "webjs"})
SQL = "SELECT * FROM shop_product WHERE id = 7"


def test_a_span_becomes_a_whole_row(step_of: StepOf) -> None:
    span = make_span(
        "SELECT shop_product",
        trace_id=0xABC,
        span_id=0x5,
        parent=0x4,
        kind=SpanKind.CLIENT,
        attributes={
            "correlation.id": "checkout-1",
            "db.system.name": "mysql",
            "db.namespace": "shop",
            "db.query.text": SQL,
            "db.response.returned_rows": 1,
            "code.file.path": "shop/views.py",
            "code.line.number": 12,
            "code.function.name": "list",
        },
    )

    assert step_of(span).columns == {
        "correlation_id": "checkout-1",
        "trace_id": "00000000000000000000000000000abc",
        "span_id": "0000000000000005",
        "parent_span_id": "0000000000000004",
        "layer": "database",
        "component": "shop_product",
        "operation": "SELECT",
        "kind": "client",
        "service": "shop",
        "start_time": "2026-09-21 14:13:20.123456",
        "end_time": "2026-09-21 14:13:20.125956",
        "duration_ms": 2.5,
        "status": "completed",
        "status_message": "",
        "statement": "SELECT * FROM shop_product WHERE id = ?",
        "statement_digest": describe_statement(SQL).digest,
        "code_location": "shop/views.py:12 in list",
        "metadata": '{"db.system.name":"mysql","db.namespace":"shop","db.response.returned_rows":1}',
    }


def test_what_a_column_says_is_not_in_the_metadata_again(metadata_of: MetadataOf) -> None:
    """Every query has these two: a third of what its metadata took."""
    attributes = {
        "db.system.name": "mysql", "db.query.text": SQL, "db.operation.name": "SELECT", "db.collection.name": "shop_product",
    }  # fmt: skip

    assert metadata_of(make_span(kind=SpanKind.CLIENT, parent=9, attributes=attributes)) == {"db.system.name": "mysql"}


def test_what_a_column_says_otherwise_stays_in_the_metadata(metadata_of: MetadataOf) -> None:
    attributes = {
        "db.system.name": "mysql", "db.query.text": SQL, "db.operation.name": "SELECT", "db.collection.name": "shop_product",
        "e2edebug.component": "Catalogue", "e2edebug.operation": "look up",
    }  # fmt: skip

    assert metadata_of(make_span(kind=SpanKind.CLIENT, parent=9, attributes=attributes)) == {
        "db.system.name": "mysql", "db.operation.name": "SELECT", "db.collection.name": "shop_product",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "attributes", "expected"),
    [
        (SpanKind.SERVER, {"http.method": "GET", "http.route": "api/x/"}, ("api", "api/x/", "GET /api/x/")),
        (SpanKind.SERVER, {"http.request.method": "GET", "http.route": "/x"}, ("api", "/x", "GET /x")),
        (
            SpanKind.SERVER,
            {"http.method": "GET", "http.route": "api/books/(?P<pk>[^/.]+)/explode/$"},
            ("api", "api/books/<pk>/explode/", "GET /api/books/<pk>/explode/"),
        ),
        (
            SpanKind.SERVER,
            {"http.method": "GET", "http.route": "^$", "http.target": "/"},
            ("api", "/", "GET /"),
        ),
        (SpanKind.SERVER, {"http.method": "GET", "http.target": "/x?a=1"}, ("api", "(no route)", "GET /x")),
        (SpanKind.INTERNAL, {"http.method": "GET", "http.route": "x/"}, ("api", "x/", "GET /x/")),
        (SpanKind.CLIENT, {"db.system": "mysql", "db.statement": SQL}, ("database", "shop_product", "SELECT")),
        (SpanKind.CLIENT, {"db.system.name": "mysql", "db.query.text": SQL}, ("database", "shop_product", "SELECT")),
        (SpanKind.CLIENT, {"db.system": "mysql", "db.sql.table": "t", "db.operation": "GET"}, ("database", "t", "GET")),
        (SpanKind.CLIENT, {"db.system": "mysql", "db.name": "shop"}, ("database", "shop", "work")),
        (SpanKind.CLIENT, {"db.system": "redis", "db.statement": "GET k"}, ("cache", "redis", "GET")),
        (SpanKind.CLIENT, {"db.system.name": "memcached", "server.address": "m1"}, ("cache", "m1", "work")),
        (SpanKind.INTERNAL, {"cache.alias": "default", "cache.operation": "get"}, ("cache", "default", "get")),
        (
            SpanKind.CLIENT,
            {"http.method": "POST", "http.url": "https://pay.example:8443/pay?x=1"},
            ("external", "pay.example", "POST /pay"),
        ),
        (
            SpanKind.CLIENT,
            {"http.request.method": "POST", "url.full": "https://pay.example/pay", "server.address": "pay.example"},
            ("external", "pay.example", "POST /pay"),
        ),
        (SpanKind.CLIENT, {"http.method": "GET", "net.peer.name": "h:80"}, ("external", "h", "work")),
        (SpanKind.CLIENT, {"rpc.service": "Pay", "rpc.method": "Charge"}, ("external", "Pay", "Charge")),
        (SpanKind.PRODUCER, {"messaging.destination.name": "mails"}, ("external", "mails", "work")),
        (SpanKind.CONSUMER, {"messaging.destination": "mails"}, ("system", "mails", "work")),
        (SpanKind.SERVER, {"next.route": "/shop", "next.span_type": "BaseServer"}, ("frontend", "/shop", "work")),
        (SpanKind.INTERNAL, {}, ("system", "test", "work")),
        (
            SpanKind.SERVER,
            {"e2edebug.layer": "frontend", "e2edebug.component": "Cart", "e2edebug.operation": "price"},
            ("frontend", "Cart", "price"),
        ),
        (SpanKind.SERVER, {"e2edebug.layer": "kitchen"}, ("api", "test", "work")),
    ],
    ids=str,
)
def test_layer_component_and_operation_follow_from_the_attributes(
    step_of: StepOf, kind: SpanKind, attributes: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    row = step_of(make_span(kind=kind, attributes=attributes))

    assert (row.layer, row.component, row.operation) == expected


def test_every_span_of_a_browser_is_frontend(step_of: StepOf) -> None:
    row = step_of(make_span("documentLoad", attributes={"http.url": "https://shop/a"}, resource=BROWSER))

    assert (row.layer, row.service) == ("frontend", "web")


def test_an_internal_span_takes_the_layer_of_an_ancestor_that_ends_later(rows_of: RowsOf) -> None:
    innermost = make_span(span_id=3, parent=2)
    inner = make_span(span_id=2, parent=1)
    request = make_span(span_id=1, kind=SpanKind.SERVER)

    assert [row.layer for row in rows_of([innermost, inner, request]).steps] == ["api", "api", "api"]


def test_an_internal_span_that_ends_in_a_later_batch_takes_the_layer_of_its_parent(rows_of: RowsOf) -> None:
    rows_of([make_span(span_id=1, attributes={"e2edebug.layer": "frontend"})])

    assert rows_of([make_span(span_id=2, parent=1)]).steps[0].layer == "frontend"


def test_a_step_of_a_request_that_still_runs_is_api_where_requests_are_served(rows_of: RowsOf) -> None:
    before = rows_of([make_span(span_id=5, parent=4)]).steps[0].layer
    rows_of([make_span(span_id=1, kind=SpanKind.SERVER)])

    assert (before, rows_of([make_span(span_id=7, parent=6)]).steps[0].layer) == ("system", "api")


def test_a_circle_of_parents_ends(rows_of: RowsOf) -> None:
    rows = rows_of([make_span(span_id=1, parent=2), make_span(span_id=2, parent=1)])

    assert [row.layer for row in rows.steps] == ["system", "system"]


def test_old_names_are_stored_under_the_new_ones(metadata_of: MetadataOf) -> None:
    attributes = {
        "http.method": "GET",
        "http.target": "/x/?page=2&q=shoes",
        "http.status_code": 200,
        "http.user_agent": "Firefox",
        "net.host.name": "shop",
        "net.host.port": 8000,
        "net.peer.ip": "203.0.113.7",
    }

    shown = metadata_of(make_span(kind=SpanKind.SERVER, parent=9, attributes=attributes))

    assert shown == {
        "http.request.method": "GET",
        "url.path": "/x/",
        "url.query": "page=[redacted]&q=[redacted]",
        "http.response.status_code": 200,
        "user_agent.original": "Firefox",
        "server.address": "shop",
        "server.port": 8000,
    }


@pytest.mark.parametrize("order", [("db.system", "db.system.name"), ("db.system.name", "db.system")])
def test_of_an_old_and_a_new_name_the_new_one_stays(metadata_of: MetadataOf, order: tuple[str, str]) -> None:
    values = {"db.system": "old", "db.system.name": "new"}

    assert metadata_of(make_span(parent=9, attributes={name: values[name] for name in order})) == {
        "db.system.name": "new"
    }


def test_the_address_of_a_client_is_stored_only_when_asked_for() -> None:
    batch = RowBatch()
    span = make_span(kind=SpanKind.SERVER, parent=9, attributes={"net.peer.ip": "203.0.113.7"})

    RowMapper(capture_client_address=True).add_span(batch, span)

    assert batch.steps[0].metadata == '{"client.address":"203.0.113.7"}'


def test_the_address_of_a_called_server_is_stored(metadata_of: MetadataOf) -> None:
    assert metadata_of(make_span(kind=SpanKind.CLIENT, parent=9, attributes={"net.peer.ip": "10.0.0.1"})) == {
        "network.peer.address": "10.0.0.1"
    }


@pytest.mark.parametrize(
    ("kind", "status", "attributes", "end", "expected"),
    [
        (SpanKind.INTERNAL, StatusCode.UNSET, {}, START_UNIX_NS, "completed"),
        (SpanKind.INTERNAL, StatusCode.OK, {}, START_UNIX_NS, "completed"),
        (SpanKind.INTERNAL, StatusCode.ERROR, {}, START_UNIX_NS, "failed"),
        (SpanKind.SERVER, StatusCode.ERROR, {"http.status_code": 500}, START_UNIX_NS, "failed"),
        (SpanKind.SERVER, StatusCode.ERROR, {"http.status_code": 404}, START_UNIX_NS, "completed"),
        (SpanKind.SERVER, StatusCode.ERROR, {"http.response.status_code": 403}, START_UNIX_NS, "completed"),
        (SpanKind.CLIENT, StatusCode.ERROR, {"http.status_code": 404}, START_UNIX_NS, "failed"),
        (SpanKind.INTERNAL, StatusCode.UNSET, {"e2edebug.skipped": True}, START_UNIX_NS, "skipped"),
        (SpanKind.INTERNAL, StatusCode.UNSET, {"e2edebug.pending": True}, None, "started"),
    ],
)
def test_the_status_of_a_step_follows_from_the_span(
    step_of: StepOf, kind: SpanKind, status: StatusCode, attributes: dict[str, Any], end: int | None, expected: str
) -> None:
    span = make_span(kind=kind, status=status, attributes=attributes, end_unix_ns=end)

    assert step_of(span).status == expected


def test_a_step_that_only_started_has_no_end(step_of: StepOf) -> None:
    row = step_of(make_span(end_unix_ns=None))

    assert (row.end_time, row.duration_ms) == (None, None)


def test_without_an_id_of_its_own_a_workflow_is_named_after_its_trace(step_of: StepOf) -> None:
    row = step_of(make_span(trace_id=0x4BF92F3577B34DA6A3CE929D0E0E4736, attributes={"correlation.id": "no good\r\n"}))

    assert row.correlation_id == "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"


def test_statements_of_caches_keep_the_command_alone(step_of: StepOf) -> None:
    row = step_of(
        make_span(kind=SpanKind.CLIENT, parent=9, attributes={"db.system": "redis", "db.statement": "SET k v"})
    )

    assert (row.statement, row.metadata) == (None, '{"db.system.name":"redis","db.query.text":"SET"}')


def test_events_links_and_drop_counts_are_in_the_metadata(metadata_of: MetadataOf) -> None:
    event = Event("cache miss", {"cache.key": "a"}, START_UNIX_NS)
    link = Link(SpanContext(0xA, 0xB, is_remote=True), {"why": "retry"})

    assert metadata_of(make_span(parent=9, events=[event], links=[link])) == {
        "otel.events": [{"name": "cache miss", "time": "2026-09-21 14:13:20.123456", "attributes": {"cache.key": "a"}}],
        "otel.links": [
            {"trace_id": f"{0xA:032x}", "span_id": f"{0xB:016x}", "attributes": {"why": "retry"}},
        ],
    }


def test_metadata_given_by_the_user_stands_by_its_own_names(metadata_of: MetadataOf) -> None:
    given = {"success": True, "amount": 9.5, "password": "hunter2", "nested": {"token": "x", "a": [1, None]}}

    assert metadata_of(make_span(parent=9, attributes={"e2edebug.metadata": given, "plain": 1})) == {
        "plain": 1,
        "success": True,
        "amount": 9.5,
        "password": "[redacted]",
        "nested": {"token": "[redacted]", "a": [1, None]},
    }


def test_resource_facts_without_a_column_are_on_roots_only(metadata_of: MetadataOf) -> None:
    assert metadata_of(make_span()) == {"service.instance.id": "test-instance"}
    assert metadata_of(make_span(parent=9)) == {}


def test_a_root_says_what_its_workflow_is(step_of: StepOf) -> None:
    span = make_span(
        "GET api/orders/",
        kind=SpanKind.SERVER,
        attributes={
            "http.method": "GET",
            "http.route": "api/orders/",
            "enduser.id": "42",
            "e2edebug.user.label": "ann",
            "session.id": "d1g3st",
            "correlation.id.received": "constant",
        },
    )

    assert step_of(span).session_facts == SessionFacts(
        is_root=True,
        status="completed",
        is_explicit=False,
        workflow_type=None,
        user_id="42",
        user_label="ann",
        session_key="d1g3st",
        parent_correlation_id=None,
        root_operation="GET /api/orders/",
        service_release="1.4.2",
        metadata='{"correlation.id.received":"constant"}',
    )


@pytest.mark.parametrize("parent_is_remote", [True, False])
def test_a_span_with_a_remote_parent_is_a_root_here(step_of: StepOf, parent_is_remote: bool) -> None:
    facts = step_of(make_span(parent=9, parent_is_remote=parent_is_remote)).session_facts

    assert (facts is not None) is parent_is_remote


def test_a_failed_root_fails_its_workflow(step_of: StepOf) -> None:
    facts = step_of(make_span(status=StatusCode.ERROR)).session_facts

    assert facts is not None
    assert facts.status == "failed"


def test_a_root_that_only_started_says_nothing_of_the_outcome(step_of: StepOf) -> None:
    facts = step_of(make_span(end_unix_ns=None)).session_facts

    assert facts is not None
    assert facts.status is None


def test_an_explicit_outcome_wins_also_below_a_root(step_of: StepOf) -> None:
    span = make_span(
        parent=9,
        attributes={
            "e2edebug.workflow.type": "checkout",
            "e2edebug.workflow.status": "failed",
            "e2edebug.workflow.metadata": {"cart": 3},
        },
    )
    facts = step_of(span).session_facts

    assert facts == SessionFacts(
        is_root=False,
        status="failed",
        is_explicit=True,
        workflow_type="checkout",
        is_type_told=True,
        service_release="1.4.2",
        metadata='{"cart":3}',
    )


def test_the_announcement_of_a_workflow_says_that_it_is_in_progress(step_of: StepOf) -> None:
    attributes = {"e2edebug.workflow.type": "checkout", "e2edebug.pending": True}
    facts = step_of(make_span(parent=9, attributes=attributes, end_unix_ns=None)).session_facts

    assert facts is not None
    assert (facts.status, facts.is_explicit) == ("in_progress", True)


def test_a_workflow_inside_another_is_the_root_of_its_own_session(step_of: StepOf) -> None:
    span = make_span(
        "payment",
        parent=9,
        attributes={
            "correlation.id": "inner-1",
            "e2edebug.workflow.type": "payment",
            "e2edebug.workflow.status": "completed",
            "e2edebug.workflow.parent": "outer-1",
        },
    )
    facts = step_of(span).session_facts

    assert facts == SessionFacts(
        is_root=True,
        status="completed",
        is_explicit=True,
        workflow_type="payment",
        is_type_told=True,
        parent_correlation_id="outer-1",
        root_operation="payment",
        service_release="1.4.2",
    )


def test_rules_give_requests_their_workflow_type() -> None:
    from e2edebug.policy.config import load_config

    rules = load_config(
        {"workflow_rules": "POST /api/checkout/*=checkout; GET /login/=login"}, environ={}
    ).workflow_rules
    mapper = RowMapper(workflow_rules=rules)
    batch = RowBatch()
    for method, route in (("POST", "api/checkout/<int:pk>/"), ("GET", "/login/"), ("POST", "/login/")):
        mapper.add_span(batch, make_span(kind=SpanKind.SERVER, attributes={"http.method": method, "http.route": route}))

    types = [row.session_facts.workflow_type for row in batch.steps if row.session_facts is not None]

    assert types == ["checkout", "login", None]


def test_a_resource_without_a_name_is_an_unknown_service(step_of: StepOf) -> None:
    assert step_of(make_span(resource=Resource({}))).service == "unknown_service"
    assert RESOURCE.attributes["service.name"] == "shop"


def test_a_users_metadata_keeps_names_that_are_attributes_elsewhere(metadata_of: MetadataOf) -> None:
    given = {"user.id": 5, "http.method": "GET", "correlation.id": "x"}

    assert metadata_of(make_span(parent=9, attributes={"e2edebug.metadata": given})) == given


def test_a_workflow_is_named_by_its_route_also_when_that_is_a_regular_expression(rows_of: RowsOf) -> None:
    attributes = {"http.method": "GET", "http.route": r"^api/books\.(?P<format>[a-z0-9]+)/?$"}

    session = rows_of([make_span("GET ^api/books", kind=SpanKind.SERVER, attributes=attributes)]).steps[0].session_facts

    assert session is not None
    assert session.root_operation == "GET /api/books.<format>"
