"""Attributes become the JSON text of a metadata column, and the facts that the mapping reads, in one pass.

A span's attributes repeat: the same dozen keys, mostly with values seen before. So a key's verdict (its new name, what
it may show, whether a column holds it) is made once, and each short text's finished `"name":"value"` is remembered.
What is left per attribute is two dictionary look-ups (12 attributes: see tests/exporters/mapping/measure_span.py).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from e2edebug.policy.redaction import MASK, SMALLEST_CARD_NUMBER, Redactor, Treatment
from e2edebug_exporters.attribute_names import (
    CLIENT_ADDRESS,
    COLUMN_FACTS,
    MAPPING_FACTS,
    NEW_NAMES,
    NEW_NAMES_ON_SERVERS,
    TARGET,
)
from e2edebug_exporters.sanitize import ROOM_FOR_SECRETS, Sanitizer, cut

quote: Final = json.encoder.encode_basestring
"""A JSON string literal; C code in CPython. Not the ASCII form: the store is utf8mb4, and people read it."""

Facts = dict[str, Any]


class AttributePlan:
    """What is done with the values of one attribute name."""

    __slots__ = ("fragments", "handling", "lists", "name", "prefix", "treatment")

    def __init__(self, name: str, *, handling: int, treatment: Treatment) -> None:
        self.name = name
        self.prefix = quote(name) + ":"
        self.handling = handling
        self.treatment = treatment
        self.fragments: dict[str | int, str] = {}
        """What texts and small integers were written as; of exactly such, because 1 equals True."""
        self.lists: dict[tuple[str, ...], str] = {}
        """What lists of texts were written as; of exactly such, because (1,) equals (True,)."""

    @property
    def is_shown(self) -> bool:
        """Whether its values fill their place in the metadata and do nothing else."""
        return self.handling % _OLD == _SHOWN

    @property
    def is_hidden(self) -> bool:
        """Whether its values are never looked at."""
        return self.handling % _OLD in (_SECRET, _HIDDEN)


# Plain integers, ordered by how often they occur: an enum member costs an attribute look-up per attribute of each span.
_SHOWN: Final = 0
_COLUMN: Final = 1
_FACT: Final = 2
_SECRET: Final = 3
_HIDDEN: Final = 4
_TARGET: Final = 5
_OLD: Final = 6
"""Added to one of the others: an old name gives way to the new one."""


class AttributeEncoder:
    """Reads attributes into facts and JSON fragments. Never raises for any value.

    value_max_bytes: the longest text of one value, in bytes of UTF-8.
    captures_client_address: without it, the address of who asked is not stored (it is a person's).
    """

    def __init__(
        self, redactor: Redactor, sanitizer: Sanitizer, *, value_max_bytes: int, captures_client_address: bool
    ) -> None:
        self._redactor = redactor
        self._sanitizer = sanitizer
        self._value_max_bytes = value_max_bytes
        self._captures_client_address = captures_client_address
        self._plans: dict[str, AttributePlan] = {}
        self._server_plans: dict[str, AttributePlan] = {}
        self._remembered_chars = 0
        self._nodes = 0
        self._room = 0
        self.notes: dict[str, str] = {}
        """What had to be changed in the values since the last row, by attribute name; whoever makes rows empties it."""

    def read(self, attributes: Mapping[str, Any], *, of_server: bool, facts: Facts, parts: dict[str, str]) -> None:
        """Put what the mapping needs into *facts* (raw values), and the rest as `"name":value` into *parts*."""
        plans = self._server_plans if of_server else self._plans
        for key, value in attributes.items():
            plan = plans.get(key)
            if plan is None:
                plan = self._make_plan(key, plans, of_server=of_server)
            handling = plan.handling
            if handling:
                if handling >= _OLD:
                    if plan.name in facts or plan.name in parts:
                        continue
                    handling -= _OLD
                if handling == _COLUMN:
                    facts[plan.name] = value
                    continue
                if handling == _FACT:
                    facts[plan.name] = value
                elif handling != _SHOWN:
                    self._read_guarded(handling, plan, value, facts, parts)
                    continue
            if type(value) is str:
                fragment = plan.fragments.get(value)
                parts[plan.name] = self._fragment(plan, value) if fragment is None else fragment
            elif type(value) is int and -_SURE_INTEGER < value < SMALLEST_CARD_NUMBER:
                parts[plan.name] = plan.prefix + repr(value)
            else:
                parts[plan.name] = plan.prefix + self._other_value(plan, value)

    def shown(self, plan: AttributePlan, value: Any) -> str:
        """Return `"name":value` as `read` puts it into the parts."""
        if type(value) is str:
            fragment = plan.fragments.get(value)
            return self._fragment(plan, value) if fragment is None else fragment
        if type(value) is int and -_SURE_INTEGER < value < SMALLEST_CARD_NUMBER:
            fragment = plan.prefix + repr(value)
            if 0 <= value < _SMALL:  # numbers of rows, ports and lines: few, and each comes again
                plan.fragments[value] = fragment
            return fragment
        return plan.prefix + self._other_value(plan, value)

    def plan(self, name: str, *, of_server: bool) -> AttributePlan:
        """Return what is done with the values of one attribute."""
        plans = self._server_plans if of_server else self._plans
        return plans.get(name) or self._make_plan(name, plans, of_server=of_server)

    @property
    def changes(self) -> int:
        """How often something had to be changed so that the store takes it."""
        return self._sanitizer.counts.total()

    def value(self, value: Any, treatment: Treatment = Treatment.TEXT, *, depth: int = 1) -> str:
        """Return any value as JSON text, without secrets, bounded in size, depth and number of items."""
        if depth == 1:
            self._begin_value()
        self._nodes += 1
        kind = type(value)
        if treatment is Treatment.SECRET:
            return _JSON_MASK
        if kind is str:
            self._room -= len(value)
            return quote(self.text(value, treatment)) if self._room > 0 or depth == 1 else '"…"'
        if value is None:
            return "null"
        if kind is bool:
            return "true" if value else "false"
        if isinstance(value, int):
            if value >= SMALLEST_CARD_NUMBER and self._redactor.is_card_number(value):
                return _JSON_MASK
            number = self._sanitizer.integer(value)
            return repr(number) if type(number) is int else quote(str(number))
        if isinstance(value, float):
            finite = self._sanitizer.number(value)
            return "null" if finite is None else repr(finite)
        if isinstance(value, Mapping) or (
            isinstance(value, (Sequence, set, frozenset)) and not isinstance(value, _TEXTS)
        ):
            return self._collection(value, treatment, depth)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return quote(self._text_of_bytes(bytes(value), treatment))
        return quote(self.text(self._sanitizer.as_text(value), treatment))

    def _begin_value(self) -> None:
        self._nodes = 0
        self._room = _MOST_VALUES * self._value_max_bytes

    def text(self, value: str, treatment: Treatment = Treatment.TEXT) -> str:
        """Return a text cleaned, without secrets, and cut to the length of a value."""
        length = len(value)
        window = value if length <= self._value_max_bytes else value[: self._value_max_bytes + ROOM_FOR_SECRETS]
        shown = self._redactor.string(treatment, self._sanitizer.clean(window))
        if length <= self._value_max_bytes:
            return self._sanitizer.cut_bytes(shown, self._value_max_bytes)
        return self._sanitizer.cut_bytes(shown[: self._value_max_bytes], self._value_max_bytes, original_length=length)

    def key(self, key: object) -> str:
        """Return a name from outside as it may be stored: names can hold secrets too."""
        text = cut(self._sanitizer.as_text(key), _LONGEST_NAME, self._sanitizer.counts)
        return self._redactor.text(self._sanitizer.clean(text))

    def _make_plan(self, key: str, plans: dict[str, AttributePlan], *, of_server: bool) -> AttributePlan:
        if len(plans) >= _MOST_REMEMBERED_NAMES:
            plans.clear()
        new_names = NEW_NAMES_ON_SERVERS if of_server else NEW_NAMES
        name = new_names.get(key, key)
        treatment = self._redactor.treatment(name)
        plan = AttributePlan(
            self.key(name),
            handling=self._handling(name, treatment) + (_OLD if name != key else 0),
            treatment=treatment,
        )
        plans[key] = plan
        return plan

    def _handling(self, name: str, treatment: Treatment) -> int:
        if name == CLIENT_ADDRESS and not self._captures_client_address:
            return _HIDDEN
        if name in COLUMN_FACTS:
            return _COLUMN
        if treatment is Treatment.SECRET:
            return _SECRET
        if name == TARGET:
            return _TARGET
        return _FACT if name in MAPPING_FACTS else _SHOWN

    def _read_guarded(
        self, handling: int, plan: AttributePlan, value: Any, facts: Facts, parts: dict[str, str]
    ) -> None:
        if handling == _SECRET:
            parts[plan.name] = plan.prefix + _JSON_MASK
        elif handling == _TARGET:
            self._read_target(value, facts, parts)

    def _fragment(self, plan: AttributePlan, value: str) -> str:
        fragment = plan.prefix + quote(self.text(value, plan.treatment))
        if len(value) <= _LONGEST_REMEMBERED_TEXT:
            self._count_remembered(len(value) + len(fragment))
            plan.fragments[value] = fragment
        return fragment

    def _forget(self) -> None:
        for plans in (self._plans, self._server_plans):
            for plan in plans.values():
                plan.fragments.clear()
                plan.lists.clear()
        self._remembered_chars = 0

    def _other_value(self, plan: AttributePlan, value: Any) -> str:
        if value is True or value is False:
            return "true" if value else "false"
        if type(value) is float and value - value == 0.0:
            return repr(value)
        is_of_texts = type(value) is tuple and _ONLY_STR.issuperset(map(type, value))
        if is_of_texts and (known := plan.lists.get(value)) is not None:
            return known
        changes_before = self._sanitizer.counts.total()
        encoded = self.value(value, plan.treatment)
        if self._sanitizer.counts.total() != changes_before:
            self._note(plan.name, value)
        elif is_of_texts and len(encoded) <= _LONGEST_REMEMBERED_TEXT:
            self._count_remembered(sum(map(len, value)) + len(encoded))
            plan.lists[value] = encoded
        return encoded

    def _count_remembered(self, characters: int) -> None:
        self._remembered_chars += characters
        if self._remembered_chars > _MOST_REMEMBERED_CHARS:
            self._forget()

    def _note(self, name: str, value: Any) -> None:
        if len(self.notes) < _MOST_NOTES:
            self.notes[name] = "not a finite number" if isinstance(value, float) else "shortened or cleaned"

    def _read_target(self, value: Any, facts: Facts, parts: dict[str, str]) -> None:
        path, has_query, query = self._sanitizer.as_text(value).partition("?")
        if "url.path" not in facts:
            facts["url.path"] = path
            parts["url.path"] = '"url.path":' + quote(self.text(path, Treatment.URL))
        if has_query and "url.query" not in parts:
            parts["url.query"] = '"url.query":' + quote(self.text(query, Treatment.QUERY))

    def _collection(self, value: Any, treatment: Treatment, depth: int) -> str:
        if self._nodes > _MOST_NODES or self._room <= 0:
            self._sanitizer.counts["items"] += 1
            return '"…"'
        if depth > _DEEPEST + _DEEPEST_AS_TEXT:
            self._sanitizer.counts["depth"] += 1
            return '"…"'
        if depth == _DEEPEST:
            # MariaDB's JSON check fails beyond 31 levels: what lies deeper is kept as text, itself made of JSON.
            self._sanitizer.counts["depth"] += 1
            return quote(cut(self._items(value, treatment, depth + 1), _LONGEST_FLATTENED, self._sanitizer.counts))
        return self._items(value, treatment, depth)

    def _items(self, value: Any, treatment: Treatment, depth: int) -> str:
        if isinstance(value, Mapping):
            members = self.members(value, depth=depth)
            return "{" + ",".join(f"{quote(name)}:{encoded}" for name, encoded in members.items()) + "}"
        items = list(value) if isinstance(value, (set, frozenset)) else value
        if self._redactor.is_secret_pair(items):
            return f"[{quote(self.key(items[0]))},{_JSON_MASK}]"
        shown = [
            _JSON_MASK
            if index and self._redactor.is_secret_option(items[index - 1])
            else self.value(item, treatment, depth=depth + 1)
            for index, item in enumerate(items[:_MOST_ITEMS])
        ]
        if len(items) > _MOST_ITEMS:
            self._sanitizer.counts["items"] += 1
            shown.append(quote(f"…[cut, {len(items)} items]"))
        return "[" + ",".join(shown) + "]"

    def members(self, value: Mapping[Any, Any], *, depth: int = 1) -> dict[str, str]:
        """Return the members of a mapping as JSON text by their names, which are not taken for attributes' names."""
        if depth == 1:
            self._begin_value()
        shown = {}
        hidden = self._redactor.secret_member(value)
        for index, (key, item) in enumerate(value.items()):
            if index == _MOST_ITEMS:
                self._sanitizer.counts["items"] += 1
                shown["…"] = quote(f"cut, {len(value)} items")
                break
            name = self._sanitizer.as_text(key)
            treatment = Treatment.SECRET if name == hidden else self._redactor.treatment(name)
            shown[self.key(name)] = self.value(item, treatment, depth=depth + 1)
        return shown

    def _text_of_bytes(self, value: bytes, treatment: Treatment) -> str:
        try:
            decoded = value[: self._value_max_bytes + ROOM_FOR_SECRETS].decode()
        except UnicodeDecodeError:
            return f"<{len(value)} bytes>"
        return self.text(decoded, treatment) if len(decoded) == len(value) else f"<{len(value)} bytes>"


_JSON_MASK: Final = quote(MASK)
_ONLY_STR: Final = frozenset({str})
_TEXTS: Final = (str, bytes, bytearray, memoryview)
_SURE_INTEGER: Final = 2**53
_SMALL: Final = 1000
_DEEPEST: Final = 20
_DEEPEST_AS_TEXT: Final = 20
_LONGEST_FLATTENED: Final = 4096
_LONGEST_NAME: Final = 255
_MOST_ITEMS: Final = 256
_MOST_NODES: Final = 5000
_MOST_VALUES: Final = 4
_MOST_NOTES: Final = 20
_MOST_REMEMBERED_NAMES: Final = 4096
_LONGEST_REMEMBERED_TEXT: Final = 512
_MOST_REMEMBERED_CHARS: Final = 2_000_000
"""Per encoder, so per process: about 8 MB at most."""
