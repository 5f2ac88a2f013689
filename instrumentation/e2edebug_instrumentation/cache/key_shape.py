"""A cache key without what it says of persons and things: `user:8127:cart` becomes `user:*:cart`.

Keys with one shape are one kind of entry, and that is what hit rates and slow look-ups are about.
"""

import re
from functools import lru_cache
from typing import Final

MASK: Final = "*"

_PARTS: Final = re.compile(r"[^:/._|\-\s,;&?=+#]+")
_WORD: Final = re.compile(r"[A-Za-z]{1,24}|v\d{1,2}", re.ASCII)
"""A part that is a word of a programmer's: ids, digests and tokens have digits, names of persons other letters."""
_MIXED: Final = re.compile(r"[A-Z].*[a-z].*[A-Z].*[a-z].*[A-Z]")
"""Random letters look like this; camel case of three words and more is rare in keys, and is lost."""
_NAMES_OF_PERSONS: Final = frozenset(
    {
        "account", "client", "customer", "email", "host", "ip", "login", "mail", "member", "name", "owner", "person",
        "phone", "session", "tenant", "token", "user", "username",
    }
)  # fmt: skip
"""What follows such a part is somebody's name, however much it looks like a word."""
_LONGEST_KEY: Final = 250
"""memcached's limit; what stands behind it says nothing of the shape."""


@lru_cache(maxsize=1024)
def key_shape(key: str) -> str:
    """Return *key* with every part masked that is not a word; parts end at `:`, `/`, `.`, `_`, `|`, `-` and the like."""
    names_person = False

    def shown(found: re.Match[str]) -> str:
        nonlocal names_person
        part = found[0]
        is_shown = not names_person and _WORD.fullmatch(part) is not None and not _MIXED.search(part)
        names_person = is_shown and part.lower() in _NAMES_OF_PERSONS
        return part if is_shown else MASK

    return _PARTS.sub(shown, key[:_LONGEST_KEY])


def shape_of(key: object) -> str:
    """Return the shape of whatever an application uses as a key: text, bytes, a number."""
    if isinstance(key, str):
        return key_shape(key)
    if isinstance(key, (bytes, bytearray)):
        return key_shape(bytes(key[:_LONGEST_KEY]).decode("utf-8", "replace"))
    return MASK
