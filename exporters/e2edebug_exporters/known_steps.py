"""Spans that are alike but for ids, times and what stands in the metadata alone: one is mapped, the others follow it.

An application makes the same few hundred spans over and over. What columns such a span has is decided by its name and by
some of its attributes; the others (numbers of rows, paths, browsers) only fill their own place in the metadata. So the
columns are kept by what decides over them. Of what only fills a place, values that keep coming again decide as well, and
the metadata is kept whole; once an attribute has had many values, it becomes a place to fill.

What fills a place goes the way of every attribute, through cleaning and redaction. What is kept belongs to one mapper,
and other rules of redaction come with another mapper.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from types import NoneType
from typing import Any, Final, NamedTuple

from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import SpanKind

from e2edebug.policy import attributes as names
from e2edebug.policy.prepared_attributes import PreparedAttributes
from e2edebug_exporters.attribute_json import AttributeEncoder, AttributePlan, Facts
from e2edebug_exporters.attribute_names import SHOWN_ALONE, TARGET
from e2edebug_exporters.rows import SessionFacts, SharedColumns, StepRow

MOST_STEPS: Final = 4096
_MOST_SHAPES: Final = 256  # of each kind
_MOST_CHARACTERS: Final = 2_000_000
"""Per mapper, so per process: with 4,096 steps some 4 MB at most."""
_LONGEST: Final = 8192
_MOST_VALUES: Final = 8
"""Of an attribute that decides over nothing but its own place, before that becomes one to fill."""
_TRIAL: Final = 256
_REST: Final = 16_384
"""A shape of which most spans differ is left alone for so many spans: looking up and learning in vain is dearer than mapping."""
_NAMING: Final = (names.COMPONENT, names.OPERATION, "http.route")
"""Where a request has all of them, its path names nothing."""
_READ_RAW: Final = frozenset({names.LAYER, "db.system", "db.system.name"})
"""What the layer is found by before anything is renamed or hidden."""
_PERSON: Final = frozenset({names.USER_ID, names.USER_LABEL, names.SESSION_KEY})
"""Of who made the request: columns of its session, which hang on nothing else."""
_DECIDING_BY_MORE: Final = frozenset(
    {
        names.METADATA,
        names.SKIPPED,
        names.PENDING,
        names.WORKFLOW_METADATA,
        names.WORKFLOW_PARENT,
        names.WORKFLOW_STATUS,
        names.WORKFLOW_TYPE,
    }
)
"""Steps with any of these, which an application gives itself, are mapped each time."""


_EQUAL_WHEN_ALIKE: Final = frozenset({str, int, bool, NoneType})
"""Values of one of these types that are equal are written alike; 0.0 equals -0.0, and (1,) equals (True,)."""
_BESIDES_TEXTS: Final = -2
"""A key ends with whether the span is a root and with the layer above it, if that counts: no attributes."""


class KnownStep(NamedTuple):
    """What all spans like one have in common: columns, and their metadata around the places to fill."""

    shared: SharedColumns
    session_facts: SessionFacts | None
    before: str
    filling: tuple[tuple[str, AttributePlan, str], ...]
    """Of each place: the attribute whose value stands there, what is done with it, and what stands behind it."""


class _Shape:
    """The spans that have the same attributes in the same order, whatever their values."""

    __slots__ = (
        "candidates", "hits", "holes", "is_usable", "kinds", "misses", "needs_names", "order", "person", "rest",
        "silent", "steps", "target", "url",
    )  # fmt: skip

    def __init__(self) -> None:
        self.is_usable = True
        """False: what such spans become hangs on more than is looked at here."""
        self.silent: list[int] = []
        """Where the values stand that do not decide; all others do, with a span's name, its scope, its being a root, and
        the layer above."""
        self.kinds: list[tuple[int, type]] = []
        """Of what type those are that decide and are no texts: 1 equals True and 1.0, and is not written like them."""
        self.target = -1
        """Where an old path with query stands, which may turn into two attributes."""
        self.url = -1
        """Where the URL stands that was called: what is ahead of its query decides, and the whole of it fills a place."""
        self.candidates: dict[int, tuple[str, AttributePlan, set[Any]]] = {}
        """Where values that decide fill a place of the metadata and do nothing else, with the values seen there."""
        self.holes: list[tuple[str, AttributePlan]] = []
        """The attributes that do only that and do not decide."""
        self.order: list[str] = []
        self.person: dict[str, str] = {}
        """Attributes of who made the request, by the names of their columns' facts."""
        self.needs_names = False
        self.steps: dict[tuple[Any, ...], KnownStep] = {}
        self.misses = self.hits = self.rest = 0

    def is_decided_as_before(self, key: tuple[Any, ...]) -> bool:
        """Say whether the values that decide have the types with which the shape was met."""
        others = {*self.silent, *(place for place, _ in self.kinds)}
        return all(type(value) is str for place, value in enumerate(key[:_BESIDES_TEXTS]) if place not in others)

    def varying(self, key: tuple[Any, ...]) -> list[int]:
        """Note the values of *key*, and return where they need not decide and have had many values or another type."""
        kinds = dict(self.kinds)
        found = []
        for place, (_, _, seen) in self.candidates.items():
            seen.add(key[place])
            if len(seen) > _MOST_VALUES or type(key[place]) is not kinds.get(place, str):
                found.append(place)
        return found

    def make_hole(self, place: int) -> None:
        """Let what stands at *place* decide no longer. To be followed by forgetting the steps."""
        raw_name, plan, _ = self.candidates.pop(place)
        self.holes.append((raw_name, plan))
        self.order = []
        self.silent.append(place)
        self.kinds = [(other, kind) for other, kind in self.kinds if other != place]


