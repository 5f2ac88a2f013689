"""One process at a time: a row per name that says who holds it and until when.

Acquired, renewed and released by one conditional UPDATE each, so that it works on any single table: SQLite, a Galera
cluster (whose nodes have no GET_LOCK in common), a proxy that changes connections between statements. All times are
the database's; the holder judges by its own monotonic clock only how long ago it asked, never what time it is.
"""

import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, TextClause, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from e2edebug_schema.column_types import SERVER_DIALECTS
from e2edebug_schema.tables import lease as lease_table

DURATION_S: Final = 60.0
"""How long a lease lasts without being renewed: the longest time for which nobody does the work after a crash."""

_RENEW_AFTER: Final = 1 / 3
_ROWS_IN_DISPUTE: Final = (1213, 1205)
"""Deadlock and lock wait timeout; on Galera 1213 is also what the loser of two nodes gets at COMMIT."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do what `name` stands for, as long as nobody else can have taken it over."""

    name: str
    holder: str
    fence: int
    """Grows with each new holder: a write that carries it can be told from the late write of a former holder."""
    duration_s: float
    asked_at_s: float
    """Monotonic time just before the database was asked: the lease is not older than that for anybody else."""

    def is_valid(self, monotonic: Callable[[], float] = time.monotonic) -> bool:
        """Tell whether nobody else can hold it yet, without asking the database."""
        return monotonic() - self.asked_at_s < self.duration_s

    def is_due(self, monotonic: Callable[[], float] = time.monotonic) -> bool:
        """Tell whether it is time to renew."""
        return monotonic() - self.asked_at_s >= self.duration_s * _RENEW_AFTER


def holder_name() -> str:
    """Return a name that no other holder has, and by which a person finds the process: `host:pid:random`."""
    return f"{socket.gethostname()[:100]}:{os.getpid()}:{secrets.token_hex(6)}"


def acquire_lease(engine: Engine, name: str, *, holder: str, duration_s: float = DURATION_S) -> Lease | None:
    """Return the lease, or None while somebody else holds it.

    holder: holder_name(). One that holds it already gets it again, so asking twice after a lost answer is safe.
    """
    asked_at_s = time.monotonic()
    given = {"name": name, "holder": holder, "duration_s": _whole_ms(duration_s)}
    try:
        # Two transactions: an UPDATE that finds no row locks the gap, and two of them would then block each other's
        # INSERT.
        if not _changes(engine, "take", given) and not _inserts(engine, given):
            return None
        with engine.connect() as connection:
            row = connection.execute(
                select(lease_table.c.fence).where(lease_table.c.name == name, lease_table.c.holder == holder)
            ).first()
    except DBAPIError as error:
        if _is_dispute(error):
            return None
        raise
    return None if row is None else Lease(name, holder, row.fence, duration_s, asked_at_s)


def renew_lease(engine: Engine, lease: Lease) -> Lease | None:
    """Return the lease, valid for its whole duration from now on; None when it was lost."""
    asked_at_s = time.monotonic()
    given = _identity(lease) | {"duration_s": _whole_ms(lease.duration_s)}
    try:
        if not _changes(engine, "renew", given):
            return None
    except DBAPIError as error:
        if _is_dispute(error):
            return lease if lease.is_valid() else None
        raise
    return Lease(lease.name, lease.holder, lease.fence, lease.duration_s, asked_at_s)


def release_lease(engine: Engine, lease: Lease) -> bool:
    """Give the lease back, so that the next holder need not wait; False when it was no longer ours."""
    try:
        return _changes(engine, "release", _identity(lease))
    except DBAPIError as error:
        if _is_dispute(error):
            return False  # it runs out by itself
        raise


class HeldLease:
    """A lease during a long piece of work: keep() between the steps says whether to go on."""

    def __init__(self, engine: Engine, lease: Lease) -> None:
        self._engine = engine
        self._lease: Lease | None = lease

    @property
    def fence(self) -> int | None:
        """The number of this holder's turn; None once the lease was lost."""
        return None if self._lease is None else self._lease.fence

    def keep(self) -> bool:
        """Renew when a third of the time has passed. False: it is lost, and somebody else may be at work already."""
        if self._lease is not None and self._lease.is_due():
            self._lease = renew_lease(self._engine, self._lease)
        return self._lease is not None

    def release(self) -> None:
        """Give it back, if it is still ours."""
        if self._lease is not None:
            release_lease(self._engine, self._lease)
            self._lease = None


