"""What is known of an error, in the form in which the classes ask for it: the exceptions of its chain, read from text.

Errors come from processes of any kind, and from rows that were stored long ago, so there is no exception object to ask.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from e2edebug.policy.stack_frames import Frame, is_of_application


@dataclass(frozen=True)
class Raised:
    """One exception of a chain. What a dozen classes ask of each is found out once."""

    name: str
    """The type, with its module as far as that is known."""
    message: str
    frames: tuple[Frame, ...] = ()
    """The way to where it was raised, outermost first."""

    @cached_property
    def short_name(self) -> str:
        """The type without its module."""
        return self.name.rpartition(".")[2]

    @cached_property
    def package(self) -> str:
        """The top-level package of the type; "" for built-in types."""
        return self.name.partition(".")[0] if "." in self.name else ""

    @cached_property
    def is_of_database(self) -> bool:
        """Whether a database driver, an ORM, or the server behind them speaks."""
        return self.short_name.endswith(_DATABASE_ERRORS) or self.package in _DATABASE_PACKAGES

    @cached_property
    def number(self) -> int | None:
        """MySQL's error number, as drivers write it before the text; None where there is none."""
        match = _NUMBER.match(self.message) if self.is_of_database else None
        return int(match["number"] or match["plain"]) if match is not None else None

    def is_named(self, *names: str) -> bool:
        """Whether the type has one of *names*: with a dot the whole of it, else its last part."""
        # A type without a module is its own last part, and that never has a dot: no name matches the wrong way.
        return self.name in names or self.short_name in names

    def is_from(self, *path_parts: str) -> bool:
        """Whether it was raised in a file whose path has one of *path_parts*."""
        return bool(self.frames) and any(part in self.frames[-1].path.replace("\\", "/") for part in path_parts)


@dataclass(frozen=True)
class Evidence:
    """What an error row says, or will say."""

    error_type: str
    message: str = ""
    stack: str = ""
    http_status: int | None = None
    """Of the answer to the request in which it happened, where that is known."""
    layer: str = ""
    """Where it happened."""

    @cached_property
    def chain(self) -> tuple[Raised, ...]:
        """The exception itself, then what it was raised from, nearest first."""
        told = _chain_of(self.stack[-_LONGEST_READ:])
        first = told[0] if told else Raised("", "")
        name = self.error_type.removeprefix("builtins.")
        if "." not in name and first.name.endswith(f".{name}"):
            name = first.name
        return (Raised(name, self.message or first.message, first.frames), *told[1:])

    @property
    def raised(self) -> Raised:
        """The exception itself."""
        return self.chain[0]

    @cached_property
    def place(self) -> str:
        """` Here: shop/orders/checkout.py:40 in reserve.`, the application's deepest line; "" without one."""
        for one in self.chain:
            for frame in reversed(one.frames):
                if is_of_application(frame.path):
                    path = "/".join(frame.path.replace("\\", "/").split("/")[-3:])
                    return f" Here: {path}:{frame.line}" + (f" in {frame.function}." if frame.function else ".")
        return ""


def _chain_of(stack: str) -> list[Raised]:
    """Read the exceptions of a stack trace: the last one first, then those that led to it by `raise … from`."""
    chain: list[Raised] = []
    blocks = _LINK.split(stack) if _LINK_WORDS in stack else [stack]
    # split() gives block, link, block, link, block: the last block is the exception itself.
    for at in range(len(blocks) - 1, -1, -2):
        is_cause = at == len(blocks) - 1 or "direct cause" in blocks[at + 1]
        if not is_cause:
            break
        chain += _exceptions_of(blocks[at])
    return chain


def _exceptions_of(block: str) -> list[Raised]:
    """Read one traceback. An exception group's members follow it, as what it was raised from."""
    found: list[Raised] = []
    frames: list[Frame] = []
    end = 0
    for match in _FRAME.finditer(block):
        if frames and (between := _FINAL.search(block, end, match.start())) is not None:
            found.append(Raised(between["type"], between["message"] or "", tuple(frames)))
            frames = []
        frames.append(Frame(*match.groups("")))
        end = match.end()
    last = _FINAL.search(block, end)
    if last is not None:
        found.append(Raised(last["type"], last["message"] or "", tuple(frames)))
    return found


_LONGEST_READ: Final = 262_144
_DATABASE_ERRORS: Final = (
    "DatabaseError", "DataError", "IntegrityError", "InternalError", "InterfaceError", "NotSupportedError",
    "OperationalError", "ProgrammingError", "StatementError", "DBAPIError",
)  # fmt: skip
_DATABASE_PACKAGES: Final = frozenset(
    {"pymysql", "MySQLdb", "sqlalchemy", "sqlite3", "psycopg", "psycopg2", "asyncpg", "aiomysql", "asyncmy"}
)
# `(1213, 'Deadlock found …')`, SQLAlchemy's `(pymysql.err.OperationalError) (1213, …)`, MySQL's own `1213 (40001): …`
_NUMBER: Final = re.compile(
    r"(?:\([\w.]{1,80}\) )?(?:\((?P<number>\d{1,5})[,)]|(?P<plain>\d{4}) \([0-9A-Z]{5}\):)", re.ASCII
)
_LINK_WORDS: Final = "above exception"
_LINK: Final = re.compile(
    r"(?m)^[ |]*((?:The above exception was the direct cause of|During handling of the above exception, another)[^\n]*)$"
)
_FRAME: Final = re.compile(r"(?m)^[ |+]*File \"([^\"\n]*)\", line (\d+)(?:, in ([^\n]*))?$")
_FINAL: Final = re.compile(r"(?m)^(?: +\| )?(?!Traceback \()(?P<type>[A-Za-z_][\w.<>]*)(?:: (?P<message>[^\n]*))?$")
