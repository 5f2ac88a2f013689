"""e2edebug, steps alone: the statement of the batch writer, in which a step that is there already stays as it is."""

from e2edebug_exporters.rows import RowBatch
from e2edebug_exporters.statements.mysql import MySQLWriteStatements
from e2edebug_schema.engine import create_store_engine

NAME = "e2edebug, steps alone"
WHO = "ours"


class Writer:
    def __init__(self, store_url: str) -> None:
        self._engine = create_store_engine(store_url)
        self._statements = MySQLWriteStatements("mariadb")
        with self._engine.connect() as connection:
            self._statements.prepare(connection)

    def write(self, batch: RowBatch) -> None:
        with self._engine.connect().execution_options(no_parameters=True) as connection, connection.begin():
            taken = self._statements.insert_steps(connection, batch.steps)
        if taken != len(batch.steps):
            raise RuntimeError(f"{taken} of {len(batch.steps)} steps were new")

    def close(self) -> None:
        self._engine.dispose()
