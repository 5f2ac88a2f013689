"""A span like one before it is not mapped again, and becomes the very row that mapping it would have made."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags, set_span_in_context
from support.spans import RESOURCE, START_UNIX_NS, EndedSpans, make_span

from e2edebug.policy.redaction import Redactor
from e2edebug_exporters import known_steps
from e2edebug_exporters.layers import LayerResolver, own_layer
from e2edebug_exporters.recording.provider import make_tracer_provider
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import RowBatch
from e2edebug_exporters.span_reading import SpanIndex

QUERY = {
    "db.system.name": "mysql",
    "e2edebug.layer": "database",
    "server.port": 3306,
    "db.query.text": "SELECT name FROM shop_product WHERE id = ?",
    "e2edebug.component": "shop_product",
    "e2edebug.operation": "SELECT",
    "code.file.path": "shop/views.py",
    "code.line.number": 42,
    "db.response.returned_rows": 3,
}
REQUEST = {
    "http.method": "GET",
    "http.target": "/products/7/",
    "url.path": "/products/7/",
    "http.user_agent": "Firefox",
    "http.status_code": 200,
    "http.route": "products/<int:pk>/",
    "e2edebug.component": "product",
    "e2edebug.operation": "get",
}


OUTGOING = {
    "http.method": "POST",
    "http.url": "http://pay.example/v1/charges?order=7",
    "net.peer.name": "pay.example",
    "http.status_code": 200,
}


class OneId(IdGenerator):
    """Spans that a property needs alike are alike in their ids too."""

    def generate_span_id(self) -> int:
        return 2

    def generate_trace_id(self) -> int:
        return 1


_ended = EndedSpans()
_provider = make_tracer_provider(ALWAYS_ON, RESOURCE)
_provider.id_generator = OneId()
_provider.add_span_processor(_ended)


def recorded(
    attributes: Mapping[str, Any],
    *,
    kind: SpanKind = SpanKind.CLIENT,
    name: str = "work",
    scope: str = "test",
    parent: int | None = 5,
    is_remote: bool = False,
    trace_id: int = 1,
    status: StatusCode | None = None,
) -> ReadableSpan:
    """Return a span as e2edebug's own tracer makes it."""
    context = None
    if parent is not None:
        above = SpanContext(trace_id, parent, is_remote, TraceFlags(TraceFlags.SAMPLED))
        context = set_span_in_context(NonRecordingSpan(above))
    span = _provider.get_tracer(scope).start_span(name, context, kind, attributes, start_time=START_UNIX_NS)
    if status is not None:
        span.set_status(status)
    span.end(START_UNIX_NS + 1_500_000)
    return _ended.spans.pop()


def mappers(redacted: str = "loyalty") -> tuple[RowMapper, RowMapper]:
    """Return two mappers with the same rules: one as it is, one that maps every span."""
    fast, slow = (RowMapper(redactor=Redactor([redacted]), value_max_bytes=300) for _ in range(2))
    slow._steps.map_known = lambda span, index: None  # type: ignore[method-assign]
    return fast, slow


def hits(mapper: RowMapper) -> int:
    return mapper._steps._known.hits


def rows_of(mapper: RowMapper, spans: Sequence[ReadableSpan]) -> RowBatch:
    batch = RowBatch()
    assert mapper.add_spans(batch, spans) == 0
    return batch


