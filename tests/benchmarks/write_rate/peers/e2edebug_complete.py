"""e2edebug, complete: sessions, summaries, snapshots, errors and their groups in the steps' own transaction."""

import time

from e2edebug_exporters.batch_writer import BatchWriter
from e2edebug_exporters.rows import RowBatch
from e2edebug_schema.engine import create_store_engine

NAME = "e2edebug, complete"
WHO = "ours"


class Writer:
    def __init__(self, store_url: str) -> None:
        self._engine = create_store_engine(store_url)
        self._writer = BatchWriter(self._engine)

    def write(self, batch: RowBatch) -> None:
        result = self._writer.write(batch, deadline=time.monotonic() + 60)
        if result.stored != len(batch):
            raise RuntimeError(f"{result} of {len(batch)} rows")

    def close(self) -> None:
        self._engine.dispose()