@contextmanager
def hold_lease(engine: Engine, name: str, *, duration_s: float = DURATION_S) -> Iterator[HeldLease | None]:
    """Hold the lease while the block runs; gives None when somebody else has it."""
    lease = acquire_lease(engine, name, holder=holder_name(), duration_s=duration_s)
    if lease is None:
        yield None
        return
    held = HeldLease(engine, lease)
    try:
        yield held
    finally:
        held.release()


def _whole_ms(duration_s: float) -> float:
    return round(duration_s, 3)


def _identity(lease: Lease) -> dict[str, Any]:
    return {"name": lease.name, "holder": lease.holder, "fence": lease.fence}


_SERVER_NOW: Final = "UTC_TIMESTAMP(6)"
_SERVER_LATER: Final = "UTC_TIMESTAMP(6) + INTERVAL ROUND(:duration_s * 1000000) MICROSECOND"
# In the form in which times are stored: six digits, of which SQLite's clock gives three.
_SQLITE_NOW: Final = "strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'"
_SQLITE_LATER: Final = "strftime('%Y-%m-%d %H:%M:%f', 'now', '+' || :duration_s || ' seconds') || '000'"

# Assignments run from left to right on MySQL and MariaDB, so `fence` looks at the holder before it is changed.
_TAKE: Final = """
    UPDATE debugging_lease
    SET fence = CASE WHEN holder = :holder AND expires_at > {now} THEN fence ELSE fence + 1 END,
        acquired_at = CASE WHEN holder = :holder AND expires_at > {now} THEN acquired_at ELSE {now} END,
        holder = :holder, renewed_at = {now}, expires_at = {later}
    WHERE name = :name AND (holder = :holder OR expires_at <= {now})
"""
_INSERT: Final = """
    INSERT INTO debugging_lease (name, holder, fence, acquired_at, renewed_at, expires_at)
    VALUES (:name, :holder, 1, {now}, {now}, {later})
"""
# A lease that has run out is renewed as long as nobody has taken it: a pause of the process costs nothing then.
_RENEW: Final = """
    UPDATE debugging_lease SET renewed_at = {now}, expires_at = {later}
    WHERE name = :name AND holder = :holder AND fence = :fence
"""
_RELEASE: Final = """
    UPDATE debugging_lease SET holder = '', expires_at = {now}
    WHERE name = :name AND holder = :holder AND fence = :fence
"""
_STATEMENTS: Final = {"take": _TAKE, "insert": _INSERT, "renew": _RENEW, "release": _RELEASE}


def _statement(engine: Engine, kind: str) -> TextClause:
    on_server = engine.dialect.name in SERVER_DIALECTS
    now, later = (_SERVER_NOW, _SERVER_LATER) if on_server else (_SQLITE_NOW, _SQLITE_LATER)
    # SQLAlchemy reads `:%M` in a format as a name to bind; a backslash keeps the colon.
    return text(_STATEMENTS[kind].format(now=now.replace(":%", "\\:%"), later=later.replace(":%", "\\:%")))


def _changes(engine: Engine, kind: str, given: dict[str, Any]) -> bool:
    with engine.begin() as connection:
        return connection.execute(_statement(engine, kind), given).rowcount == 1


def _inserts(engine: Engine, given: dict[str, Any]) -> bool:
    try:
        with engine.begin() as connection:
            if _is_known(connection, given["name"]):
                return False  # somebody holds it; an INSERT that fails would use up a number of the primary key
            connection.execute(_statement(engine, "insert"), given)
    except IntegrityError:
        return False  # another process was first
    return True


def _is_known(connection: Connection, name: str) -> bool:
    return connection.execute(select(lease_table.c.id).where(lease_table.c.name == name)).first() is not None


def _is_dispute(error: DBAPIError) -> bool:
    arguments: tuple[object, ...] = getattr(error.orig, "args", ())
    return bool(arguments) and arguments[0] in _ROWS_IN_DISPUTE