_TEXTS = st.sampled_from(
    [
        "", "GET", "a", "1", "100 %", "%s", "%(a)s", "it's", "päth", "shop\\x", "x" * 301, "\x00", "bearer abcdefghij0123",
        "/pay?token=1", "/pay/", "user:hunter2@host", "http://a.example/b?c=1", "http://a.example/b?c=2", "http://[::1?d", "database", "api", "cache", "redis", "mysql", "4111111111111111",
        "SELECT 1 FROM a WHERE b = 'c'", "SET user:1 secret", "products/<int:pk>/", "^a/(?P<pk>[^/.]+)/$", "\ud800",
    ]
)  # fmt: skip
_VALUES = st.one_of(
    _TEXTS,
    st.sampled_from([0, 1, 200, 404, 503, -1, 2**60, 2**70, 4111111111111111, True, False, 1.0, 0.5, float("nan")]),
    st.lists(_TEXTS, max_size=3).map(tuple),
)
_NAMES = st.sampled_from(
    [
        "correlation.id", "correlation.id.received", "e2edebug.layer", "e2edebug.component", "e2edebug.operation",
        "e2edebug.skipped", "e2edebug.workflow.type", "e2edebug.metadata", "e2edebug.db.digest", "enduser.id",
        "e2edebug.user.label", "session.id", "db.system", "db.system.name", "db.statement", "db.query.text",
        "db.operation.name", "db.sql.table", "db.name", "db.response.returned_rows", "net.peer.name", "server.address",
        "server.port", "http.method", "http.status_code", "http.route", "http.target", "http.url", "http.host",
        "http.server_name", "http.user_agent", "url.path", "url.query", "cache.key", "cache.hit", "cache.backend",
        "code.file.path", "code.line.number", "code.function.name", "client.address", "password", "loyalty",
        "order.total", "host.name", "next.route", "peer.service", "100 %s",
    ]
)  # fmt: skip
_SPANS = st.fixed_dictionaries(
    {
        "attributes": st.dictionaries(_NAMES, _VALUES, max_size=9),
        "kind": st.sampled_from(SpanKind),
        "name": st.sampled_from(["work", "SELECT shop"]),
        "parent": st.sampled_from([None, 5]),
        "scope": st.sampled_from(["test", "next.js"]),
        "status": st.sampled_from([None, None, StatusCode.OK, StatusCode.ERROR]),
    }
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(_SPANS, min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), _NAMES, _VALUES), max_size=12),
    st.sampled_from([recorded, make_span]),
)
def test_rows_are_those_of_mapping_every_span(
    first: list[dict[str, Any]], changes: list[tuple[int, str, Any]], make: Callable[..., ReadableSpan]
) -> None:
    """Spans come again as they were, and with one value changed at a time, which is where a memory would go wrong."""
    spans = [make(**one) for one in (*first, *first)]
    for place, name, value in changes:
        like = first[place % len(first)]
        spans.append(make(**like | {"attributes": like["attributes"] | {name: value}}))
    fast, slow = mappers()

    assert rows_of(fast, spans) == rows_of(slow, spans)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([QUERY, REQUEST, OUTGOING]),
    st.lists(st.tuples(_NAMES, _VALUES), min_size=1, max_size=20),
    st.data(),
)
def test_rows_of_common_spans_are_those_of_mapping_every_span(
    usual: dict[str, Any], changes: list[tuple[str, Any]], data: st.DataObject
) -> None:
    kind = SpanKind.SERVER if usual is REQUEST else SpanKind.CLIENT
    own = st.sampled_from(sorted(usual))
    spans = [recorded(usual, kind=kind), recorded(usual, kind=kind)]
    for name, value in changes:
        key = data.draw(st.one_of(own, st.just(name)))
        spans.append(recorded(usual | {key: value}, kind=kind, parent=data.draw(st.sampled_from([None, 5, 6]))))
    fast, slow = mappers()

    assert rows_of(fast, spans) == rows_of(slow, spans)
    assert hits(fast) > 0


