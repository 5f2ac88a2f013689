"""What all queries of one connection have in common, and what all executions of one of its statements have.

An application sends the same few statements from the same few lines again and again. What their spans say is put
together once, and they have it in common.
"""

from types import CodeType, FrameType
from typing import Final

from opentelemetry.util.types import AttributeValue

from e2edebug.policy import attributes
from e2edebug.policy.own_statements import is_own_statement
from e2edebug.policy.prepared_attributes import PreparedAttributes
from e2edebug.policy.sql_text import describe_statement
from e2edebug_instrumentation.database.code_location import CodeLocation, location_of

AFFECTED_ROWS: Final = "e2edebug.db.affected_rows"
RETURNED_ROWS: Final = "db.response.returned_rows"
STATEMENT_LENGTH: Final = "e2edebug.db.statement_length"
"""Characters of a statement that was too long to be read whole."""

_DATABASE_LAYER: Final = "database"
_ROWSETS: Final = frozenset({"SELECT", "SHOW", "EXPLAIN", "DESCRIBE", "DESC", "VALUES", "TABLE", "PRAGMA", "WITH"})
_MOST_TARGETS: Final = 100
_MOST_STATEMENTS: Final = 500
_MOST_PLACES: Final = 50
_NOWHERE: Final = (0, 0)
_LONGEST_KNOWN: Final = 4_096
"""Characters of a statement that is remembered: all of a target's take at most 2 MB so."""


class KnownStatement:
    """What the spans of one statement say, wherever it is sent from."""

    __slots__ = ("attributes", "places", "row_count_name", "span_name")

    def __init__(self, found: dict[str, AttributeValue], span_name: str, row_count_name: str = AFFECTED_ROWS) -> None:
        self.attributes = found
        self.span_name = span_name
        self.row_count_name = row_count_name
        self.places: dict[tuple[int, int], tuple[CodeType | None, PreparedAttributes]] = {}
        """By the id of a code object and the place in it: the code object, which keeps its id taken, and what a span says."""

    def attributes_at(self, place: FrameType | CodeLocation | None) -> dict[str, AttributeValue]:
        """Return the attributes of an execution that *place* has caused.

        From the second time on they are PreparedAttributes, which the caller must not change: a statement or a place that
        does not come again is not worth that anything is remembered by them.
        """
        if isinstance(place, CodeLocation):
            return with_location(self.attributes.copy(), place)
        code, key = (None, _NOWHERE) if place is None else (place.f_code, (id(place.f_code), place.f_lasti))
        known = self.places.get(key)
        if known is not None and known[0] is code:
            return known[1]
        if len(self.places) >= _MOST_PLACES:
            self.places.clear()
        found = self.attributes.copy() if place is None else with_location(self.attributes.copy(), location_of(place))
        self.places[key] = code, PreparedAttributes(found)
        return found


class DatabaseTarget:
    """One database, as one kind of connection reaches it."""

    __slots__ = ("_commands", "attributes", "name", "statements")

    def __init__(self, name: str, found: dict[str, AttributeValue]) -> None:
        self.name = name
        """What a statement without a table is filed under: Django's alias, else the database or the system."""
        self.attributes = found
        self.statements: dict[str, KnownStatement] = {}
        """By their text, statements on our own tables left out. Without a lock: what two threads put in is the same."""
        self._commands: dict[str, KnownStatement] = {}

    def statement(self, sql: object, text: str, *, longest: int) -> KnownStatement:
        """Return what is known of *sql*, whose *text* is read up to *longest* characters."""
        found = self.attributes.copy()
        if len(text) <= longest:
            masked, digest, operation, table = describe_statement(text)
        else:
            masked, digest, operation, table = describe_statement(text[:longest], is_cut=True)
            found[STATEMENT_LENGTH] = len(text)
        operation = operation or "QUERY"
        component = table or self.name
        found["db.query.text"] = masked
        found["db.operation.name"] = operation
        found[attributes.COMPONENT] = component
        found[attributes.OPERATION] = operation
        found[attributes.STATEMENT_DIGEST] = digest
        if table:
            found["db.collection.name"] = table
        row_count_name = RETURNED_ROWS if operation in _ROWSETS else AFFECTED_ROWS
        made = KnownStatement(found, f"{operation} {component}", row_count_name)
        if type(sql) is str and len(sql) <= min(_LONGEST_KNOWN, longest) and not is_own_statement(sql):
            if len(self.statements) >= _MOST_STATEMENTS:
                self.statements.clear()
            self.statements[sql] = made
        return made

    def command(self, operation: str) -> KnownStatement:
        """Return what is known of what is no statement to the driver: CONNECT, BEGIN, COMMIT, ROLLBACK."""
        known = self._commands.get(operation)
        if known is None:
            found = self.attributes.copy()
            found["db.operation.name"] = operation
            found[attributes.COMPONENT] = self.name
            found[attributes.OPERATION] = operation
            known = self._commands[operation] = KnownStatement(found, f"{operation} {self.name}")
        return known


def database_target(
    *, system: str, name: str = "", namespace: object = None, address: object = None, port: object = None
) -> DatabaseTarget:
    """Return the target of a connection from whatever its driver calls these things; the same one for the same things."""
    found: dict[str, AttributeValue] = {"db.system.name": _text(system), attributes.LAYER: _DATABASE_LAYER}
    database = _text(namespace)
    if system == "sqlite":
        database = database.partition("?")[0].replace("\\", "/").rpartition("/")[2]  # a path names persons and machines
    if database:
        found["db.namespace"] = database
    server = _text(address)
    if server:
        found["server.address"] = server
        if port is not None and str(port).isdigit():
            found["server.port"] = int(str(port))
    target_name = _text(name) or database or _text(system)
    key = (target_name, *found.items())
    # Django closes its connection after each request, unless told otherwise: what is known outlives it.
    target = _targets.get(key)
    if target is None:
        if len(_targets) >= _MOST_TARGETS:
            _targets.clear()
        target = _targets[key] = DatabaseTarget(target_name, found)
    return target


_targets: dict[tuple[object, ...], DatabaseTarget] = {}


def with_location(found: dict[str, AttributeValue], location: CodeLocation) -> dict[str, AttributeValue]:
    """Return *found* with *location* added to it."""
    found["code.file.path"], found["code.line.number"], found["code.function.name"] = location
    return found


def _text(value: object) -> str:
    if value is None:
        return ""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return "".join((text,))  # a plain str, also of a subclass whose __str__() returns itself
