"""The driver's own way: `executemany`, which PyMySQL turns into multi-row inserts."""

from benchmarks.write_rate.connecting import connected

from e2edebug_exporters.rows import STEP_COLUMNS, RowBatch

NAME = "executemany of PyMySQL"
WHO = "peer"

_INSERT = (
    f"INSERT INTO debugging_trace_step ({', '.join(STEP_COLUMNS)}) VALUES ({', '.join(['%s'] * len(STEP_COLUMNS))})"
)


class Writer:
    def __init__(self, store_url: str) -> None:
        self._connection = connected(store_url)

    def write(self, batch: RowBatch) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(_INSERT, [row.values for row in batch.steps])
        self._connection.commit()

    def close(self) -> None:
        self._connection.close()