_LAYER_ATTRIBUTES: tuple[dict[str, str], ...] = (
    {}, {}, {}, {"e2edebug.layer": "cache"}, {"e2edebug.layer": "nonsense"}, {"cache.key": "a"}, {"db.system": "redis"},
    {"db.statement": "SELECT 1"}, {"next.route": "/"}, {"http.route": "a/", "http.method": "GET"}, {"code.function": "a.B.c"},
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 4),
            st.booleans(),
            st.sampled_from(SpanKind),
            st.sampled_from(_LAYER_ATTRIBUTES),
            st.sampled_from(["test", "next.js"]),
        ),
        min_size=1,
        max_size=8,
    ),
    st.integers(1, 16),
    st.booleans(),
)
def test_steps_inside_of_others_are_those_of_mapping_every_span(
    tree: list[tuple[int, bool, SpanKind, dict[str, str], str]], batch_size: int, is_from_inside_out: bool
) -> None:
    """What says nothing of its layer has that of what it is part of, whether that came before, comes later or never."""
    spans = []
    for repetition in range(2):
        made = [
            make_span(
                trace_id=1 + repetition,
                span_id=100 * repetition + number + 1,
                parent=100 * repetition + above if above <= number and above else None,
                parent_is_remote=is_remote,
                kind=kind,
                attributes=attributes,
                scope=scope,
            )
            for number, (above, is_remote, kind, attributes, scope) in enumerate(tree)
        ]
        spans += reversed(made) if is_from_inside_out else made
    fast, slow = mappers()

    for first in range(0, len(spans), batch_size):
        batch = spans[first : first + batch_size]
        assert rows_of(fast, batch) == rows_of(slow, batch)
    assert hits(fast) > 0 or len(tree) > 3  # the second time its layers may be others


def test_where_a_step_says_its_layer_nobody_looks_above_it() -> None:
    """What is above it runs, and what is thought of that meanwhile may change within the batch."""
    fast, slow = mappers()
    spans = [
        make_span(span_id=11, parent=10, attributes={"cache.key": "a"}),
        make_span(span_id=20, trace_id=2, kind=SpanKind.SERVER),
        make_span(span_id=12, parent=10),
        make_span(span_id=10, parent=99),
    ]

    rows = rows_of(fast, spans)

    assert rows == rows_of(slow, spans)
    assert [row.layer for row in rows.steps] == ["cache", "api", "api", "api"]


@given(
    st.dictionaries(_NAMES, _VALUES, max_size=4),
    st.sampled_from(["test", "next.js"]),
    st.sampled_from(["python", "webjs", ""]),
)
def test_what_says_a_layer_of_its_own_is_asked_for_none_above(
    attributes: dict[str, Any], scope: str, language: str
) -> None:
    span = make_span(attributes=attributes)

    above = LayerResolver().layer_above(span, True, 0, attributes, scope, language, SpanIndex([span]))

    assert (above is None) is (own_layer(SpanKind.INTERNAL, attributes, scope, language) is not None)


def test_spans_of_our_own_tracer_inside_of_others_are_those_of_mapping_every_span() -> None:
    """Their parents' contexts are made when they are asked for, and the mapper does not ask."""
    provider = make_tracer_provider(ALWAYS_ON, RESOURCE)
    ended = EndedSpans()
    provider.add_span_processor(ended)
    tracer = provider.get_tracer("shop")
    for number in range(6):
        with tracer.start_as_current_span("request", kind=(SpanKind.SERVER, SpanKind.CONSUMER)[number % 2]):
            for _ in range(3):
                with (
                    tracer.start_as_current_span("price", attributes={"position": number}),
                    tracer.start_as_current_span("query", kind=SpanKind.CLIENT, attributes=QUERY),
                ):
                    pass
    fast, slow = mappers()

    rows = rows_of(fast, ended.spans)

    assert rows == rows_of(slow, ended.spans)
    assert hits(fast) >= len(ended.spans) / 2
    spans = {row.span_id: row for row in rows.steps}
    assert {spans[row.parent_span_id or ""].operation for row in rows.steps if row.operation == "price"} == {"request"}


def test_a_step_of_the_application_is_known_in_each_layer_that_it_is_part_of() -> None:
    fast, slow = mappers()
    spans = []
    for number in range(1, 41):
        kind = SpanKind.SERVER if number % 2 else SpanKind.CONSUMER
        spans += [make_span("price", span_id=1000 + number, trace_id=number, parent=number) for _ in range(3)]
        spans.append(make_span("outer", span_id=number, trace_id=number, kind=kind))

    rows = rows_of(fast, spans)

    assert rows == rows_of(slow, spans)
    assert {row.layer for row in rows.steps if row.operation == "price"} == {"api", "system"}
    assert hits(fast) == len(spans) - 4


