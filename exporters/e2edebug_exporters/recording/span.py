"""A span that is being recorded, and what is read of it once it has ended.

It does what `opentelemetry.sdk.trace.Span` does, and the SDK's own containers do it wherever a value has to be
cleaned, cut or dropped. It is cheaper in the common case alone: attributes that need no cleaning go into a plain dict,
containers for events and links are made when there is something to put into them, and what processors are given at the
end is the span itself, which nothing changes any more, instead of a copy.
"""

import copy
import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from operator import attrgetter
from threading import Lock, RLock
from time import perf_counter_ns, time_ns
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Final, final

from opentelemetry import trace
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, Span
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState
from opentelemetry.util.types import AnyValue, Attributes

from e2edebug.policy.exception_stack import UNPRINTABLE, stack_text
from e2edebug.policy.prepared_attributes import PreparedAttributes
from e2edebug.policy.recorded_exceptions import is_recorded, remember_recorded
from e2edebug_exporters.recording.kept_attributes import bounded, put, put_all
from e2edebug_exporters.recording.origin import SpanOrigin

_log = logging.getLogger(__name__)
UNSET: Final = Status(StatusCode.UNSET)
"""The status that every span begins with."""
NOTHING_PREPARED: Final = PreparedAttributes()
"""Of a span that has all its attributes for itself."""
_new_tuple: Final = tuple.__new__
_ONLY_STR: Final = frozenset({str})
_ENDED: Final = RLock()
"""Of all ended spans, on which it protects nothing. A lock each was a fourth of what the garbage collector visits of a
span that waits to be written. One that a signal handler may take while the code it interrupted has it."""


