"""Migrated databases that tests use one after the other: emptying one takes milliseconds, migrating one half a second."""

from typing import Any

from support.mariadb import ExistingServer, MariaDBServer

_SHAPE = (
    "SELECT COUNT(*), SUM(CRC32(CONCAT_WS('/', table_name, column_name, column_type, is_nullable)))"
    " FROM information_schema.columns WHERE table_schema = DATABASE()"
)


class MigratedDatabases:
    """Databases of one server. One that a test has left with another shape is not used again."""

    def __init__(self, server: MariaDBServer | ExistingServer) -> None:
        self._server = server
        self._free: list[str] = []
        self._shape: Any = None

    def take(self) -> str:
        """Return the URL of a migrated database without rows."""
        if self._free:
            return self._free.pop()
        from e2edebug_schema.engine import create_store_engine
        from e2edebug_schema.migrate import migrate

        url = self._server.create_database()
        engine = create_store_engine(url)
        migrate(engine)
        engine.dispose()
        if self._shape is None:
            with self._server.root() as connection, connection.cursor() as cursor:
                self._shape = self._shape_of(cursor, url)
        return url

    def give_back(self, url: str) -> None:
        """Empty the database and keep it for the next test, unless its shape has changed."""
        from e2edebug_schema.tables import metadata

        with self._server.root() as connection, connection.cursor() as cursor:
            if self._shape_of(cursor, url) != self._shape:
                self._server.drop_database(url)
                return
            for name in metadata.tables:
                if cursor.execute(f"DELETE FROM {name}"):
                    cursor.execute(f"ALTER TABLE {name} AUTO_INCREMENT = 1")
        self._free.append(url)

    @staticmethod
    def _shape_of(cursor: Any, url: str) -> Any:
        cursor.execute(f"USE {url.rsplit('/', 1)[1]}")
        cursor.execute(_SHAPE)
        return cursor.fetchone()