def test_a_kind_that_is_none_of_opentelemetrys_is_mapped() -> None:
    fast, slow = mappers()
    spans = [make_span(kind="client") for _ in range(3)]  # type: ignore[arg-type]

    assert rows_of(fast, spans) == rows_of(slow, spans)


@pytest.mark.parametrize(("kind", "usual"), [(SpanKind.CLIENT, QUERY), (SpanKind.SERVER, REQUEST)])
def test_what_fills_its_own_place_makes_no_other_step_once_it_has_had_many_values(
    kind: SpanKind, usual: dict[str, Any]
) -> None:
    fast, slow = mappers()
    differing = "db.response.returned_rows" if usual is QUERY else "url.path"
    values: list[Any] = list(range(40)) if usual is QUERY else [f"/products/{number}/" for number in range(40)]
    spans = [
        recorded(usual | {differing: value, "correlation.id": f"c-{number}"}, kind=kind, trace_id=number + 1)
        for number, value in enumerate(values)
    ]

    rows = rows_of(fast, spans)

    assert hits(fast) >= 30
    assert rows == rows_of(slow, spans)


def test_what_keeps_coming_again_is_part_of_what_is_known() -> None:
    fast, slow = mappers()
    spans = [recorded(QUERY | {"db.response.returned_rows": number % 4}) for number in range(40)]

    rows = rows_of(fast, spans)

    assert hits(fast) == 36
    assert len({id(row.metadata) for row in rows.steps[4:]}) == 4
    assert rows == rows_of(slow, spans)


def test_what_was_a_text_and_becomes_a_number_fills_its_place_from_then_on() -> None:
    fast, slow = mappers()
    spans = [recorded(QUERY | {"note": value}) for value in ("a", "a", 1, True, 1.0, 1, "1", None, -0.0, 0.0, "a")]

    rows = rows_of(fast, spans)

    assert rows == rows_of(slow, spans)
    assert hits(fast) >= 6


@pytest.mark.parametrize(
    ("kind", "usual", "redacted"),
    [
        pytest.param(SpanKind.CLIENT, QUERY | {"code.line.number": value}, "", id=f"line {value!r}")
        for value in (1, True, 1.0)
    ]
    + [
        pytest.param(SpanKind.CLIENT, {"db.system": "mysql", "db.statement": "GET a"}, "db.system", id="hidden system"),
        pytest.param(SpanKind.SERVER, REQUEST | {"url.path": ""}, "", id="empty path"),
        pytest.param(SpanKind.SERVER, REQUEST | {"http.route": ""}, "", id="no route"),
        pytest.param(SpanKind.SERVER, REQUEST | {"host.name": "c"}, "", id="called like the resource's"),
    ],
)
@pytest.mark.parametrize(
    "change",
    [
        {"code.line.number": 1}, {"code.line.number": True}, {"code.line.number": 1.0}, {"db.system": "redis"},
        {"url.path": "/a/"}, {"http.target": "/a/?b=1"}, {"host.name": "b"}, {},
    ],
    ids=str,
)  # fmt: skip
def test_a_change_that_looks_like_none_is_one(
    kind: SpanKind, usual: dict[str, Any], redacted: str, change: dict[str, Any]
) -> None:
    changed = usual | {name: value for name, value in change.items() if name in usual}
    resource = Resource({"service.name": "shop", "host.name": "c"})
    spans = [
        make_span(kind=kind, attributes=attributes, resource=resource) for attributes in (usual, usual, changed, usual)
    ]
    fast, slow = mappers(redacted)

    assert rows_of(fast, spans) == rows_of(slow, spans)


def test_numbers_where_texts_stood_before_are_told_from_truths() -> None:
    spans = [recorded(QUERY | {"code.file.path": path}) for path in ("a.py", 1, True, 1.0, 1)]
    fast, slow = mappers()

    assert rows_of(fast, spans) == rows_of(slow, spans)


