"""Spans become trace steps."""

import hashlib
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, Status, StatusCode

from e2edebug.policy import attributes as names
from e2edebug.policy import correlation_id
from e2edebug.policy.sql_text import Statement, describe_statement
from e2edebug_exporters.attribute_json import AttributeEncoder, Facts, quote
from e2edebug_exporters.column_limits import column_limits
from e2edebug_exporters.column_text import ColumnText
from e2edebug_exporters.known_steps import KnownSteps
from e2edebug_exporters.layers import LayerResolver
from e2edebug_exporters.metadata_json import MetadataWriter
from e2edebug_exporters.recording.span import NOTHING_PREPARED, UNSET, RecordingSpan
from e2edebug_exporters.resource_facts import ResourceFacts, ResourceReader
from e2edebug_exporters.rows import SharedColumns, StepRow
from e2edebug_exporters.sanitize import ROOM_FOR_SECRETS, Sanitizer, cut, cut_mark
from e2edebug_exporters.session_facts import SessionReader, tells_of_workflow
from e2edebug_exporters.span_reading import SpanIndex, raw_attributes
from e2edebug_exporters.stack_location import location_of_exception
from e2edebug_exporters.step_naming import code_location_of, component_of, operation_of
from e2edebug_exporters.step_places import LAYER
from e2edebug_exporters.time_text import EARLIEST, END_OF_TIME_UNIX_NS, is_storable, time_text, time_texts

RECEIVED_TIMES: Final = "e2edebug.received_times"

MappedSpan = tuple[StepRow, Facts, ResourceFacts]
"""A step's row, and what its errors take over from it."""


