"""How often each statement was executed in each trace: what finds an N+1."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from e2edebug_exporters.giving_way import give_way
from e2edebug_exporters.rows import StepRow
from e2edebug_exporters.step_places import END_TIME, SHARED, STATEMENT_DIGEST, TRACE_ID


class TraceStatements(NamedTuple):
    """The statements of one trace in some rows, by their digests."""

    counts: dict[str, int]
    first: dict[str, StepRow]
    """Of the rows of each statement the first."""


StatementCounts = Mapping[str, TraceStatements]
"""By trace id."""


def statement_counts(rows: Iterable[StepRow]) -> StatementCounts:
    """Return how often each statement of each trace stands in *rows*; a statement counts once it has ended."""
    found: dict[str, TraceStatements] = {}
    last_trace_id = None
    counts: dict[str, int] = {}
    first: dict[str, StepRow] = {}
    for row in rows:
        digest = row[SHARED][STATEMENT_DIGEST]
        if digest is None or row[END_TIME] is None:
            continue
        trace_id = row[TRACE_ID]
        if trace_id is not last_trace_id:  # rows of a trace stand together and have the same object as their id
            give_way()
            last_trace_id = trace_id
            statements = found.get(trace_id)
            if statements is None:
                statements = found[trace_id] = TraceStatements({}, {})
            counts, first = statements
        count = counts.get(digest)
        if count is None:
            counts[digest] = 1
            first[digest] = row
        else:
            counts[digest] = count + 1
    return found


class RepeatCounts:
    """How often this process saw each statement in each trace. Bounded; old traces are forgotten."""

    def __init__(self, *, max_traces: int = 2000, max_digests: int = 500) -> None:
        self._max_traces = max_traces
        self._max_digests = max_digests
        self._traces: OrderedDict[str, dict[str, int]] = OrderedDict()

    def of_trace(self, trace_id: str) -> Mapping[str, int]:
        """Return how often each statement of a trace was seen so far, by digest."""
        return self._traces.get(trace_id, _NONE)

    def add(self, counts: StatementCounts) -> None:
        """Remember what a committed transaction stored. Takes the counts over; nobody else may use them any more."""
        for trace_id, (added, _) in counts.items():
            give_way()
            digests = self._traces.get(trace_id)
            if digests is None:
                if len(self._traces) >= self._max_traces:
                    self._traces.popitem(last=False)
                if len(added) <= self._max_digests:
                    self._traces[trace_id] = added
                    continue
                digests = self._traces[trace_id] = {}
            else:
                self._traces.move_to_end(trace_id)
            for digest, count in added.items():
                known = digests.get(digest)
                if known is None and len(digests) >= self._max_digests:
                    # The least repeated one makes room: the statement that is an N+1 may begin late in a long trace.
                    del digests[min(digests, key=digests.__getitem__)]
                digests[digest] = count if known is None else known + count

    def clear(self) -> None:
        """Forget everything: a forked child counts its own."""
        self._traces.clear()


_NONE: Final[Mapping[str, int]] = {}
