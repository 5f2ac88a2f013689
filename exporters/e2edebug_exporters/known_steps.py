"""Spans that are alike but for ids, times and what stands in the metadata alone: one is mapped, the others follow it.

An application makes the same few hundred spans over and over. What columns such a span has is decided by its name and by
some of its attributes; the others (numbers of rows, paths, browsers) only fill their own place in the metadata. So the
columns are kept by what decides over them, with the metadata as a text that has places to fill.

What fills a place goes the way of every attribute, through cleaning and redaction. What is kept belongs to one mapper,
and other rules of redaction come with another mapper.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from operator import itemgetter
from typing import Any, Final, NamedTuple

from opentelemetry.sdk.resources import Resource

from e2edebug.policy import attributes as names
from e2edebug_exporters.attribute_json import AttributeEncoder, AttributePlan, Facts
from e2edebug_exporters.attribute_names import SHOWN_ALONE, TARGET
from e2edebug_exporters.rows import StepRow

MOST_STEPS: Final = 4096
_MOST_SHAPES: Final = 256
_MOST_CHARACTERS: Final = 2_000_000
"""Per mapper, so per process: with 4,096 steps some 4 MB at most."""
_LONGEST: Final = 8192
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
"""Of steps that an application makes itself; each is mapped."""


class KnownStep(NamedTuple):
    """A row whose columns are those of all spans like it, and their metadata with `%s` where it differs."""

    row: StepRow
    metadata: str


class _Shape:
    """The spans that have the same attributes in the same order, whatever their values."""

    __slots__ = (
        "decisive", "hits", "holes", "is_usable", "lookups", "needs_names", "numbers",
        "order", "person", "rest", "steps", "target",
    )  # fmt: skip

    def __init__(self) -> None:
        self.is_usable = True
        """False: what such spans become hangs on more than is looked at here."""
        self.decisive: Callable[[list[Any]], tuple[Any, ...]] = tuple
        """Picks, of a span's values, its name and its scope, those that decide over columns."""
        self.numbers: list[int] = []
        """Where integers decide: 1 equals True and 1.0, and is not written like them."""
        self.target = -1
        """Where an old path with query stands, which may turn into two attributes."""
        self.holes: list[tuple[int, AttributePlan]] = []
        """Where values stand that fill a place of the metadata and nothing else."""
        self.order: list[str] = []
        self.person: dict[str, int] = {}
        self.needs_names = False
        self.steps: dict[tuple[Any, ...], KnownStep] = {}
        self.lookups = self.hits = self.rest = 0


