"""Keys of whoever sends telemetry: who holds one may write, and read nothing.

A token is shown once, when it is made. The settings hold its SHA-256: a token has 256 random bits, so a slow password
hash would protect nothing, and would let anybody spend 0.3 s of our processor with each wrong guess.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

KeyKind = Literal["server", "browser"]

KEY_FORM: Final = (
    "keys as `e2edebug ingest-key` prints them, separated by blanks: server:<64 hexadecimal digits>, or "
    "browser:<64 hexadecimal digits>:https://shop.example.com (several origins by commas)"
)
_KINDS: Final = frozenset(get_args(KeyKind))
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_ORIGIN: Final = re.compile(r"https?://(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:]+\])(?::\d{1,5})?", re.ASCII)
_RANDOM_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class IngestKey:
    """A key as the settings hold it."""

    kind: KeyKind
    """`server`: a secret between services. `browser`: public, because every visitor of the page can read it."""
    sha256: str
    origins: tuple[str, ...] = ()
    """Which pages may use a browser's key."""

    def __str__(self) -> str:
        return ":".join((self.kind, self.sha256, *filter(None, [",".join(self.origins)])))


def new_token(kind: KeyKind) -> str:
    """Return a token that nobody can guess; its beginning says what it is to whoever finds it."""
    import secrets  # 3 ms that a start need not pay

    return f"e2e{kind[0]}_{secrets.token_urlsafe(_RANDOM_BYTES)}"


def key_of(token: str, kind: KeyKind, origins: Iterable[str] = ()) -> IngestKey:
    """Return *token* as the settings hold it. Raises ValueError for an origin that is none, naming it."""
    return IngestKey(kind, _digest(token), tuple(_origin(given) for given in origins))


def parse_key(text: str) -> IngestKey:
    """Return the key that one entry of the settings names. Raises ValueError."""
    kind, _, rest = text.partition(":")
    digest, _, listed = rest.partition(":")
    given = [origin for origin in listed.split(",") if origin]
    if kind not in _KINDS or _SHA256.fullmatch(digest) is None:
        raise ValueError(KEY_FORM)
    if (kind == "browser") != bool(given):
        raise ValueError(f"{KEY_FORM}: a browser's key names the origins of its pages, a server's has none")
    try:
        origins = tuple(_origin(origin) for origin in given)
    except ValueError as error:
        raise ValueError(f"{KEY_FORM}: {error}") from None
    return IngestKey(cast(KeyKind, kind), digest, origins)


def _origin(given: str) -> str:
    origin = given.lower()
    if _ORIGIN.fullmatch(origin) is None:
        raise ValueError(f"{given[:80]!r} is no origin such as https://shop.example.com")
    return origin


def find_key(token: str, keys: Iterable[IngestKey]) -> IngestKey | None:
    """Return the key that *token* belongs to, None for nobody's. How long it takes tells nothing of the keys."""
    digest = _digest(token)
    found = None
    for key in keys:
        if hmac.compare_digest(digest, key.sha256):
            found = key
    return found


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
