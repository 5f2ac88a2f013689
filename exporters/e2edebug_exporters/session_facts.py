"""What a span says of its workflow: its type, its outcome, its user."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from e2edebug.policy import attributes as names
from e2edebug.policy import correlation_id
from e2edebug.policy.config_values import WorkflowRule
from e2edebug_exporters.attribute_json import AttributeEncoder, Facts
from e2edebug_exporters.column_limits import column_limits
from e2edebug_exporters.column_text import ColumnText
from e2edebug_exporters.rows import SessionFacts
from e2edebug_exporters.step_naming import root_operation_of, route_with_slash

_TELLING: Final = frozenset(
    {
        names.WORKFLOW_TYPE,
        names.WORKFLOW_STATUS,
        names.WORKFLOW_PARENT,
        names.WORKFLOW_METADATA,
        names.USER_ID,
        names.SESSION_KEY,
    }
)


def tells_of_workflow(facts: Facts) -> bool:
    """Tell whether a span that is no root says something of its workflow all the same."""
    return not _TELLING.isdisjoint(facts)


class SessionReader:
    """Reads session facts off spans."""

    def __init__(self, texts: ColumnText, encoder: AttributeEncoder, workflow_rules: Sequence[WorkflowRule]) -> None:
        self._texts = texts
        self._encoder = encoder
        self._rules = tuple(workflow_rules)
        self._types: dict[tuple[str, str], str | None] = {}

    def read(
        self, facts: Facts, *, is_root: bool, step_status: str, span_name: str, operation: str, release: str | None
    ) -> SessionFacts:
        """Return what a root, or a span that `tells_of_workflow`, says of its workflow.

        A workflow inside another one has a parent span, and is the root of its own session all the same.
        """
        parent_correlation_id = correlation_id.accept(facts.get(names.WORKFLOW_PARENT))
        is_root = is_root or parent_correlation_id is not None
        limits = column_limits().session
        text = self._texts
        explicit = facts.get(names.WORKFLOW_STATUS)
        if step_status == "started" and facts.get(names.WORKFLOW_TYPE):
            explicit = "in_progress"
        is_explicit = explicit in ("completed", "failed", "in_progress")
        status = str(explicit) if is_explicit else _status_of_root(step_status) if is_root else None
        return SessionFacts(
            is_root=is_root,
            status=status,
            is_explicit=is_explicit,
            workflow_type=text.optional_name(self._workflow_type(facts, is_root=is_root), limits["workflow_type"]),
            user_id=text.optional_name(facts.get(names.USER_ID), limits["user_id"]),
            user_label=text.optional_name(facts.get(names.USER_LABEL), limits["user_label"]),
            session_key=text.code(facts.get(names.SESSION_KEY), limits["session_key"]),
            parent_correlation_id=parent_correlation_id,
            root_operation=(
                text.name(root_operation_of(facts, operation, span_name), limits["root_operation"]) if is_root else None
            ),
            service_release=release,
            metadata=self._metadata(facts),
            is_type_told=bool(facts.get(names.WORKFLOW_TYPE)),
        )

    def with_person(self, known: SessionFacts, facts: Facts) -> SessionFacts:
        """Return *known* with the user and the session that *facts* tell of."""
        limits = column_limits().session
        return replace(
            known,
            user_id=self._texts.optional_name(facts.get(names.USER_ID), limits["user_id"]),
            user_label=self._texts.optional_name(facts.get(names.USER_LABEL), limits["user_label"]),
            session_key=self._texts.code(facts.get(names.SESSION_KEY), limits["session_key"]),
        )

    def _workflow_type(self, facts: Facts, *, is_root: bool) -> object:
        """An explicit type, else the first rule that fits a root's request. None: the writer's default, `api_call`."""
        explicit = facts.get(names.WORKFLOW_TYPE)
        if explicit or not is_root or not self._rules:
            return explicit
        method = facts.get("http.request.method")
        route = route_with_slash(facts)
        if not isinstance(method, str) or not route:
            return None
        key = (method, route)
        if key not in self._types:
            if len(self._types) >= _MOST_REMEMBERED:
                self._types.clear()
            fitting = (rule.workflow_type for rule in self._rules if rule.matches(method, route))
            self._types[key] = next(fitting, None)
        return self._types[key]

    def _metadata(self, facts: Facts) -> str | None:
        given = facts.get(names.WORKFLOW_METADATA)
        received = facts.get(names.CORRELATION_ID_RECEIVED)
        if given is None and received is None:
            return None
        content = dict(given) if isinstance(given, Mapping) else {} if given is None else {"metadata": given}
        if received is not None:
            content[names.CORRELATION_ID_RECEIVED] = received
        return self._encoder.value(content)


def _status_of_root(step_status: str) -> str | None:
    if step_status == "started":
        return None
    return "failed" if step_status == "failed" else "completed"


_MOST_REMEMBERED: Final = 4096