@final
class RecordingSpan(trace.Span, ReadableSpan):
    """A span under way, and after end() the immutable record of it. Safe for threads.

    Differs from the SDK's in three things that can be seen: recording an exception never raises, whatever the
    exception's own `__str__` does; nor does setting a value that cannot be read; and what takes its end from the clock lasts as long as it took, whatever is done to
    the system's time meanwhile. What ReadableSpan keeps can be assigned by its names, because processors in the wild
    do so: `span._name`, `span._attributes`, `span._context`.
    """

    __slots__ = (
        "_begun_at_ns",
        "_end_time",
        "_events",
        "_given_parent",
        "_is_valid",
        "_kind",
        "_links",
        "_lock",
        "_made_context",
        "_name",
        "_origin",
        "_own",
        "_parent_span_id",
        "_prepared",
        "_queue_bytes",
        "_queue_sequence",
        "_record_exception",
        "_resource",
        "_set_status_on_exception",
        "_span_id",
        "_start_time",
        "_status",
        "_trace_flags",
        "_trace_id",
        "_trace_state",
    )

    # ReadableSpan's constructor would set every field twice.
    def __init__(
        self,
        origin: SpanOrigin,
        name: str,
        context: tuple[int, int, TraceFlags, TraceState, bool],
        parent: SpanContext | None,
        parent_span_id: int,
        kind: SpanKind,
        resource: Resource,
        attributes: Attributes,
        links: Sequence[Link],
        record_exception: bool,
        set_status_on_exception: bool,
        start_time: int | None,
    ) -> None:
        """Begin; who makes the span tells the processors.

        context: trace id, span id, flags, state, and whether the ids are valid. parent: its context; None where that is
        this span's own but for *parent_span_id*, or where there is no parent, and that is 0.
        """
        self._origin = origin
        self._name = name
        # A SpanContext is made when somebody asks for it: nearly nobody does, and of a span that waits to be written it
        # would be half of what the garbage collector visits.
        self._trace_id, self._span_id, self._trace_flags, self._trace_state, self._is_valid = context
        self._made_context: SpanContext | None = None
        self._given_parent = parent
        self._parent_span_id = parent_span_id
        self._queue_sequence = self._queue_bytes = 0
        self._kind = kind
        self._resource = resource
        self._record_exception = record_exception
        self._set_status_on_exception = set_status_on_exception
        self._status = UNSET
        self._end_time: int | None = None
        self._events: BoundedList[Event] | tuple[()] = ()
        self._links: BoundedList[Link] | tuple[()] = self._valid_links(links) if links else ()
        self._lock: AbstractContextManager[bool] = Lock()
        # An attribute stands in one of the two. Another thread may read them and must not miss any: whoever puts them
        # together writes `_own` first, and readers read it last.
        self._prepared: PreparedAttributes = NOTHING_PREPARED
        self._own: dict[str, AnyValue] | BoundedAttributes
        if not attributes:
            self._own = {}
        else:
            own = dict(attributes)
            if (
                origin.plain_types.issuperset(map(type, own.values()))
                and _ONLY_STR.issuperset(map(type, own))
                and "" not in own
                and len(own) <= origin.most_attributes
            ):
                self._own = own
            else:
                self._own = origin.bounded_attributes(attributes)
        # The clock of the wall says when it began, one that never jumps how long it took: a correction of the system's
        # time by an hour must not become an hour's duration, and an alert.
        self._start_time = start_time
        self._begun_at_ns: int | None = None
        if start_time is None:
            self._start_time = time_ns()
            self._begun_at_ns = perf_counter_ns()

    # Reading.

    if not TYPE_CHECKING:  # as declared by ReadableSpan; an attrgetter answers in a third of the time (40 to 104 ns)
        name = property(attrgetter("_name"))
        kind = property(attrgetter("_kind"))
        start_time = property(attrgetter("_start_time"))
        end_time = property(attrgetter("_end_time"))
        status = property(attrgetter("_status"))
        resource = property(attrgetter("_resource"))
        instrumentation_scope = property(attrgetter("_origin.scope"))
        instrumentation_info = property(attrgetter("_origin.info"))

    def get_span_context(self) -> SpanContext:
        """Return what propagators send on."""
        made = self._made_context
        if made is None:
            made = self._made_context = self._context_of(self._span_id)
        return made

    def _context_of(self, span_id: int) -> SpanContext:
        """Return a context that differs from this span's by its span id alone."""
        trace_id, flags, state = self._trace_id, self._trace_flags, self._trace_state
        if self._is_valid:  # a third of the time that the constructor takes, which looks at the ids
            return _new_tuple(SpanContext, (trace_id, span_id, False, flags, state, True))
        return SpanContext(trace_id, span_id, False, flags, state)

    @property
    def parent(self) -> SpanContext | None:
        """The context of the parent; None for the first span of a trace."""
        given, span_id = self._given_parent, self._parent_span_id
        return self._context_of(span_id) if given is None and span_id else given

    if not TYPE_CHECKING:

        def _take_context(self, context: SpanContext) -> None:
            """Processors in the wild assign `span._context`, to take the sampled flag away (Azure Monitor's manual)."""
            self._given_parent = self.parent  # which is made from this span's context where nobody gave it
            self._made_context = context
            self._trace_id, self._span_id, _, self._trace_flags, self._trace_state, self._is_valid = context

        def _take_parent(self, parent: SpanContext | None) -> None:
            self._given_parent = parent
            self._parent_span_id = 0 if parent is None else parent.span_id

        def _whole_attributes(self) -> dict[str, AnyValue] | BoundedAttributes:
            """Processors in the wild read `span._attributes`, and change it."""
            if self._prepared:
                if self._end_time is not None:
                    self._put_together()
                elif self._lock.acquire(blocking=False):
                    try:
                        self._put_together()
                    finally:
                        self._lock.release()
                else:  # a signal handler may have interrupted the one who has the lock
                    return {**self._prepared, **self._own}
            return self._own

        def _take_attributes(self, attributes: dict[str, AnyValue] | BoundedAttributes) -> None:
            self._own, self._prepared = attributes, NOTHING_PREPARED

        context = property(get_span_context)
        _context = property(get_span_context, _take_context)
        _parent = property(parent.fget, _take_parent)
        _attributes = property(_whole_attributes, _take_attributes)

    def attribute(self, name: str) -> AnyValue:
        """Return one attribute, None if there is none. Cheaper than to have all of them."""
        prepared = self._prepared
        value = self._own.get(name)
        return prepared.get(name) if value is None else value

    @property
    def attributes(self) -> Attributes:
        """A view; while the span runs it follows the span, and may be iterated while other threads set attributes."""
        return MappingProxyType(self._put_together() if self._end_time is not None else self._shared_attributes())

    @property
    def events(self) -> Sequence[Event]:
        """The events so far, oldest first."""
        return tuple(self._events)

    @property
    def links(self) -> Sequence[Link]:
        """The valid links so far."""
        return tuple(self._links)

    @property
    def dropped_attributes(self) -> int:
        """How many attributes were invalid or over the limit."""
        own = self._own
        return own.dropped if isinstance(own, BoundedAttributes) else 0

    @property
    def dropped_events(self) -> int:
        """How many events were over the limit."""
        return self._events.dropped if isinstance(self._events, BoundedList) else 0

    @property
    def dropped_links(self) -> int:
        """How many links were over the limit."""
        return self._links.dropped if isinstance(self._links, BoundedList) else 0

    def is_recording(self) -> bool:
        """Return whether the span has not ended."""
        return self._end_time is None

    def to_json(self, indent: int | None = 4) -> str:
        """Return the SDK's JSON of the span."""
        return str(self._readable_span().to_json(indent))

    def _readable_span(self) -> ReadableSpan:
        """Return a copy as the SDK makes it; it has this method too, and tests and live views call it."""
        prepared, own = self._prepared, self._own
        return ReadableSpan(
            name=self._name,
            context=self.get_span_context(),
            parent=self.parent,
            resource=self._resource,
            attributes={**prepared, **own} if type(own) is dict else own,
            events=self._events,
            links=self._links,
            kind=self._kind,
            status=self._status,
            start_time=self._start_time,
            end_time=self._end_time,
            instrumentation_info=self._origin.info,
            instrumentation_scope=self._origin.scope,
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> ReadableSpan:
        return copy.deepcopy(self._readable_span(), memo)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(name="{self._name}", context={self.get_span_context()})'

    # Recording.

    def start(self, start_time: int | None = None, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the SDK's
        """Do nothing but say so: a span begins when its tracer makes it."""
        _log.warning("Calling start() on a started span.")

    def end(self, end_time: int | None = None) -> None:
        """End, and hand the span to the span processors. Nothing changes it from here on."""
        with self._lock:
            is_ended = self._end_time is not None
            if not is_ended:
                if end_time is None:
                    start_time, begun_at_ns = self._start_time, self._begun_at_ns
                    if start_time is None or begun_at_ns is None:
                        end_time = time_ns()
                    else:
                        end_time = start_time + perf_counter_ns() - begun_at_ns
                self._end_time = end_time
        if is_ended:
            _log.warning("Calling end() on an ended span.")
            return
        self._lock = _ENDED
        processors = self._origin.processors
        for processor in processors.watching_ends:
            processor._on_ending(self)  # type: ignore[arg-type] # registered as one below
        for processor in processors.added:
            processor.on_end(self)

    def set_attribute(self, key: str, value: AnyValue) -> None:
        """Set one attribute; the last value of a key counts, and stands last."""
        with self._lock:
            if self._end_time is None:
                own, prepared = self._own, self._prepared
                if type(own) is dict and type(key) is str and key and type(value) in self._origin.plain_types:
                    if key in prepared:
                        own, prepared = self._put_together(), NOTHING_PREPARED
                    if key in own:
                        del own[key]
                        own[key] = value
                        return
                    if len(own) + len(prepared) < self._origin.most_attributes:
                        own[key] = value
                        return
                put(self._bounded_attributes(), key, value)
                return
        _log.warning("Setting attribute on ended span.")

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        """Set several attributes, all of them or, on an ended span, none."""
        with self._lock:
            if self._end_time is None:
                own = self._put_together()
                new = dict(attributes)
                origin = self._origin
                if (
                    type(own) is dict
                    and origin.plain_types.issuperset(map(type, new.values()))
                    and _ONLY_STR.issuperset(map(type, new))
                    and "" not in new
                    and len(own) + len(new) <= origin.most_attributes
                ):
                    for key in new:
                        own.pop(key, None)
                    own.update(new)
                else:
                    put_all(self._bounded_attributes(), new)
                return
        _log.warning("Setting attribute on ended span.")

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Add an event, at *timestamp* (ns since 1970) or now."""
        limits = self._origin.limits
        most = limits.max_event_attributes
        kept: Attributes
        if (
            attributes
            and limits.max_attribute_length is None
            and (most is None or len(attributes) <= most)
            and self._origin.plain_types.issuperset(map(type, attributes.values()))
            and _ONLY_STR.issuperset(map(type, attributes))
            and "" not in attributes
        ):
            kept = MappingProxyType(dict(attributes))
        else:
            kept = bounded(most, attributes, immutable=True, longest=limits.max_attribute_length)
        event = Event(name, kept, time_ns() if timestamp is None else timestamp)
        with self._lock:
            if self._end_time is None:
                if not isinstance(self._events, BoundedList):
                    self._events = BoundedList(limits.max_events)
                self._events.append(event)
                return
        _log.warning("Tried calling %s on an ended span.", "_add_event")

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        """Add a link to another span, unless it is invalid and says nothing."""
        if not _is_valid_link(context, attributes):
            return
        link = self._origin.link(context, attributes)
        with self._lock:
            if self._end_time is None:
                if not isinstance(self._links, BoundedList):
                    self._links = BoundedList(self._origin.limits.max_links)
                self._links.append(link)
                return
        _log.warning("Tried calling %s on an ended span.", "_add_link")

    def update_name(self, name: str) -> None:
        """Rename the span."""
        with self._lock:
            if self._end_time is None:
                self._name = name
                return
        _log.warning("Tried calling %s on an ended span.", "update_name")

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set the status; OK is final, and nothing is unset again (OpenTelemetry specification, "Set Status")."""
        with self._lock:
            is_ended = self._end_time is not None
            if not is_ended:
                code = status.status_code if isinstance(status, Status) else status
                if not isinstance(code, StatusCode) or code is StatusCode.UNSET:
                    return
                if self._status.status_code is StatusCode.OK:
                    return
                self._status = status if isinstance(status, Status) else Status(status, description)
        if is_ended:
            _log.warning("Tried calling %s on an ended span.", "set_status")
        elif description is not None and isinstance(status, Status):
            _log.warning(
                "Description %s ignored. Use either `Status` or `(StatusCode, Description)`",
                description,
            )

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Add the event `exception`. Never raises: the application is in the middle of handling its own.

        Of an exception that passes through several spans, the first and the outermost one of the process have the
        stack, the others its innermost frame: whole stacks on each would take quadratic time.
        """
        module, name = type(exception).__module__, type(exception).__qualname__
        trace_id, parent = self._trace_id, self.parent
        is_copy = parent is not None and not parent.is_remote and is_recorded(exception, trace_id)
        found: dict[str, AnyValue] = {
            "exception.type": f"{module}.{name}" if module and module != "builtins" else name,
            "exception.message": _message(exception),
            "exception.stacktrace": stack_text(exception, is_copy=is_copy),
            "exception.escaped": str(escaped),
        }
        remember_recorded(exception, trace_id)
        if attributes:
            found.update(attributes)
        self.add_event("exception", found, timestamp)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        if exc_val is not None and self.is_recording():
            if self._record_exception:
                self.record_exception(exc_val, escaped=True)
            if self._set_status_on_exception:
                self.set_status(Status(StatusCode.ERROR, f"{type(exc_val).__name__}: {_message(exc_val)}"))
        self.end()

    def _valid_links(self, links: Sequence[Link]) -> BoundedList[Link]:
        valid = [
            self._origin.link(link.context, link.attributes)
            for link in links
            if link and _is_valid_link(link.context, link.attributes)
        ]
        return BoundedList.from_seq(self._origin.limits.max_links, valid)

    def _shared_attributes(self) -> BoundedAttributes | dict[str, AnyValue]:
        """Return the attributes of a running span as something that other threads may iterate."""
        if type(self._own) is not dict:
            return self._own
        with self._lock:
            return self._put_together() if self._end_time is not None else self._bounded_attributes()

    def _bounded_attributes(self) -> BoundedAttributes:
        """Have the SDK's own container take over from the dict, for good. Called under the lock."""
        own = self._put_together()
        if not isinstance(own, BoundedAttributes):
            own = self._own = self._origin.bounded_attributes(own)
        return own

    def _put_together(self) -> dict[str, AnyValue] | BoundedAttributes:
        """Have the span own what it has in common with others. Called under the lock, or once the span has ended."""
        prepared = self._prepared
        if prepared:
            self._own = {**prepared, **self._own}
            self._prepared = NOTHING_PREPARED
        return self._own


# So that isinstance() answers as for the SDK's own span, whose implementation is not inherited.
Span.register(RecordingSpan)


def _is_valid_link(context: SpanContext | None, attributes: Attributes) -> bool:
    return bool(context and (context.is_valid or attributes or context.trace_state))


def _message(exception: BaseException) -> str:
    try:
        return str(exception)
    except BaseException:  # noqa: BLE001 # the exception is the application's, and so is its __str__
        return UNPRINTABLE
