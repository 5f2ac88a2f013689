"""Django's MySQL backend, connected to the first of several hosts that answers, and rather to one that takes rows."""

from functools import partial
from typing import Any, Final

from django.db.backends.mysql.base import DatabaseWrapper as MySQLDatabaseWrapper

from e2edebug_schema.host_failover import HostFailover

HOSTS_OPTION: Final = "e2edebug_hosts"
"""In OPTIONS: a list of (host, port), in the order in which they are tried."""


class DatabaseWrapper(MySQLDatabaseWrapper):
    """A connection that looks for another host each time it has to be made anew."""

    _failover: HostFailover | None = None

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
        return self._failover()
