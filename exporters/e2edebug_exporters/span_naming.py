"""The layer and component under which a span's duration is counted: those of its step, found without building one."""

from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from e2edebug.policy import attributes as names
from e2edebug.policy.sql_text import describe_statement
from e2edebug_exporters.attribute_names import NEW_NAMES, NEW_NAMES_ON_SERVERS
from e2edebug_exporters.layers import language_of, own_layer
from e2edebug_exporters.span_reading import raw_attributes
from e2edebug_exporters.step_naming import component_of
from e2edebug_schema.tables import LAYERS


def layer_and_component(span: ReadableSpan) -> tuple[str, str] | None:
    """Return both, or None for a span that takes its layer from its parent, whose duration holds it already."""
    attributes = raw_attributes(span)
    explicit, component = attributes.get(names.LAYER), attributes.get(names.COMPONENT)
    if type(component) is str and component and type(explicit) is str and explicit in _LAYERS:
        return explicit, component
    instrumentation = span.instrumentation_scope
    scope = instrumentation.name if instrumentation is not None else ""
    layer = own_layer(span.kind, attributes, scope, _language(span.resource))
    if layer is None:
        return None
    if type(component) is str and component:
        return layer, component
    renamed = NEW_NAMES_ON_SERVERS if span.kind is SpanKind.SERVER else NEW_NAMES
    facts: dict[str, Any] = {renamed.get(key, key): value for key, value in attributes.items()}
    table = ""
    if layer == "database" and not facts.get("db.collection.name"):
        statement = facts.get("db.query.text")
        table = describe_statement(statement).table if isinstance(statement, str) else ""
    return layer, component_of(layer, facts, table, span.name, scope)


_LAYERS: Final = frozenset(LAYERS)
_last: tuple[Resource | None, str] = (None, "")


def _language(resource: Resource) -> str:
    """A process has one resource, and asking it takes longer than everything else here."""
    global _last
    known = _last
    if known[0] is not resource:
        known = _last = (resource, language_of(resource))
    return known[1]
