"""The layer and component under which a span's duration is counted: those of its step, found without building one."""

from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from e2edebug.policy import attributes as names
from e2edebug.policy.sql_text import describe_statement
from e2edebug_exporters.attribute_names import NEW_NAMES, NEW_NAMES_ON_SERVERS
from e2edebug_exporters.layers import language_of, own_layer
from e2edebug_exporters.span_reading import raw_attributes
from e2edebug_exporters.step_naming import component_of


def layer_and_component(span: ReadableSpan) -> tuple[str, str] | None:
    """Return both, or None for a span that takes its layer from its parent, whose duration holds it already."""
    attributes = raw_attributes(span)
    instrumentation = span.instrumentation_scope
    scope = instrumentation.name if instrumentation is not None else ""
    layer = own_layer(span.kind, attributes, scope, language_of(span.resource))
    if layer is None:
        return None
    component = attributes.get(names.COMPONENT)
    if type(component) is str and component:  # what our own instrumentation says; all others take the longer way
        return layer, component
    renamed = NEW_NAMES_ON_SERVERS if span.kind is SpanKind.SERVER else NEW_NAMES
    facts: dict[str, Any] = {renamed.get(key, key): value for key, value in attributes.items()}
    table = ""
    if layer == "database" and not facts.get("db.collection.name"):
        statement = facts.get("db.query.text")
        table = describe_statement(statement).table if isinstance(statement, str) else ""
    return layer, component_of(layer, facts, table, span.name, scope)
