"""Steps become the VALUES of an insert: the hot path of writing, some 2 us a row.

Most columns of a step are those of many others (`database`, `shop_product`, `SELECT`, …), and stand in the same order in
each of them: they are written out once for all steps that share them. What is left are ids, times and the metadata.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from e2edebug_exporters.giving_way import give_way
from e2edebug_exporters.rows import SharedColumns, StepRow
from e2edebug_exporters.statements.literals import LiteralCache, are_harmless, milliseconds, text, values
from e2edebug_exporters.step_places import METADATA

_ROWS_AT_ONCE: Final = 64
"""Proved harmless together, which takes a function of C that lets no other thread run meanwhile."""
_MOST_SHARED: Final = 4096
_MOST_CHARACTERS: Final = 1 << 20


class StepValues:
    """Writes rows out; remembers what they share, within bounds."""

    def __init__(self, cache: LiteralCache) -> None:
        self._cache = cache
        self._written: dict[SharedColumns, str] = {}
        self._characters = 0

    def of(self, rows: Sequence[StepRow]) -> Iterator[Sequence[str]]:
        """Yield the VALUES of each row, some at a time. Raises NotFiniteError for a duration that SQL has no literal for."""
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            yield self._of_some(rows[start : start + _ROWS_AT_ONCE])
            give_way()

    def _of_some(self, rows: Sequence[StepRow]) -> Sequence[str]:
        written_before = self._written
        written: list[str] = []
        unproved: list[str] = []
        """What stands in plain quotes, of which nothing is known but that it should be an id or a time."""
        is_metadata_harmless = are_harmless([row[METADATA] for row in rows])  # together, as the ids and times below
        last_trace_id = last_correlation_id = last_parent = None
        beginning, parent_id = "", "NULL"
        for correlation_id, trace_id, span_id, parent, shared, start, end, duration, metadata, _facts in rows:
            # Rows come sorted, so that those of a trace stand together and have the same objects as their ids.
            if trace_id is not last_trace_id or correlation_id is not last_correlation_id:
                last_trace_id, last_correlation_id = trace_id, correlation_id
                unproved += (correlation_id, trace_id)
                beginning = f"('{correlation_id}','{trace_id}','"
            if parent is not last_parent:
                last_parent = parent
                parent_id = "NULL"
                if parent is not None:
                    unproved.append(parent)
                    parent_id = f"'{parent}'"
            columns = written_before.get(shared)
            if columns is None:
                columns = self._write_shared(shared)
            if end is None:
                unproved += (span_id, start)
                end_time = "NULL"
            else:
                unproved += (span_id, start, end)
                end_time = f"'{end}'"
            shown = f"'{metadata}'" if is_metadata_harmless else text(metadata)
            written.append(
                f"{beginning}{span_id}',{parent_id},{columns},'{start}',{end_time},{milliseconds(duration)},{shown})"
            )
        if are_harmless(unproved):
            return written
        return [values(row.values) for row in rows]

    def _write_shared(self, shared: SharedColumns) -> str:
        literals = [self._cache[value] for value in shared]
        made = ",".join(literals)
        size = 2 * len(made)  # the texts, and what they became
        if size <= _MOST_CHARACTERS // 16:
            self._characters += size
            if len(self._written) >= _MOST_SHARED or self._characters > _MOST_CHARACTERS:
                self._written.clear()
                self._characters = size
            self._written[shared] = made
        return made
