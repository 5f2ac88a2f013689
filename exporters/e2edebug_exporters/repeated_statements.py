"""How often each statement was executed in each trace: what finds an N+1."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final

from e2edebug_exporters.giving_way import give_way
from e2edebug_exporters.rows import StepRow
from e2edebug_exporters.step_places import END_TIME, STATEMENT_DIGEST, TRACE_ID

StatementCounts = Mapping[str, Mapping[str, tuple[int, StepRow]]]
"""By trace id and statement digest: how often the statement stands in some rows, and the first of these."""


def statement_counts(rows: Iterable[StepRow]) -> StatementCounts:
    """Return how often each statement of each trace stands in *rows*; a statement counts once it has ended."""
    counts: dict[str, dict[str, tuple[int, StepRow]]] = {}
    last_trace_id = None
    statements: dict[str, tuple[int, StepRow]] = {}
    for row in rows:
        digest = row[STATEMENT_DIGEST]
        if digest is None or row[END_TIME] is None:
            continue
        trace_id = row[TRACE_ID]
        if trace_id is not last_trace_id:  # rows of a trace stand together and have the same object as their id
            give_way()
            last_trace_id = trace_id
            statements = counts.setdefault(trace_id, {})
        known = statements.get(digest)
        statements[digest] = (1, row) if known is None else (known[0] + 1, known[1])
    return counts


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
        """Remember what a committed transaction stored."""
        for trace_id, statements in counts.items():
            give_way()
            digests = self._traces.get(trace_id)
            if digests is None:
                digests = self._traces[trace_id] = {}
                if len(self._traces) > self._max_traces:
                    self._traces.popitem(last=False)
            else:
                self._traces.move_to_end(trace_id)
            for digest, (count, _) in statements.items():
                known = digests.get(digest)
                if known is None and len(digests) >= self._max_digests:
                    # The least repeated one makes room: the statement that is an N+1 may begin late in a long trace.
                    del digests[min(digests, key=digests.__getitem__)]
                digests[digest] = count if known is None else known + count

    def clear(self) -> None:
        """Forget everything: a forked child counts its own."""
        self._traces.clear()


_NONE: Final[Mapping[str, int]] = {}
