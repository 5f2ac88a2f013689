"""`LOAD DATA LOCAL INFILE` of a file that is written for it: the fastest way into a MySQL table."""

import tempfile

from benchmarks.write_rate.connecting import connected
from pymysql.connections import Connection

from e2edebug_exporters.rows import STEP_COLUMNS, RowBatch, StepRow

NAME = "LOAD DATA LOCAL INFILE"
WHO = "peer"


class Writer:
    def __init__(self, store_url: str) -> None:
        self._connection: Connection = connected(store_url, local_infile=True)

    def write(self, batch: RowBatch) -> None:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="") as file:
            file.writelines(map(_line, batch.steps))
            file.flush()
            with self._connection.cursor() as cursor:
                cursor.execute(
                    f"LOAD DATA LOCAL INFILE '{file.name}' INTO TABLE debugging_trace_step CHARACTER SET utf8mb4"
                    f" ({', '.join(STEP_COLUMNS)})"
                )
        self._connection.commit()

    def close(self) -> None:
        self._connection.close()


def _line(row: StepRow) -> str:
    return "\t".join(map(_field, row.values)) + "\n"


def _field(value: object) -> str:
    if value is None:
        return "\\N"
    if type(value) is str:
        if "\\" in value or "\t" in value or "\n" in value:
            return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
        return value
    return repr(value)