def test_values_that_are_lists_fill_their_places_too() -> None:
    fast, slow = mappers()
    usual = {"e2edebug.layer": "cache", "e2edebug.component": "default", "e2edebug.operation": "get_many"}
    spans = [recorded(usual | {"cache.key": ("user:*", key), "cache.hits": 1}) for key in ("a", "b", "token=c", "b")]

    rows = rows_of(fast, spans)

    assert hits(fast) == 3
    assert rows == rows_of(slow, spans)


def test_what_the_sdk_dropped_is_told_of_each_span() -> None:
    fast, slow = mappers()
    spans = [recorded(QUERY), recorded(QUERY)]
    for span in spans:
        span._attributes = BoundedAttributes(len(QUERY), {"one too many": 1, **QUERY})

    rows = rows_of(fast, spans)

    assert rows == rows_of(slow, spans)
    assert all('"otel.dropped":1' in row.metadata for row in rows.steps)


def test_users_share_what_is_known_of_their_requests() -> None:
    fast, slow = mappers()
    spans = [
        recorded(
            REQUEST | {"enduser.id": f"{number}", "e2edebug.user.label": f"user {number}", "session.id": "a" * number},
            kind=SpanKind.SERVER,
            parent=None,
        )
        for number in range(10)
    ]

    rows = rows_of(fast, spans)

    assert hits(fast) == 9
    assert rows == rows_of(slow, spans)
    assert [row.session_facts.user_id for row in rows.steps if row.session_facts] == [str(n) for n in range(10)]


def test_calls_of_one_address_share_what_is_known_whatever_their_queries_say() -> None:
    fast, slow = mappers()
    spans = [
        recorded(
            {"http.method": "POST", "http.url": f"http://{host}/v1/charges?order={number}", "http.status_code": 200}
        )
        for host in ("pay.example", "bank.example")
        for number in range(20)
    ]

    rows = rows_of(fast, spans)

    assert hits(fast) == 38
    assert rows == rows_of(slow, spans)
    assert {row.component for row in rows.steps} == {"pay.example", "bank.example"}
    assert not any("order=1" in row.metadata for row in rows.steps)


def test_a_secret_in_a_value_that_fills_a_place_is_taken_out_each_time() -> None:
    fast, _ = mappers()
    spans = [recorded(QUERY | {"note": f"password=hunter{number % 15}"}) for number in range(40)]

    texts = [row.metadata for row in rows_of(fast, spans).steps]

    assert hits(fast) >= 30
    assert not any("hunter" in text for text in texts)


def test_the_number_of_steps_kept_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_steps, "MOST_STEPS", 50)
    fast, slow = mappers()
    spans = [recorded(QUERY | {"db.query.text": f"SELECT a{number % 120} FROM b"}) for number in range(240)]

    assert rows_of(fast, spans) == rows_of(slow, spans)
    assert sum(len(shape.steps) for shape in fast._steps._known._shapes[SpanKind.CLIENT.value].values()) <= 50


def test_spans_that_all_differ_are_soon_mapped_without_a_look() -> None:
    fast, slow = mappers()
    spans = [recorded(QUERY | {"db.query.text": f"SELECT a{number} FROM b"}) for number in range(600)]

    assert rows_of(fast, spans) == rows_of(slow, spans)
    (shape,) = fast._steps._known._shapes[SpanKind.CLIENT.value].values()
    assert shape.rest > 0
    assert not shape.steps


def test_what_is_sanitised_is_counted_each_time() -> None:
    fast, slow = mappers()
    spans = [recorded(QUERY | {"order.total": 2**70 + number}) for number in range(5)]

    assert rows_of(fast, spans) == rows_of(slow, spans)
    assert fast.sanitised == slow.sanitised


def test_another_resource_makes_other_rows() -> None:
    fast, slow = mappers()
    spans = [make_span(kind=SpanKind.CLIENT, attributes=QUERY, resource=RESOURCE) for _ in range(2)]
    spans += [
        make_span(kind=SpanKind.CLIENT, attributes=QUERY, resource=Resource({"service.name": "bakery"}))
        for _ in range(2)
    ]

    rows = rows_of(fast, spans)

    assert rows == rows_of(slow, spans)
    assert [row.service for row in rows.steps] == ["shop", "shop", "bakery", "bakery"]