class KnownSteps:
    """Remembers what spans have become, within bounds. Of one mapper, and like it for one thread at a time."""

    def __init__(self, encoder: AttributeEncoder, *, longest_metadata: int) -> None:
        self._encoder = encoder
        self._longest_metadata = longest_metadata
        self._shapes: tuple[dict[tuple[str, ...], _Shape], ...] = tuple({} for _ in SpanKind)
        """By the value of the span's kind."""
        self._resource: Resource | None = None
        self._steps = 0
        self._characters = 0
        self._prepared: dict[tuple[Any, ...], tuple[_Shape, KnownStep]] = {}
        """By what a span has in common with others, and by the names of what it has of its own, which varies."""
        self._prepared_characters = 0
        self._shape = _Shape()
        self._key: tuple[Any, ...] = ()
        self._changes = 0
        self.hits = 0
        """How many spans were like one before them."""
        self.awaits_row = False
        """Whether `learn` is to be told what the span has become that `find` did not know."""

    def find(
        self,
        attributes: Mapping[str, Any],
        name: str,
        scope: str,
        resource: Resource,
        kind: SpanKind,
        is_root: bool,
        layer_above: str | None,
    ) -> tuple[KnownStep, str] | None:
        """Return what spans like this one become, with the metadata of this one, if that is known.

        To be asked for spans without events, links and status. layer_above: where the span itself does not say its
        layer, that of what it is part of.
        """
        self.awaits_row = False
        shape = self._shapes[kind._value_].get(tuple(attributes))
        if shape is None:
            shape = self._make_shape(attributes, kind)
        if not shape.is_usable:
            return None
        if shape.rest:
            shape.rest -= 1
            return None
        if resource is not self._resource:
            if self._resource is not None:  # a process has one
                return None
            self._resource = resource
        values = [*attributes.values(), name, scope, is_root, layer_above]
        for place, type_before in shape.kinds:
            if type(values[place]) is not type_before:
                if place in shape.candidates:
                    self._let_vary(shape, [place])
                return None
        if shape.target >= 0 and (type(values[shape.target]) is not str or "?" in values[shape.target]):
            return None
        if shape.url >= 0:
            url = values[shape.url]
            if type(url) is not str:
                return None
            values[shape.url] = url.partition("?")[0]
        for place in shape.silent:
            values[place] = None
        key = tuple(values)
        self._shape = shape
        try:
            known = shape.steps.get(key)
        except TypeError:  # a list, where somebody else keeps the attributes
            return None
        if known is not None:
            shape.hits += 1
            metadata = self._metadata(known, attributes) if known.filling else known.before
            if metadata is None:
                return None
            self.hits += 1
            return known, metadata
        shape.misses += 1
        if shape.misses + shape.hits >= _TRIAL and self._is_in_vain(shape):
            return None
        self.awaits_row = True
        self._key = key
        self._changes = self._encoder.changes
        return None

    def find_prepared(
        self,
        prepared: PreparedAttributes,
        own: Mapping[str, Any],
        name: str,
        scope: str,
        resource: Resource,
        is_root: bool,
    ) -> tuple[KnownStep, str] | None:
        """Return what `find` does for a CLIENT span that has *prepared* in common with others: in a third of the time.

        What is prepared is always the same, so nothing of it is looked at.
        """
        key = (prepared, name, scope, is_root, *own)
        known = self._prepared.get(key)
        if known is not None and resource is self._resource:
            self._shape, step = known
            metadata = self._metadata(step, own) if step.filling else step.before
            if metadata is not None:
                self._shape.hits += 1
                self.hits += 1
                return step, metadata
        found = self.find({**prepared, **own}, name, scope, resource, SpanKind.CLIENT, is_root, None)
        if found is not None:
            self._note_prepared(key, own, found[0])
        return found

    def _note_prepared(self, key: tuple[Any, ...], own: Mapping[str, Any], step: KnownStep) -> None:
        """Keep *step* for all spans of *key*, if what they have of their own only fills places of the metadata."""
        shape = self._shape
        varying = [place for place, (raw_name, _, _) in shape.candidates.items() if raw_name in own]
        if varying:
            self._let_vary(shape, varying)
            return
        silent = {raw_name for raw_name, _ in shape.holes} | {names.CORRELATION_ID}
        if shape.url >= 0 or shape.target >= 0 or shape.person or not silent.issuperset(own):
            return
        if all(raw_name in own for raw_name, _, _ in step.filling):
            characters = sum(len(value) for value in key[0].values() if type(value) is str)
            if len(self._prepared) >= MOST_STEPS or self._prepared_characters + characters > _MOST_CHARACTERS:
                self._forget_prepared()  # as the steps themselves: whoever writes statements anew has many of one step
            self._prepared_characters += characters
            self._prepared[key] = shape, step

    def _forget_prepared(self) -> None:
        self._prepared.clear()
        self._prepared_characters = 0

    def person(self, attributes: Mapping[str, Any]) -> Facts:
        """Return what the span that `find` was asked for last says of a user and a session; empty for nothing."""
        return {name: attributes[raw_name] for name, raw_name in self._shape.person.items()}

    def _metadata(self, known: KnownStep, attributes: Mapping[str, Any]) -> str | None:
        """Return the metadata of a span; None when it has to be made from scratch."""
        text = known.before
        for name, plan, behind in known.filling:
            value = attributes[name]
            # As encoder.shown() does first, without calling it for what was seen before.
            kind = type(value)
            fragment = plan.fragments.get(value) if kind is str or kind is int else None
            text = f"{text}{self._encoder.shown(plan, value) if fragment is None else fragment}{behind}"
        if self._encoder.notes or len(text) > self._longest_metadata:
            self._encoder.notes = {}
            return None
        return text

    def learn(
        self,
        attributes: Mapping[str, Any],
        row: StepRow,
        facts: Facts,
        parts: Mapping[str, str],
        essentials: Collection[str],
    ) -> None:
        """Keep what the span that `find` did not know has become, where others like it become the same.

        parts: of its metadata, in order. essentials: the names among them that come from the resource.
        """
        self.awaits_row = False
        shape, key = self._shape, self._key
        characters = len(row.metadata) + sum(len(value) for value in key if type(value) is str)
        if (
            self._encoder.changes != self._changes
            or characters > _LONGEST
            or (shape.needs_names and not all(facts.get(name) for name in _NAMING))
        ):
            return
        if varying := shape.varying(key):
            self._let_vary(shape, varying)
            return
        if not shape.is_decided_as_before(key):
            return
        places = {plan.name for _, plan in shape.holes}
        order = [name for name in parts if name in places]
        if not shape.order:
            shape.order = order
            shape.holes.sort(key=lambda hole: order.index(hole[1].name) if hole[1].name in order else -1)
        if order != shape.order or len(order) != len(shape.holes) or not places.isdisjoint(essentials):
            self._give_up(shape)
            return
        known = _known_step(row, parts, shape.holes)
        if self._metadata(known, attributes) != row.metadata:
            self._give_up(shape)
            return
        self._keep(shape, key, known, characters)

    def _give_up(self, shape: _Shape) -> None:
        shape.is_usable = False
        self._forget_prepared()

    def _keep(self, shape: _Shape, key: tuple[Any, ...], known: KnownStep, characters: int) -> None:
        self._steps += 1
        self._characters += characters
        if self._steps > MOST_STEPS or self._characters > _MOST_CHARACTERS:
            # Emptied at its limit rather than evicted one by one: a hit stays a plain look-up.
            for shapes in self._shapes:
                for one in shapes.values():
                    one.steps.clear()
            self._forget_prepared()
            self._steps, self._characters = 1, characters
        shape.steps[key] = known

    def _is_in_vain(self, shape: _Shape) -> bool:
        """Let a shape rest of whose last spans most were like none before them, even with all places to be filled."""
        is_in_vain = shape.hits < shape.misses
        if is_in_vain:
            if not shape.candidates:
                shape.rest = _REST
            self._let_vary(shape, list(shape.candidates))
        shape.misses = shape.hits = 0
        return is_in_vain

    def _let_vary(self, shape: _Shape, places: Collection[int]) -> None:
        """Let what stands at *places* decide no longer, and forget what is known of the shape."""
        for place in places:
            shape.make_hole(place)
        self._steps -= len(shape.steps)
        shape.steps.clear()
        self._forget_prepared()

    def _make_shape(self, attributes: Mapping[str, Any], kind: SpanKind) -> _Shape:
        shapes, of_server = self._shapes[kind._value_], kind is SpanKind.SERVER
        if len(shapes) >= _MOST_SHAPES:
            self._steps -= sum(len(one.steps) for one in shapes.values())
            shapes.clear()
            self._forget_prepared()
        shape = shapes[tuple(attributes)] = _Shape()
        plans = [self._encoder.plan(name, of_server=of_server) for name in attributes]
        occurrences = Counter(plan.name for plan in plans)
        is_named = all(name in occurrences for name in _NAMING)
        decisive = []
        for place, (raw_name, plan) in enumerate(zip(attributes, plans, strict=True)):
            name, is_alone = plan.name, occurrences[plan.name] == 1
            if name in _DECIDING_BY_MORE or (name in _PERSON and not is_alone):
                shape.is_usable = False
            elif name in _PERSON:
                shape.person[name] = raw_name
            elif raw_name == TARGET:
                shape.target = place
                shape.is_usable = shape.is_usable and "url.path" in occurrences
            elif raw_name in _READ_RAW or not is_alone:
                decisive.append(place)
            elif plan.is_shown or name in SHOWN_ALONE or (name == "url.path" and is_named):
                shape.needs_names = shape.needs_names or name == "url.path"
                if type(attributes[raw_name]) in _EQUAL_WHEN_ALIKE:
                    shape.candidates[place] = raw_name, plan, set()
                    decisive.append(place)
                else:
                    shape.holes.append((raw_name, plan))
            elif name != names.CORRELATION_ID and not plan.is_hidden:
                decisive.append(place)
                if name == "url.full" and not of_server:
                    shape.url = place
                    shape.holes.append((raw_name, plan))
        kinds = list(map(type, attributes.values()))
        shape.silent = [place for place in range(len(plans)) if place not in decisive]
        shape.kinds = [(place, kinds[place]) for place in decisive if kinds[place] is not str]
        shape.is_usable = shape.is_usable and all(kind in _EQUAL_WHEN_ALIKE for _, kind in shape.kinds)
        return shape


def _known_step(row: StepRow, parts: Mapping[str, str], holes: Sequence[tuple[str, AttributePlan]]) -> KnownStep:
    """Return what *row* has in common with others; its metadata, made of *parts*, is cut at *holes*, in their order."""
    places = {plan.name for _, plan in holes}
    pieces = ["{"]
    comma = ""
    for name, part in parts.items():
        pieces[-1] += comma
        if name in places:
            pieces.append("")
        else:
            pieces[-1] += part
        comma = ","
    pieces[-1] += "}"
    filling = tuple((raw_name, plan, behind) for (raw_name, plan), behind in zip(holes, pieces[1:], strict=True))
    return KnownStep(row.shared, row.session_facts, pieces[0], filling)