class KnownSteps:
    """Remembers what spans have become, within bounds. Of one mapper, and like it for one thread at a time."""

    def __init__(self, encoder: AttributeEncoder, *, longest_metadata: int) -> None:
        self._encoder = encoder
        self._longest_metadata = longest_metadata
        self._client_shapes: dict[tuple[str, ...], _Shape] = {}
        self._server_shapes: dict[tuple[str, ...], _Shape] = {}
        self._resource: Resource | None = None
        self._steps = 0
        self._characters = 0
        self._shape = _Shape()
        self._values: list[Any] = []
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
        *,
        of_server: bool,
        is_root: bool,
    ) -> KnownStep | None:
        """Return what spans like this one become, if that is known. To be asked for spans without events, links and status."""
        self.awaits_row = False
        shapes = self._server_shapes if of_server else self._client_shapes
        shape = shapes.get(tuple(attributes))
        if shape is None:
            shape = self._make_shape(attributes, shapes, of_server=of_server)
        if not shape.is_usable:
            return None
        if shape.rest:
            shape.rest -= 1
            return None
        if resource is not self._resource:
            if self._resource is not None:  # a process has one
                return None
            self._resource = resource
        values = [*attributes.values(), name, scope, is_root]
        for place in shape.numbers:
            if type(values[place]) is not int:
                return None
        if shape.target >= 0 and (type(values[shape.target]) is not str or "?" in values[shape.target]):
            return None
        key = shape.decisive(values)
        try:
            known = shape.steps.get(key)
        except TypeError:  # a list, where somebody else keeps the attributes
            return None
        shape.lookups += 1
        self._shape, self._values, self._key = shape, values, key
        if known is not None:
            shape.hits += 1
            return known
        if shape.lookups >= _TRIAL and self._is_in_vain(shape):
            return None
        self.awaits_row = True
        self._changes = self._encoder.changes
        return None

    def metadata(self, known: KnownStep) -> str | None:
        """Return the metadata of the span that `find` was asked for last; None when it has to be made from scratch."""
        values, encoder = self._values, self._encoder
        filling = []
        for place, plan in self._shape.holes:
            value = values[place]
            # As encoder.shown() does first, without calling it for what was seen before.
            fragment = plan.fragments.get(value) if type(value) is str else None
            filling.append(encoder.shown(plan, value) if fragment is None else fragment)
        text = known.metadata % tuple(filling)
        if encoder.notes or len(text) > self._longest_metadata:
            encoder.notes = {}
            return None
        self.hits += 1
        return text

    def person(self) -> Facts:
        """Return what the span that `find` was asked for last says of a user and a session; empty for nothing."""
        return {name: self._values[place] for name, place in self._shape.person.items()}

    def learn(self, row: StepRow, facts: Facts, parts: Mapping[str, str], essentials: Collection[str]) -> None:
        """Keep what the span that `find` did not know has become, where others like it become the same.

        parts: of its metadata, in order. essentials: the names among them that come from the resource.
        """
        self.awaits_row = False
        shape, key = self._shape, self._key
        characters = len(row.metadata) + sum(len(value) for value in key if type(value) is str)
        if (
            self._encoder.changes != self._changes
            or characters > _LONGEST
            or sum(type(value) is not str for value in key[:-1]) != len(shape.numbers)
            or (shape.needs_names and not all(facts.get(name) for name in _NAMING))
        ):
            return
        places = {plan.name for _, plan in shape.holes}
        order = [name for name in parts if name in places]
        if not shape.order:
            shape.order = order
            shape.holes.sort(key=lambda hole: order.index(hole[1].name) if hole[1].name in order else -1)
        if order != shape.order or len(order) != len(shape.holes) or not places.isdisjoint(essentials):
            shape.is_usable = False
            return
        template = ",".join("%s" if name in places else part.replace("%", "%%") for name, part in parts.items())
        known = KnownStep(row, "{" + template + "}")
        if self.metadata(known) != row.metadata:
            shape.is_usable = False
            return
        self.hits -= 1
        self._keep(shape, key, known, characters)

    def _keep(self, shape: _Shape, key: tuple[Any, ...], known: KnownStep, characters: int) -> None:
        self._steps += 1
        self._characters += characters
        if self._steps > MOST_STEPS or self._characters > _MOST_CHARACTERS:
            # Emptied at its limit rather than evicted one by one: a hit stays a plain look-up.
            for shapes in (self._client_shapes, self._server_shapes):
                for one in shapes.values():
                    one.steps.clear()
            self._steps, self._characters = 1, characters
        shape.steps[key] = known

    def _is_in_vain(self, shape: _Shape) -> bool:
        """Let a shape rest of whose last spans most were like none before them."""
        is_in_vain = shape.hits * 2 < shape.lookups
        if is_in_vain:
            shape.rest = _REST
            self._steps -= len(shape.steps)
            shape.steps.clear()
        shape.lookups = shape.hits = 0
        return is_in_vain

    def _make_shape(
        self, attributes: Mapping[str, Any], shapes: dict[tuple[str, ...], _Shape], *, of_server: bool
    ) -> _Shape:
        if len(shapes) >= _MOST_SHAPES:
            self._steps -= sum(len(one.steps) for one in shapes.values())
            shapes.clear()
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
                shape.person[name] = place
            elif raw_name == TARGET:
                shape.target = place
                shape.is_usable = shape.is_usable and "url.path" in occurrences
            elif raw_name in _READ_RAW or not is_alone:
                decisive.append(place)
            elif plan.is_shown or name in SHOWN_ALONE:
                shape.holes.append((place, plan))
            elif name == "url.path" and is_named:
                shape.holes.append((place, plan))
                shape.needs_names = True
            elif name != names.CORRELATION_ID and not plan.is_hidden:
                decisive.append(place)
        values = list(attributes.values())
        shape.numbers = [place for place in decisive if type(values[place]) is not str]
        beside = range(len(values), len(values) + 3)  # name, scope and whether it is a root
        shape.decisive = itemgetter(*decisive, *beside)
        return shape
