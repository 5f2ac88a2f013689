"""What a setting may hold: each kind turns text from the environment, or a Python value, into the value that is used.

A kind refuses with `ValueFormError`, whose text completes the sentence "E2EDEBUG_X='abc' is not …".
"""

import math
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Final
from urllib.parse import unquote

from e2edebug.policy.database_hosts import url_per_host
from e2edebug.policy.durability import Durability
from e2edebug.policy.ingest_keys import KEY_FORM, IngestKey, parse_key
from e2edebug.policy.secret_names import is_secret_name

LONGEST_S: Final = 31_536_000
LONGEST_DAYS: Final = 36_500
"""One year: PyMySQL refuses a longer connect_timeout, and waits of the interpreter overflow beyond some more."""

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "OFF")

_INTEGER = re.compile(r"[0-9]{1,15}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{0,15})?|\.[0-9]{1,15}", re.ASCII)
_BYTES = re.compile(r"([0-9]{1,15})\s*(|b|k|kb|kib|m|mb|mib|g|gb|gib)", re.ASCII | re.IGNORECASE)
_BYTE_UNITS: Final = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_BOOLEANS: Final = {
    "true": True, "1": True, "yes": True, "on": True,
    "false": False, "0": False, "no": False, "off": False,
}  # fmt: skip
_SUPPORTED_DATABASES: Final = ("mysql", "mariadb", "sqlite")
_DATABASE_URL_FORM: Final = (
    "a database URL such as mysql+pymysql://user:password@host:3306/database (several hosts: host1:3306,host2:3306) "
    "or sqlite:///file"
)
_QUERY_IN_CREDENTIALS = re.compile(r"\?(?:[^=@]*&)?[^=&@]*=")
# The parts as SQLAlchemy's make_url reads them, which ends in a bare ValueError when the port is no number.
_SERVER: Final = re.compile(r"(?:[^:/]*(?::[^@]*)?@)?(?P<host>\[[^/?]+\]|[^/:?]*)(?::(?P<port>[^/?]*))?(?:[/?].*)?")
_SCHEME = re.compile(r"[a-z][a-z0-9+.\-]*", re.ASCII | re.IGNORECASE)
_WORKFLOW_RULE = re.compile(r"(?P<method>\S+)\s+(?P<route>\S+)\s*=\s*(?P<workflow_type>[^=]+)")
_HOST: Final = re.compile(
    r"\*|(?:\*?\.)?[\w.-]+(?::\d{1,5})?|\[?[0-9a-f:.]+\]?(?:/\d{1,3})?|\d+\.\d+\.\d+\.\d+/\d{1,2}"
)
"""A name, `*.` or `.` and the end of names, an address, or a network."""
_METHODS: Final = frozenset({"*", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_WORKFLOW_RULE_FORM: Final = "a list of rules such as 'POST /api/checkout/=checkout; GET /login/*=login'"


class ValueFormError(ValueError):
    """A value of the wrong form. The text is the form that would have been accepted."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value: what it is called in the settings table, its unit, and how it is read."""

    name: str
    parse: Callable[[object], object]
    unit: str = ""
    is_secret: bool = False
    """Shown only through `mask`."""
    is_all_secret: bool = False
    """Not a part of it is shown."""

    def mask(self, value: str) -> str:
        """Return what may be shown of a secret."""
        return "***" if self.is_all_secret else mask_url(value)


@dataclass(frozen=True, slots=True)
class WorkflowRule:
    """Requests of this method and route belong to this type of workflow.

    method: upper-case, or `*` for every method. route: as Django writes it (`/api/orders/<int:pk>/`), where `*`
    stands for any run of characters; a leading slash makes no difference.
    """

    method: str
    route: str
    workflow_type: str
    _route_pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Runs of stars are one star: `.*.*.*` would backtrack in the cube of the length.
        pieces = re.split(r"\*+", self.route.lstrip("/"))
        pattern = ".*".join(re.escape(piece) for piece in pieces)
        object.__setattr__(self, "_route_pattern", re.compile(pattern, re.DOTALL))

    def __str__(self) -> str:
        return f"{self.method} {self.route}={self.workflow_type}"

    def matches(self, method: str, route: str) -> bool:
        """Whether a request of *method* to *route* belongs to this rule's workflow."""
        return self.method in ("*", method) and self._route_pattern.fullmatch(route.lstrip("/")) is not None


def mask_url(url: str) -> str:
    """Return *url* with its password, and whatever looks like one in its query, replaced by `***`.

    Works on text that is no valid URL as well, because that is what an error message has to show. A password may hold
    an unescaped `@`, so everything up to the last one is taken for it.
    """
    scheme, separator, rest = url.partition("://")
    if _SCHEME.fullmatch(scheme) is None:  # the separator, if there is one, is part of a password
        scheme, separator, rest = "", "", url
    credentials, at, location = rest.rpartition("@")
    if _QUERY_IN_CREDENTIALS.search(credentials) is not None:
        return f"{scheme}{separator}***"  # `h:1/x?password=a@b`: where the password begins cannot be told
    user, colon, _password = credentials.partition(":")
    shown = f"{user}:***@{location}" if colon else f"{credentials}{at}{location}"
    pieces = re.split("([?&])", f"{scheme}{separator}{shown}")
    return pieces[0] + "".join(_masked_parameter(piece) for piece in pieces[1:])


def _masked_parameter(parameter: str) -> str:
    name, equals, _value = parameter.partition("=")
    plain_name = unquote(name)
    is_secret = (
        is_secret_name(plain_name) or re.search("pass|pwd|secret|token|key", plain_name, re.IGNORECASE) is not None
    )
    return f"{name}=***" if equals and is_secret else parameter


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    known = _BOOLEANS.get(str(value).strip().lower()) if isinstance(value, str | int) else None
    if known is None:
        raise ValueFormError("true or false")
    return known


def _rate(value: object) -> str | None:
    text = str(value).strip().lower()
    if text == "unlimited":
        return None
    number, _, unit = text.partition("/")
    if not (number.isascii() and number.isdigit() and int(number) > 0 and unit in ("s", "min", "hour", "day")):
        raise ValueFormError("a rate such as 1200/min, or unlimited")
    return text


def _log_level(value: object) -> str:
    level = value.strip().upper() if isinstance(value, str) else ""
    if level not in LOG_LEVELS:
        raise ValueFormError(f"one of {', '.join(LOG_LEVELS)}")
    return level


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueFormError("printable text")
    return value.strip()


def _database_url(value: object) -> str:
    if not isinstance(value, str) or not value.strip().isprintable():
        raise ValueFormError(_DATABASE_URL_FORM)
    scheme, separator, rest = value.strip().partition("://")
    database = scheme.partition("+")[0]
    if not separator or database not in _SUPPORTED_DATABASES or (database != "sqlite" and not rest):
        raise ValueFormError(_DATABASE_URL_FORM)
    if database != "sqlite":
        urls = url_per_host(value.strip())
        for url in urls:
            _check_server(url.partition("://")[2], is_one_of_many=len(urls) > 1)
    return value.strip()


def _check_server(rest: str, *, is_one_of_many: bool) -> None:
    # What is wrong is named, not shown: behind a mistake, a piece of the password may be taken for the port.
    server = _SERVER.fullmatch(rest)
    port = (server["port"] or "") if server is not None else ""
    if server is None or server["host"].startswith("[") != server["host"].endswith("]"):
        raise ValueFormError(f"{_DATABASE_URL_FORM}: its host cannot be read")
    if "[" in server["host"] and re.fullmatch(r"\[[0-9A-Fa-f:.%]+\w*\]", server["host"]) is None:
        raise ValueFormError(f"{_DATABASE_URL_FORM}: its host is no IPv6 address")
    if is_one_of_many and not server["host"]:
        raise ValueFormError(f"{_DATABASE_URL_FORM}: one of its hosts is empty")
    if port and (re.fullmatch("[0-9]{1,5}", port, re.ASCII) is None or not 0 < int(port) < 65536):
        raise ValueFormError(f"{_DATABASE_URL_FORM}: its port is not a number from 1 to 65535")


def _names(value: object) -> tuple[str, ...]:
    return tuple(name.strip() for name in _listed(value, "a list of names, separated by commas") if name.strip())


def _addresses(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(value.split())
    return tuple(_listed(value, "a list of addresses, separated by blanks"))


def _ingest_keys(value: object) -> tuple[IngestKey, ...]:
    entries: Iterable[object] = value.split() if isinstance(value, str) else _sequence(value, KEY_FORM)
    keys = []
    for entry in entries:
        try:
            keys.append(entry if isinstance(entry, IngestKey) else parse_key(str(entry).strip()))
        except ValueError as error:
            raise ValueFormError(str(error)) from error
    return tuple(keys)


def _networks(value: object) -> tuple[str, ...]:
    form = "a list of networks, separated by commas, such as 10.0.0.0/8, fd00::/8"
    from ipaddress import ip_network  # 5 ms that few processes need

    networks = tuple(name.strip() for name in _listed(value, form) if name.strip())
    for network in networks:
        try:
            ip_network(network)
        except ValueError as error:
            raise ValueFormError(form) from error
    return networks


def _hosts(value: object) -> tuple[str, ...]:
    form = "a list of hosts, separated by commas, such as 'payments.example.com, *.internal, 10.0.0.0/8'; or 'none'"
    hosts = tuple(host.strip().lower() for host in _listed(value, form) if host.strip())
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise ValueFormError(form)
    return hosts


def _patterns(value: object) -> tuple[str, ...]:
    form = "a list of regular expressions, separated by commas"
    patterns = tuple(pattern.strip() for pattern in _listed(value, form) if pattern.strip())
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueFormError(f"{form}: {pattern!r} is wrong ({error})") from error
    return patterns


def _workflow_rules(value: object) -> tuple[WorkflowRule, ...]:
    entries: Iterable[object] = value.split(";") if isinstance(value, str) else _sequence(value, _WORKFLOW_RULE_FORM)
    rules = []
    for entry in entries:
        if isinstance(entry, WorkflowRule):
            rules.append(entry)
        elif not isinstance(entry, str):
            raise ValueFormError(_WORKFLOW_RULE_FORM)
        elif entry.strip():
            rules.append(_workflow_rule(entry.strip()))
    return tuple(rules)


def _workflow_rule(text: str) -> WorkflowRule:
    found = _WORKFLOW_RULE.fullmatch(text)
    if found is None or found["method"].upper() not in _METHODS or not text.isprintable():
        raise ValueFormError(f"{_WORKFLOW_RULE_FORM}: {text[:80]!r} is no 'METHOD /route=type'")
    workflow_type = found["workflow_type"].strip()
    if not workflow_type or len(workflow_type) > 100:
        raise ValueFormError(f"{_WORKFLOW_RULE_FORM}: a workflow type has 1 to 100 characters")
    return WorkflowRule(found["method"].upper(), found["route"], workflow_type)


def _listed(value: object, form: str) -> list[str]:
    if isinstance(value, str):
        return value.split(",")
    entries = _sequence(value, form)
    if not all(isinstance(entry, str) for entry in entries):
        raise ValueFormError(form)
    return [str(entry) for entry in entries]


def _sequence(value: object, form: str) -> list[object]:
    if not isinstance(value, list | tuple | set | frozenset):
        raise ValueFormError(form)
    return list(value)


@cache
def integer(unit: str, *, at_least: int) -> Kind:
    """A whole number of *unit*, from *at_least* on."""

    def parse(value: object) -> int:
        text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if _INTEGER.fullmatch(text) is None:
            raise ValueFormError(f"a whole number of {unit}")
        if int(text) < at_least:
            raise ValueFormError(f"a whole number of {unit} from {at_least} on")
        return int(text)

    return Kind("integer", parse, unit)


@cache
def size(*, at_least: int) -> Kind:
    """A number of bytes, from *at_least* on; K, M and G (also KiB, MB, …) count in powers of 1,024."""
    form = "a number of bytes such as 65536, 64KiB or 64MiB"

    def parse(value: object) -> int:
        text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
        found = _BYTES.fullmatch(text)
        if found is None:
            raise ValueFormError(form)
        size_bytes = int(found[1]) * _BYTE_UNITS[found[2].lower()[:1].replace("b", "")]
        if size_bytes < at_least:
            raise ValueFormError(f"{form}, at least {at_least}")
        return size_bytes

    return Kind("size", parse, "bytes")


@cache
def seconds(*, may_be_zero: bool = False) -> Kind:
    """A number of seconds, fractions allowed, above zero unless *may_be_zero*."""

    def parse(value: object) -> float:
        is_number = isinstance(value, str | int | float) and not isinstance(value, bool)
        text = format(value, "f") if isinstance(value, float) and math.isfinite(value) else str(value).strip()
        if not is_number or _NUMBER.fullmatch(text) is None:
            raise ValueFormError("a number of seconds")
        number = float(text)
        if number > LONGEST_S or number < 0 or (number == 0 and not may_be_zero):
            least = "from 0" if may_be_zero else "above 0"
            raise ValueFormError(f"a number of seconds {least} and up to {LONGEST_S}")
        return number

    return Kind("number", parse, "seconds")


def _days(value: object) -> float:
    is_number = isinstance(value, str | int | float) and not isinstance(value, bool)
    text = format(value, "f") if isinstance(value, float) and math.isfinite(value) else str(value).strip()
    if not is_number or _NUMBER.fullmatch(text) is None or not 0 <= float(text) <= LONGEST_DAYS:
        raise ValueFormError(f"a number of days from 0 (for ever) up to {LONGEST_DAYS}")
    return float(text)


def _durability(value: object) -> Durability:
    try:
        return Durability(str(value).strip().lower())
    except ValueError as error:
        raise ValueFormError("one of memory, spool and spool-first") from error


def _folder(value: object) -> str:
    text = str(value).strip() if isinstance(value, str | os.PathLike) else ""
    if not text or not text.isprintable() or not (text.startswith("~") or os.path.isabs(text)):  # noqa: PTH117
        raise ValueFormError("an absolute path of a folder such as /var/lib/shop/spool, or one that begins with ~")
    return text


@cache
def milliseconds() -> Kind:
    """A number of milliseconds above zero, fractions allowed."""

    def parse(value: object) -> float:
        try:
            in_seconds = seconds().parse(float(str(value)) / 1000 if not isinstance(value, bool) else value)
        except ValueError:
            raise ValueFormError("a number of milliseconds above 0") from None
        assert isinstance(in_seconds, float)
        return float(str(value))

    return Kind("number", parse, "milliseconds")


BOOLEAN: Final = Kind("boolean", _boolean)
LOG_LEVEL: Final = Kind("level", _log_level)
DAYS: Final = Kind("number", _days, "days")
TEXT: Final = Kind("text", _text)
RATE: Final = Kind("rate", _rate)
DATABASE_URL: Final = Kind("database URL", _database_url, is_secret=True)
DURABILITY: Final = Kind("memory, spool or spool-first", _durability)
FOLDER: Final = Kind("folder", _folder)
ADDRESSES: Final = Kind("addresses, by blanks", _addresses, is_secret=True)
INGEST_KEYS: Final = Kind("keys, by blanks", _ingest_keys, is_secret=True, is_all_secret=True)
NETWORKS: Final = Kind("networks, by commas", _networks)
NAMES: Final = Kind("names, by commas", _names)
HOSTS: Final = Kind("hosts, by commas", _hosts)
PATTERNS: Final = Kind("regular expressions, by commas", _patterns)
WORKFLOW_RULES: Final = Kind("rules, by semicolons", _workflow_rules)
