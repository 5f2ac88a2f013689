"""Workflows and their steps, told by the application itself.

A handle is a running OpenTelemetry span: started here, ended by `complete` or `fail`, stored by whatever exporter the
process has. Until `e2edebug.init()` ran, the same calls work on a span that records nothing.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

from opentelemetry import baggage, context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode

from e2edebug.policy import attributes
from e2edebug.policy import correlation_id as correlation_ids
from e2edebug.policy.plain_values import plain
from e2edebug.policy.user_identity import identity_of
from e2edebug_instrumentation.context_end import detach
from e2edebug_instrumentation.span_failure import record_failure

LAYERS: Final = ("frontend", "api", "database", "cache", "external", "system")

_HANDLE_KEY: Final = "e2edebug.handle"
"""Where the innermost running handle stands in the OpenTelemetry context."""

_tracer = trace.get_tracer("e2edebug")


class Handle:
    """What a running workflow and a running step have in common: a span, and being current until they end."""

    metadata_attribute: str

    def __init__(
        self,
        name: str,
        fields: dict[str, Any],
        *,
        within: Context,
        metadata: Mapping[str, object] | None,
        is_current: bool = True,
    ) -> None:
        self._metadata = dict(metadata or {})
        if metadata:
            fields[self.metadata_attribute] = plain(self._metadata)
        self._span = _tracer.start_span(name, context=within, attributes=fields)
        self._outside = within
        ids = self._span.get_span_context()
        self.trace_id = format(ids.trace_id, "032x")
        self.span_id = format(ids.span_id, "016x")
        self.correlation_id = _correlation_of(self._span, within)
        """The workflow's id, in `debugging_workflow_session.correlation_id`."""
        self.is_ended = False
        self.context = context.set_value(_HANDLE_KEY, self, trace.set_span_in_context(self._span, within))
        """The OpenTelemetry context in which work belongs to this handle."""
        self._token = context.attach(self.context) if is_current else None

    @property
    def id(self) -> int:
        """Raises AttributeError: rows are written in the background, so their number is not known here."""
        raise AttributeError(
            f"a {type(self).__name__} has no database id, because rows are written in the background: use "
            f"correlation_id ({self.correlation_id}) and span_id ({self.span_id}), or call e2edebug.flush() and read "
            "the row by them"
        )

    def add_metadata(self, metadata: Mapping[str, object] | None) -> None:
        """Merge *metadata* into what is stored with the row; later keys win. Ignored once ended."""
        if metadata and not self.is_ended:
            self._metadata.update(metadata)
            self._span.set_attribute(self.metadata_attribute, plain(self._metadata))

    def complete(self, metadata: Mapping[str, object] | None = None) -> None:
        """End as `completed`. A second call changes nothing."""
        self.add_metadata(metadata)
        self._end()

    def fail(self, error: BaseException | str | None = None, metadata: Mapping[str, object] | None = None) -> None:
        """End as `failed`; an exception is kept as an error log with its stack."""
        self.add_metadata(metadata)
        self._fail(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.complete()
        else:
            self.fail(error)

    def _fail(self, error: BaseException | str | None) -> None:
        if self.is_ended:
            return
        if isinstance(error, BaseException):
            record_failure(self._span, error)
        else:
            self._span.set_status(Status(StatusCode.ERROR, error or "failed"))
        self._end()

    def _end(self) -> None:
        if self.is_ended:
            return
        self.is_ended = True
        self._span.end()
        # Handles may end in another order than they started, or on another thread. Only what is innermost here and
        # now is detached, and with it those below that ended meanwhile: never a context that somebody else attached.
        innermost = context.get_value(_HANDLE_KEY)
        while (
            isinstance(innermost, Handle)
            and innermost.is_ended
            and innermost._token is not None
            and context.get_current() is innermost.context
        ):
            detach(innermost._token)
            innermost = context.get_value(_HANDLE_KEY)


class TraceStep(Handle):
    """A running step: becomes one row of `debugging_trace_step`."""

    metadata_attribute = attributes.METADATA

    def skip(self, reason: str = "") -> None:
        """End the step as `skipped`."""
        self._span.set_attribute(attributes.SKIPPED, True)
        self.add_metadata({"skipped": reason} if reason else None)
        self._end()


class WorkflowSession(Handle):
    """A running workflow: `correlation_id` finds its row of `debugging_workflow_session`.

    Its end is explicit: it wins over what the steps say.
    """

    metadata_attribute = attributes.WORKFLOW_METADATA

    def complete(self, metadata: Mapping[str, object] | None = None) -> None:
        """End the workflow as `completed`, whatever its steps say. A second call changes nothing."""
        self._span.set_attribute(attributes.WORKFLOW_STATUS, "completed")
        super().complete(metadata)

    def fail(self, error: BaseException | str | None = None, metadata: Mapping[str, object] | None = None) -> None:
        """End the workflow as `failed`, whatever its steps say; an exception becomes an error log."""
        self._span.set_attribute(attributes.WORKFLOW_STATUS, "failed")
        super().fail(error, metadata)


class WorkflowTracer:
    """Start and end workflows and steps by hand. Holds no state: any instance continues any handle."""

    def start_workflow(
        self,
        workflow_type: str,
        user: object = None,
        metadata: Mapping[str, object] | None = None,
        *,
        correlation_id: str | None = None,
    ) -> WorkflowSession:
        """Return a running workflow, at once on its way to the store as `in_progress`.

        user: a Django user, or an id; anonymous users are not stored.
        correlation_id: 1-64 characters of [A-Za-z0-9._-]; any other value is replaced, as a request's would be.
        Inside a request the workflow has the request's correlation id; inside another workflow one of its own and a
        pointer to the outer; elsewhere a new UUID. What runs on this thread (or in this task) until it ends belongs
        to it. Raises ValueError when *workflow_type* is not a name.
        """
        return start_workflow(
            workflow_type, user=user, metadata=metadata, correlation_id=correlation_id, is_pending=True
        )

    def complete_workflow(
        self, workflow_session: WorkflowSession, metadata: Mapping[str, object] | None = None
    ) -> None:
        """End *workflow_session* as `completed`."""
        workflow_session.complete(metadata)

    def fail_workflow(
        self,
        workflow_session: WorkflowSession,
        error: BaseException | str | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        """End *workflow_session* as `failed`; an exception becomes an error log."""
        workflow_session.fail(error, metadata)

    def add_trace_step(
        self,
        workflow_session: WorkflowSession,
        layer: str,
        component: str,
        operation: str,
        metadata: Mapping[str, object] | None = None,
    ) -> TraceStep:
        """Return a running step of *workflow_session*, at once on its way to the store as `started`.

        layer: frontend, api, database, cache, external or system; any other raises ValueError.
        Its parent is what runs here within the workflow, else the workflow itself.
        """
        innermost = context.get_value(_HANDLE_KEY)
        is_within = isinstance(innermost, Handle) and innermost.correlation_id == workflow_session.correlation_id
        return start_step(
            layer=layer,
            component=component,
            operation=operation,
            metadata=metadata,
            within=context.get_current() if is_within else workflow_session.context,
            is_pending=True,
        )

    def complete_trace_step(self, step: TraceStep, metadata: Mapping[str, object] | None = None) -> None:
        """End *step* as `completed`."""
        step.complete(metadata)

    def fail_trace_step(
        self,
        step: TraceStep,
        error: BaseException | str | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        """End *step* as `failed`; an exception becomes an error log."""
        step.fail(error, metadata)


def start_workflow(
    workflow_type: str,
    *,
    user: object = None,
    metadata: Mapping[str, object] | None = None,
    correlation_id: str | None = None,
    is_pending: bool = False,
    is_current: bool = True,
) -> WorkflowSession:
    """Return a running workflow as `WorkflowTracer.start_workflow` does.

    is_pending: it is shown before it ends. is_current: what runs here from now on belongs to it.
    """
    if not isinstance(workflow_type, str) or not workflow_type.strip():
        raise ValueError(f"workflow_type={workflow_type!r} is not a name such as 'checkout'")
    within = context.get_current()
    fields: dict[str, Any] = {
        attributes.WORKFLOW_TYPE: workflow_type,
        attributes.COMPONENT: "workflow",
        attributes.OPERATION: workflow_type,
    }
    if is_pending:
        fields[attributes.PENDING] = True
    identity = identity_of(user)
    if identity.user_id is not None:
        fields[attributes.USER_ID] = identity.user_id
    if identity.label is not None:
        fields[attributes.USER_LABEL] = identity.label
    own_id = correlation_ids.accept(correlation_id)
    outer = _enclosing_workflow(within)
    if outer is not None:
        fields[attributes.WORKFLOW_PARENT] = outer.correlation_id
        own_id = own_id or correlation_ids.new()
    if own_id is not None:
        within = _with_correlation_id(own_id, within)
    return WorkflowSession(workflow_type, fields, within=within, metadata=metadata, is_current=is_current)


def start_step(
    *,
    layer: str | None,
    component: str,
    operation: str,
    metadata: Mapping[str, object] | None = None,
    within: Context | None = None,
    is_pending: bool = False,
) -> TraceStep:
    """Return a running step below what runs in *within* (here, unless given). No layer: its parent's."""
    fields: dict[str, Any] = {attributes.COMPONENT: component, attributes.OPERATION: operation}
    if layer is not None:
        fields[attributes.LAYER] = checked_layer(layer)
    if is_pending:
        fields[attributes.PENDING] = True
    if within is None:
        within = context.get_current()
    return TraceStep(f"{component}.{operation}", fields, within=within, metadata=metadata)


def checked_layer(layer: str) -> str:
    """Return *layer*. Raises ValueError when it is none of LAYERS."""
    if layer not in LAYERS:
        raise ValueError(f"layer={layer!r} is none of {', '.join(LAYERS)}")
    return layer


def _enclosing_workflow(within: Context) -> WorkflowSession | None:
    handle = context.get_value(_HANDLE_KEY, within)
    while isinstance(handle, Handle) and (handle.is_ended or not isinstance(handle, WorkflowSession)):
        handle = context.get_value(_HANDLE_KEY, handle._outside)
    return handle if isinstance(handle, WorkflowSession) else None


def _with_correlation_id(own_id: str, within: Context) -> Context:
    within = context.set_value(correlation_ids.CONTEXT_KEY, own_id, within)
    return baggage.set_baggage(attributes.CORRELATION_ID, own_id, within)


def _correlation_of(span: Span, within: Context) -> str:
    carried = context.get_value(correlation_ids.CONTEXT_KEY, within)
    if isinstance(carried, str):
        return carried
    trace_id = span.get_span_context().trace_id
    return correlation_ids.from_trace_id(trace_id) if trace_id else correlation_ids.new()
