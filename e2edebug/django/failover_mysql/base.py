"""Django's MySQL backend, connected to the first of several hosts that answers, and rather to one that takes rows."""

import time
from functools import partial
from typing import Any, Final

from django.db.backends.mysql.base import DatabaseWrapper as MySQLDatabaseWrapper
from opentelemetry.instrumentation.utils import suppress_instrumentation

from e2edebug_schema.host_failover import HostFailover, require_majority

HOSTS_OPTION: Final = "e2edebug_hosts"
"""In OPTIONS: a list of (host, port), in the order in which they are tried."""
CHECK_INTERVAL_S: Final = 5.0


class DatabaseWrapper(MySQLDatabaseWrapper):
    """A connection that looks for another host each time it has to be made anew, and when its host is of use no more.

    Django checks a connection between requests, by a ping: one that a management command or a worker keeps is never
    checked, and a ping is answered by a Galera node in a minority, which refuses whatever reads a table. So a connection
    that is used again after some seconds, or after an error, is asked first; within a transaction it never is.
    """

    _failover: HostFailover | None = None
    _check_due_at = 0.0

    def get_connection_params(self) -> dict[str, Any]:
        """Return what the driver understands."""
        parameters = super().get_connection_params()
        return {name: value for name, value in parameters.items() if name != HOSTS_OPTION}

    def get_new_connection(self, conn_params: Any) -> Any:
        """Return a connection to a host that answers a query. Raises what the first host raised when none does."""
        if self._failover is None:
            connect = super().get_new_connection
            hosts = self.settings_dict["OPTIONS"][HOSTS_OPTION]
            makers = [partial(connect, {**conn_params, "host": host, "port": port}) for host, port in hosts]
            self._failover = HostFailover(makers)
        connection = self._failover()
        self._check_due_at = time.monotonic() + CHECK_INTERVAL_S
        return connection

    def is_usable(self) -> bool:
        """Say whether the host answers what a Galera node in a minority refuses."""
        try:
            with suppress_instrumentation():
                require_majority(self.connection)
        except self.Database.Error:
            return False
        return True

    def close_if_health_check_failed(self) -> None:
        """Give up a connection that was not asked for some seconds, or has failed, if its host is of use no more.

        Called by Django before each cursor and each transaction.
        """
        is_due = self.errors_occurred or time.monotonic() >= self._check_due_at
        if self.connection is None or self.in_atomic_block or not is_due:
            return
        self._check_due_at = time.monotonic() + CHECK_INTERVAL_S
        if self.is_usable():
            self.errors_occurred = False
        else:
            self.close()
