"""What a resource (the sending process) says about all its spans, read once per resource."""

from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.sdk.resources import Resource

from e2edebug_exporters.attribute_json import AttributeEncoder
from e2edebug_exporters.column_limits import column_limits
from e2edebug_exporters.column_text import ColumnText
from e2edebug_exporters.layers import language_of


@dataclass(frozen=True, slots=True)
class ResourceFacts:
    """The columns that come from a resource, and the JSON fragments of what has no column."""

    service: str
    release: str | None
    instance: str
    language: str
    """`telemetry.sdk.language`: `python`, `webjs`, `nodejs`."""
    essentials: dict[str, str]


class ResourceReader:
    """Reads resources; remembers the last ones by identity (a process has one)."""

    def __init__(self, texts: ColumnText, encoder: AttributeEncoder) -> None:
        self._texts = texts
        self._encoder = encoder
        # The resource itself is kept beside its facts: while it lives here, nothing else gets its id().
        self._known: dict[int, tuple[Resource, ResourceFacts]] = {}

    def facts(self, resource: Resource | None) -> ResourceFacts:
        """Return the facts of *resource*; those of an empty one for None."""
        if resource is None:
            return _NO_FACTS
        known = self._known.get(id(resource))
        if known is None:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            known = self._known[id(resource)] = (resource, self._read(resource))
        return known[1]

    def _read(self, resource: Resource) -> ResourceFacts:
        attributes: dict[str, Any] = dict(resource.attributes)
        limits = column_limits()
        parts: dict[str, str] = {}
        shown: dict[str, Any] = {name: attributes[name] for name in _ESSENTIALS if name in attributes}
        self._encoder.read(shown, of_server=False, facts={}, parts=parts)
        return ResourceFacts(
            service=self._texts.name(attributes.get("service.name") or UNKNOWN_SERVICE, limits.step["service"]),
            release=self._texts.optional_name(attributes.get("service.version"), limits.session["service_release"]),
            instance=self._texts.name(attributes.get("service.instance.id", ""), limits.snapshot["service_instance"]),
            language=language_of(resource),
            essentials=parts,
        )


UNKNOWN_SERVICE: Final = "unknown_service"
_NO_FACTS: Final = ResourceFacts(UNKNOWN_SERVICE, None, "", "", {})
_MOST_REMEMBERED: Final = 64
_ESSENTIALS: Final = (
    "service.namespace",
    "service.instance.id",
    "deployment.environment.name",
    "deployment.environment",
    "host.name",
    "process.pid",
)
