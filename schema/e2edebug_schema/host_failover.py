"""Several hosts of one database: a connection goes to the first that answers a query, and rather to one that takes rows.

A host that can be connected to need not be of use: a Galera node in a minority lets everybody in and refuses whatever
reads or writes a table (1047), and an old primary is read-only. So a new connection is asked before it is given out.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

# A Galera node in a minority answers SET, SHOW, and a SELECT without a table like any other (MariaDB 10.11); DO it refuses.
_REFUSED_IN_A_MINORITY: Final = "DO 0"
_READINESS: Final = "SELECT @@global.read_only"
_WRITABLE: Final = ("0", "OFF", "NO")


class HostFailover:
    """Makes connections; stays with the host that gave the last one for as long as it answers.

    makers: one for each host, in the order of preference. With no host that takes rows, reading goes on with the first
    that answers. Raises what the first host raised when none does.
    """

    def __init__(self, makers: Sequence[Callable[[], Any]]) -> None:
        self._makers = makers
        self._preferred = 0

    def __call__(self) -> Any:
        readable: tuple[int, Any] | None = None
        failure: Exception | None = None
        for offset in range(len(self._makers)):
            index = (self._preferred + offset) % len(self._makers)
            try:
                connection = self._makers[index]()
                takes_rows = _takes_rows(connection)
            except Exception as error:  # noqa: BLE001 # whatever a driver raises: the next host may do
                failure = failure or error
                continue
            if takes_rows:
                if readable is not None:
                    _close(readable[1])
                self._preferred = index
                return connection
            if readable is None:
                readable = index, connection
            else:
                _close(connection)
        if readable is not None:
            self._preferred, connection = readable
            return connection
        assert failure is not None  # there is at least one host
        raise failure


def require_majority(connection: Any) -> None:
    """Return if the host behind *connection* answers, and is no Galera node in a minority. Raises the driver's error."""
    cursor = connection.cursor()
    cursor.execute(_REFUSED_IN_A_MINORITY)
    cursor.close()


def _takes_rows(connection: Any) -> bool:
    try:
        require_majority(connection)
        cursor = connection.cursor()
        cursor.execute(_READINESS)
        (answer,) = cursor.fetchone()
        cursor.close()
    except BaseException:
        _close(connection)
        raise
    return str(answer).upper() in _WRITABLE


def _close(connection: Any) -> None:
    try:
        connection.close()
    except Exception:  # noqa: BLE001, S110 # it is given up anyway
        pass
