"""Traces DB-API drivers that an application uses directly: PyMySQL, mysqlclient, sqlite3, psycopg and psycopg2."""

from collections.abc import Callable, Collection
from types import ModuleType
from typing import Any, Final, NamedTuple

import wrapt
from opentelemetry.instrumentation.dbapi import unwrap_connect, wrap_connect
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined] # see the class

from e2edebug_instrumentation.database.driver_integration import ProxyIntegration, TracedIntegration
from e2edebug_instrumentation.database.native_drivers import PsycopgIntegration, SQLiteIntegration
from e2edebug_instrumentation.database.options import make_recorder
from e2edebug_instrumentation.database.query_span import INSTRUMENTATION_SCOPE, QueryRecorder


class _Driver(NamedTuple):
    module: str
    system: str
    integration: type[TracedIntegration]
    connection_attributes: dict[str, str]
    """OpenTelemetry's name of a property to the connection's."""


_DRIVERS: Final = (
    _Driver("pymysql", "mysql", ProxyIntegration, {"database": "db", "port": "port", "host": "host"}),
    _Driver("MySQLdb", "mysql", ProxyIntegration, {}),
    _Driver("sqlite3", "sqlite", SQLiteIntegration, {}),
    _Driver("sqlite3.dbapi2", "sqlite", SQLiteIntegration, {}),
    _Driver("psycopg", "postgresql", PsycopgIntegration, {"database": "dbname", "port": "port", "host": "host"}),
    _Driver("psycopg2", "postgresql", PsycopgIntegration, {"database": "dbname", "port": "port", "host": "host"}),
)


# OpenTelemetry tells type checkers to ignore the whole module of BaseInstrumentor.
class DbApiInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Makes a span of every query, commit, rollback and connection of a driver; a singleton, undone by uninstrument().

    A driver is touched once the application has imported it. Connections that Django or SQLAlchemy opens stay plain.
    instrument() takes `config` (a policy Config), `capture_code_location`, `value_max_bytes`, `tracer_provider`.
    """

    _recorder: QueryRecorder | None = None
    _imported: dict[str, tuple[_Driver, Any]] | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Nothing: a driver that is not there is not wrapped."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        self._recorder = make_recorder(kwargs)
        if self._imported is not None:
            for driver, module in self._imported.values():
                self._wrap(driver, module, self._recorder)
            return
        # A hook for an import cannot be taken back: there is one per process and driver.
        self._imported = {}
        for driver in _DRIVERS:
            wrapt.register_post_import_hook(self._hook(driver), driver.module)

    def _uninstrument(self, **_: Any) -> None:
        if self._recorder is not None:
            self._recorder.is_active = False  # open connections keep their classes, and become silent
            self._recorder = None
        for _driver, module in (self._imported or {}).values():
            unwrap_connect(module, "connect")

    def _hook(self, driver: _Driver) -> Callable[[ModuleType], None]:
        def when_imported(module: ModuleType) -> None:
            assert self._imported is not None
            self._imported[driver.module] = (driver, module)
            if self._recorder is not None:
                self._wrap(driver, module, self._recorder)

        return when_imported

    def _wrap(self, driver: _Driver, module: Any, recorder: QueryRecorder) -> None:
        wrap_connect(
            INSTRUMENTATION_SCOPE,
            module,
            "connect",
            driver.system,
            driver.connection_attributes,
            db_api_integration_factory=driver.integration.reporting_to(recorder),
        )