class StepMapper:
    """Makes the row of one span after the other; remembers what repeats."""

    def __init__(
        self,
        *,
        texts: ColumnText,
        encoder: AttributeEncoder,
        sanitizer: Sanitizer,
        resources: ResourceReader,
        sessions: SessionReader,
        layers: LayerResolver,
        metadata: MetadataWriter,
        value_max_bytes: int,
    ) -> None:
        self._texts = texts
        self._encoder = encoder
        self._sanitizer = sanitizer
        self._resources = resources
        self._sessions = sessions
        self._layers = layers
        self._metadata = metadata
        self._value_max_bytes = value_max_bytes
        self._limits = column_limits().step
        self._components = texts.names(self._limits["component"])
        self._operations = texts.names(self._limits["operation"])
        self._locations = texts.names(self._limits["code_location"])
        self._statements: dict[str, Statement] = {}
        self._last_parent: tuple[int | None, str] = (None, "")
        self._last_trace: tuple[int | None, str, str] = (None, "", "")
        self._digests: set[str] = set()
        self._accepted: dict[str, str] = {}
        self._correlations: dict[int, str] = {}
        self._known = KnownSteps(encoder, longest_metadata=metadata.most_characters)

    def map(self, span: ReadableSpan, index: SpanIndex) -> MappedSpan:
        """Return the row of *span*, and what its errors take over. *index*: the batch it came in."""
        kind = span.kind
        name = span.name
        parent = span.parent
        span_status = span.status
        description = span_status.description
        instrumentation = span.instrumentation_scope
        scope = instrumentation.name if instrumentation is not None else ""
        attributes = raw_attributes(span)
        is_root = parent is None or parent.is_remote
        facts: Facts = {}
        parts: dict[str, str] = {}
        self._encoder.read(attributes, of_server=kind is _SERVER, facts=facts, parts=parts)
        resource = self._resources.facts(span.resource)
        layer = self._layers.layer(span, attributes, index, scope=scope, language=resource.language)

        verb = table = ""
        text = digest = None
        if "db.query.text" in facts:
            statement = self._statement(facts, parts, layer)
            verb, table = statement.operation, statement.table
            if layer == "database":
                text = statement.text
                digest = self._digest(facts) or statement.digest
        component = component_of(layer, facts, table, name, scope)
        component = self._components.get(component) or self._texts.name(component, self._limits["component"])
        operation = operation_of(layer, facts, verb, name)
        operation = self._operations.get(operation) or self._texts.name(operation, self._limits["operation"])
        if layer == "database":
            # What a column says is not said again: 64 of the 210 bytes that a query's metadata had.
            if facts.get("db.collection.name") == component:
                parts.pop("db.collection.name", None)
            if facts.get("db.operation.name") == operation:
                parts.pop("db.operation.name", None)

        context = span.context
        trace_number, span_number = (0, 0) if context is None else (context[_TRACE_ID], context[_SPAN_ID])
        trace_id, span_id, derived_id = self._ids(span, trace_number, span_number)
        start_time, end_time, duration_ms = self._times(span, parts)
        status = _status_of(span, span_status, facts)
        session_facts = None
        if is_root:
            parts.update(resource.essentials)
        if is_root or tells_of_workflow(facts):
            session_facts = self._sessions.read(
                facts,
                is_root=is_root,
                step_status=status,
                span_name=name,
                operation=operation,
                release=resource.release,
            )
        correlation = self._accept(facts.get(names.CORRELATION_ID))
        if correlation is None:
            correlation = derived_id
        elif is_root:
            self._note_correlation(trace_number, correlation)
        shared = SharedColumns(
            layer,
            component,
            operation,
            _kind_name(kind),
            resource.service,
            status,
            self._status_message(description) if description else "",
            text,
            digest,
            self._code_location(span, facts),
        )
        row = StepRow(
            correlation,
            trace_id,
            span_id,
            self._parent_id(0 if parent is None else parent[_SPAN_ID]),
            shared,
            start_time,
            end_time,
            duration_ms,
            self._metadata.of_span(span, facts, parts),
            session_facts,
        )
        if self._known.awaits_row:
            self._known.learn(attributes, row, facts, parts, resource.essentials if is_root else ())
        return row, facts, resource

    def map_known(self, span: ReadableSpan, index: SpanIndex) -> StepRow | None:
        """Return the row of a span that is like one mapped before; None when it is for `map`, which is to be called then.

        A quarter of the time of `map`, so what nearly all spans are is read here without any call that can be spared.
        """
        known_steps = self._known
        known_steps.awaits_row = False
        prepared = NOTHING_PREPARED
        attributes: Any
        if type(span) is RecordingSpan:
            prepared, attributes = span._prepared, span._own  # in this order: see there
            if span._status is not UNSET or span._events or span._links:
                return None
            if type(attributes) is not dict:
                if span.dropped_attributes:
                    return None
                attributes = raw_attributes(span)
            trace_number, span_number, kind, scope = span._trace_id, span._span_id, span._kind, span._origin.scope_name
            name, resource, start, end = span._name, span._resource, span._start_time, span._end_time
            parent_number, parent = span._parent_span_id, span._given_parent
            is_root = not parent_number if parent is None else parent[_IS_REMOTE]
        else:
            if span._events or span._links or span.dropped_attributes or not _is_unset(span.status):
                return None
            attributes, instrumentation = raw_attributes(span), span.instrumentation_scope
            context, parent, kind = span.context, span.parent, span.kind
            if context is None:
                return None
            trace_number, span_number = context[_TRACE_ID], context[_SPAN_ID]
            scope = instrumentation.name if instrumentation is not None else ""
            name, resource, start, end = span.name, span.resource, span.start_time, span.end_time
            parent_number, is_root = (0, True) if parent is None else (parent[_SPAN_ID], parent[_IS_REMOTE])
        if start is None or end is None or not 0 < start <= end < END_OF_TIME_UNIX_NS:
            return None
        if type(kind) is not SpanKind:  # nothing checks what an application gives
            return None
        layers = self._layers
        layer_above = None
        if prepared and kind is not _CLIENT:  # whatever instruments so: what is prepared here are calls
            prepared, attributes = NOTHING_PREPARED, raw_attributes(span)
        if kind is _INTERNAL:
            language = self._resources.facts(resource).language
            layer_above = layers.layer_above(span, is_root, parent_number, attributes, scope, language, index)
        # All by position: with keywords the interpreter takes the long way into a function.
        if prepared:
            found = known_steps.find_prepared(prepared, attributes, name, scope, resource, is_root)
        else:
            found = known_steps.find(attributes, name, scope, resource, kind, is_root, layer_above)
        if found is None:
            return None
        (shared, session_facts, _, _), metadata = found
        if trace_number == self._last_trace[0] and 0 < span_number <= _SPAN_ID_BITS:
            _, trace_id, derived_id = self._last_trace
            span_id = span_number.to_bytes(8, "big").hex()  # in half the time of a format
        else:
            trace_id, span_id, derived_id = self._ids(span, trace_number, span_number)
        parent_id = self._last_parent[1] if parent_number == self._last_parent[0] else self._parent_id(parent_number)
        correlation = attributes.get(names.CORRELATION_ID)
        if correlation is None and prepared:
            correlation = prepared.get(names.CORRELATION_ID)
        if correlation is None or (correlation := self._accept(correlation)) is None:
            correlation = derived_id
        elif is_root:
            self._note_correlation(trace_number, correlation)
        if kind is not _CLIENT:
            layers.note(kind, resource, span_number, shared[LAYER])
        if session_facts is not None and (
            person := known_steps.person(raw_attributes(span) if prepared else attributes)
        ):
            session_facts = self._sessions.with_person(session_facts, person)
        start_time, end_time = time_texts(start, end)
        # By position, and not by StepRow(): its constructor is Python code that does the same.
        return _new_tuple(
            StepRow,
            (
                correlation, trace_id, span_id, parent_id, shared, start_time, end_time, (end - start) / 1e6, metadata,
                session_facts,
            ),
        )  # fmt: skip

    def correlation_of_trace(self, trace_id: int) -> str:
        """Return the correlation id that the last spans of this trace had, else the one made of its trace id."""
        return self._correlations.get(trace_id) or correlation_id.from_trace_id(trace_id & _TRACE_ID_BITS)

    def _ids(self, span: ReadableSpan, number: int, span_number: int) -> tuple[str, str, str]:
        """Trace id, span id, and the correlation id of a workflow that has no other."""
        if number <= 0 or not 0 < span_number <= _SPAN_ID_BITS:
            return self._made_up_ids(span)
        known = self._last_trace
        if known[0] != number:
            trace_id = number & _TRACE_ID_BITS
            text = trace_id.to_bytes(16, "big").hex()
            known = self._last_trace = (number, text, correlation_id.from_trace_text(text))
        return known[1], span_number.to_bytes(8, "big").hex(), known[2]

    def _made_up_ids(self, span: ReadableSpan) -> tuple[str, str, str]:
        """A span without ids is still one row, and the same row when it is delivered again."""
        self._sanitizer.counts["empty id"] += 1
        context = span.context
        content = f"{span.name}\0{span.start_time}\0{span.end_time}\0{context and (context.trace_id, context.span_id)}"
        digest = hashlib.md5(content.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
        trace_id = context.trace_id if context is not None and context.trace_id else int(digest, 16)
        span_id = f"{context.span_id & _SPAN_ID_BITS:016x}" if context is not None and context.span_id else digest[:16]
        return f"{trace_id & _TRACE_ID_BITS:032x}", span_id, correlation_id.from_trace_id(trace_id & _TRACE_ID_BITS)

    def _note_correlation(self, trace_id: int, correlation: str) -> None:
        if len(self._correlations) >= _MOST_REMEMBERED:
            self._correlations.clear()
        self._correlations[trace_id] = correlation

    def _parent_id(self, number: int) -> str | None:
        if not number:
            return None
        known = self._last_parent
        if known[0] != number:
            known = self._last_parent = (number, (number & _SPAN_ID_BITS).to_bytes(8, "big").hex())
        return known[1]

    def _accept(self, value: object) -> str | None:
        if type(value) is not str:
            return None
        accepted = self._accepted.get(value)
        if accepted is None:
            accepted = correlation_id.accept(value)
            if accepted is None:
                self._sanitizer.counts["correlation id"] += 1
                return None
            if len(self._accepted) >= _MOST_REMEMBERED:
                self._accepted.clear()
            self._accepted[value] = accepted
        return accepted

    def _times(self, span: ReadableSpan, parts: dict[str, str]) -> tuple[str, str | None, float | None]:
        start, end = span.start_time, span.end_time
        if start is not None and end is not None and 0 < start <= end < END_OF_TIME_UNIX_NS:
            start_time, end_time = time_texts(start, end)
            return start_time, end_time, (end - start) / 1e6
        if start is not None and end is None and is_storable(start):
            return time_text(start), None, None
        return self._mended_times(span, parts)

    def _mended_times(self, span: ReadableSpan, parts: dict[str, str]) -> tuple[str, str | None, float | None]:
        """Times out of range or order are kept as they came in the metadata, and put where a column can hold them."""
        start, end = span.start_time, span.end_time
        self._sanitizer.counts["time"] += 1
        parts[RECEIVED_TIMES] = f'"{RECEIVED_TIMES}":[{_json_integer(start)},{_json_integer(end)}]'
        usable = [time for time in (start, end) if time is not None and is_storable(time)]
        if not usable:
            latest = max((time for time in (start, end) if time is not None), default=0)
            text = time_text(latest) if latest > 0 else EARLIEST
            return text, None if end is None else text, None if end is None else 0.0
        begin = start if start is not None and is_storable(start) else usable[-1]
        if end is None:
            return time_text(begin), None, None
        finish = end if is_storable(end) and end >= begin else begin
        return time_text(begin), time_text(finish), (finish - begin) / 1e6

    def _statement(self, facts: Facts, parts: dict[str, str], layer: str) -> Statement:
        sql = facts["db.query.text"]
        if type(sql) is not str:
            sql = self._sanitizer.as_text(sql)
        known = self._statements.get(sql)
        if known is not None and layer == "database":
            return known
        is_cut = len(sql) > self._value_max_bytes
        beginning = self._sanitizer.clean(sql[: self._value_max_bytes] if is_cut else sql)
        if layer != "database":
            # `SET user:1 <value>`: a command's arguments are keys and values, so only the command is shown.
            command = self._texts.name(beginning.split(None, 1)[0] if beginning.strip() else "", _LONGEST_COMMAND)
            parts["db.query.text"] = '"db.query.text":' + quote(command)
            return Statement(command, "", command.upper(), "")
        described = describe_statement(beginning, is_cut=is_cut)
        if is_cut:
            self._sanitizer.counts["cut"] += 1
            return described._replace(text=described.text + cut_mark(len(sql)))
        if len(sql) <= _LONGEST_REMEMBERED_STATEMENT:
            if len(self._statements) >= _MOST_REMEMBERED_STATEMENTS:
                self._statements.clear()
            self._statements[sql] = described
        return described

    def _digest(self, facts: Facts) -> str | None:
        """The digest made at capture, from the whole statement; the exporter may only see a part of it."""
        digest = facts.get(names.STATEMENT_DIGEST)
        if type(digest) is not str:
            return None
        if digest in self._digests:
            return digest
        if len(digest) == _DIGEST_LENGTH and digest.isalnum() and digest.isascii():
            if len(self._digests) >= _MOST_REMEMBERED:
                self._digests.clear()
            self._digests.add(digest)
            return digest
        return None

    def _code_location(self, span: ReadableSpan, facts: Facts) -> str | None:
        location = code_location_of(facts)
        if location is None:
            # Not span.events: a copy of what nearly every span has none of.
            location = location_of_exception(span._events) if span._events else None
        if location is None:
            return None
        return self._locations.get(location) or self._texts.name(location, self._limits["code_location"])

    def _status_message(self, description: str) -> str:
        error_type, colon, _ = description[:_LONGEST_COMMAND].partition(": ")
        return self._texts.error_message(description, self._limits["status_message"], error_type if colon else "")


def _is_unset(status: Status) -> bool:
    return status.status_code is StatusCode.UNSET and not status.description


def _status_of(span: ReadableSpan, status: Status, facts: Facts) -> str:
    if facts.get(names.SKIPPED) is True:
        return "skipped"
    if span.end_time is None:
        return "started"
    if status.status_code is not _ERROR:
        return "completed"
    return "completed" if span.kind is _SERVER and is_client_error(facts) else "failed"


def _kind_name(kind: SpanKind) -> str:
    # Not a dictionary: members of an enum hash in Python code, which costs four times the comparison.
    if kind is _CLIENT:
        return "client"
    if kind is _INTERNAL:
        return "internal"
    return "server" if kind is _SERVER else "producer" if kind is SpanKind.PRODUCER else "consumer"


def is_client_error(facts: Facts) -> bool:
    """Tell whether a request was answered with a status below 500: what went wrong, if anything, is the client's."""
    status = facts.get("http.response.status_code")
    try:
        return status is not None and 0 < int(status) < 500
    except (OverflowError, TypeError, ValueError):
        return False


def _json_integer(value: int | None) -> str:
    return (
        "null"
        if value is None
        else cut(repr(value), ROOM_FOR_SECRETS)
        if abs(value) < 2**63
        else f'"{value.bit_length()} bits"'
    )


# A member looked up on its enum class costs more than a global.
_CLIENT: Final = SpanKind.CLIENT
_INTERNAL: Final = SpanKind.INTERNAL
_SERVER: Final = SpanKind.SERVER
_ERROR: Final = StatusCode.ERROR
_new_tuple: Final = tuple.__new__
# A span's context is a tuple (opentelemetry.trace.SpanContext), whose properties are functions in Python.
_TRACE_ID: Final = 0
_SPAN_ID: Final = 1
_IS_REMOTE: Final = 2
_TRACE_ID_BITS: Final = 2**128 - 1
_SPAN_ID_BITS: Final = 2**64 - 1
_DIGEST_LENGTH: Final = 32
_LONGEST_COMMAND: Final = 100
_MOST_REMEMBERED: Final = 4096
_LONGEST_REMEMBERED_STATEMENT: Final = 4096
_MOST_REMEMBERED_STATEMENTS: Final = 500
