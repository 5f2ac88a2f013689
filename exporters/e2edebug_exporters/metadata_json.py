"""The metadata column: what a row knows beyond its columns, as one JSON object of bounded size.

Attributes stand in it by their names, the user's own metadata beside them by its names; events and links by `otel.…`
names, so that nothing of an application is called the same.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link

from e2edebug.policy import attributes as names
from e2edebug_exporters.attribute_json import AttributeEncoder, Facts, quote
from e2edebug_exporters.sanitize import Sanitizer
from e2edebug_exporters.span_reading import plain_mapping
from e2edebug_exporters.time_text import EARLIEST, is_storable, time_text

EVENTS: Final = "otel.events"
LINKS: Final = "otel.links"
DROPPED: Final = "otel.dropped"
SANITISED: Final = "e2edebug.sanitised"


class MetadataWriter:
    """Puts JSON fragments by name together into the text of the column.

    value_max_bytes: the longest text of one value; an object holds at most four times that.
    """

    def __init__(self, encoder: AttributeEncoder, sanitizer: Sanitizer, *, value_max_bytes: int) -> None:
        self._encoder = encoder
        self._sanitizer = sanitizer
        self.most_characters = _MOST_VALUES * value_max_bytes

    def of_span(self, span: ReadableSpan, facts: Facts, parts: dict[str, str]) -> str:
        """Return the metadata of a step: *parts*, its events and links, and how many of each the SDK dropped."""
        dropped = span.dropped_attributes
        if span._events:
            dropped += span.dropped_events
            parts[EVENTS] = f'"{EVENTS}":{self._events(span.events)}'
        if span._links:
            parts[LINKS] = f'"{LINKS}":{self._links(span.links)}'
            dropped += span.dropped_links
        if dropped:
            parts[DROPPED] = f'"{DROPPED}":{dropped}'
        return self.finished(facts, parts)

    def finished(self, facts: Facts, parts: dict[str, str]) -> str:
        """Return the metadata column: the fragments, the user's own metadata, and what had to be changed in it."""
        given = facts.get(names.METADATA)
        if given is not None:
            self._add_given(given, parts)
        if self._encoder.notes:
            parts[SANITISED] = f'"{SANITISED}":{self._encoder.value(self._encoder.notes)}'
            self._encoder.notes = {}
        return self._object_of(parts)

    def _object_of(self, parts: dict[str, str]) -> str:
        """Return the JSON object of the fragments, as many of them as fit in four values' length."""
        text = "{" + ",".join(parts.values()) + "}"
        if len(text) <= self.most_characters:
            return text
        self._sanitizer.counts["metadata"] += 1
        kept: list[str] = []
        room = self.most_characters
        # The short ones first: one long value must not push out twenty telling ones.
        for part in sorted(parts.values(), key=len):
            room -= len(part) + 1
            if room < 0:
                break
            kept.append(part)
        left_out = len(parts) - len(kept)
        return "{" + ",".join([*kept, f'"{SANITISED}.left_out":{left_out}']) + "}"

    def _add_given(self, given: Any, parts: dict[str, str]) -> None:
        """The user's own metadata stands beside the attributes, by its own names."""
        if isinstance(given, str):
            given = _parsed(given)
        if not isinstance(given, Mapping):
            given = {"metadata": given}
        changes_before = self._sanitizer.counts.total()
        for name, encoded in self._encoder.members(given).items():
            parts[name] = f"{quote(name)}:{encoded}"
        if self._sanitizer.counts.total() != changes_before:
            self._encoder.notes[names.METADATA] = "shortened or cleaned"

    def _events(self, events: Sequence[Event]) -> str:
        shown = []
        for event in events[:_MOST_EVENTS]:
            parts: dict[str, str] = {}
            attributes = dict(plain_mapping(event.attributes))
            if event.name == "exception":
                # The error log holds the stack and the message; here, the type says which error it was.
                attributes = {key: value for key, value in attributes.items() if key not in _IN_ERROR_LOG}
            self._encoder.read(attributes, of_server=False, facts={}, parts=parts)
            time = time_text(event.timestamp) if is_storable(event.timestamp) else EARLIEST
            inner = ",".join(parts.values())
            shown.append(f'{{"name":{quote(self._encoder.key(event.name))},"time":"{time}","attributes":{{{inner}}}}}')
        if len(events) > _MOST_EVENTS:
            self._sanitizer.counts["items"] += 1
            shown.append(quote(f"…[cut, {len(events)} events]"))
        return "[" + ",".join(shown) + "]"

    def _links(self, links: Sequence[Link]) -> str:
        shown = []
        for link in links[:_MOST_EVENTS]:
            parts: dict[str, str] = {}
            self._encoder.read(plain_mapping(link.attributes), of_server=False, facts={}, parts=parts)
            ids = f'"trace_id":"{link.context.trace_id:032x}","span_id":"{link.context.span_id:016x}"'
            shown.append(f'{{{ids},"attributes":{{{",".join(parts.values())}}}}}')
        if len(links) > _MOST_EVENTS:
            self._sanitizer.counts["items"] += 1
            shown.append(quote(f"…[cut, {len(links)} links]"))
        return "[" + ",".join(shown) + "]"


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


_MOST_EVENTS: Final = 128
_MOST_VALUES: Final = 4
_IN_ERROR_LOG: Final = frozenset({"exception.stacktrace", "exception.message", "exception.escaped"})
