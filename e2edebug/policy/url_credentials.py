"""Who and with which password, in URLs: the part before the `@`, however badly a password in it is escaped.

`mysql://shop:p#ss@db/x` is no URL by the book, and yet the one that a setting or an error message holds. Where the book
leaves a password behind, the last `@` of the word counts. Linear in the text.
"""

import re
from typing import Final

MASK: Final = "[redacted]"


def mask_credentials(text: str) -> str:
    """Return *text* with the credentials of every URL in it replaced: `mysql://[redacted]@db/x`."""
    pieces: list[str] = []
    kept = position = end = 0
    last_at = -1
    while (slashes := text.find("://", position)) >= 0:
        start = position = slashes + 3
        if start >= end:  # once per word, however many URLs it holds
            word = _WORD.match(text, start)
            end = start if word is None else word.end()
            last_at = text.rfind("@", start, end)
        if last_at < start:
            position = end
            continue
        at = _end_of_credentials(text, slashes, end, last_at)
        if at >= 0:
            pieces += (text[kept:start], MASK)
            kept = position = at
    return "".join((*pieces, text[kept:])) if pieces else text


def mask_addresses(text: str) -> str:
    """Return *text* in which `user:password@host` is `[redacted]@host`."""
    whole = _ADDRESS.fullmatch(text)
    if whole is not None and whole["user"].lower() not in _MAIL_WORDS:
        return f"{MASK}@{whole['host']}"
    return _ADDRESS_IN_TEXT.sub(lambda found: found[0] if found[1].lower() in _MAIL_WORDS else f"{MASK}@", text)


def _end_of_credentials(text: str, slashes: int, end: int, last_at: int) -> int:
    """Return where the `@` stands that ends the credentials; -1 when the URL has none."""
    start = slashes + 3
    scheme = _SCHEME.search(text, max(0, slashes - 20), slashes)
    is_web = scheme is not None and scheme[0].lower() in _WEB
    found = _AUTHORITY.match(text, start, end)
    authority_end = start if found is None else found.end()
    at = text.rfind("@", start, authority_end)
    if is_web and (at >= 0 or _PORT.match(text, start, end) is not None):
        return at
    colon = text.find(":", start, authority_end)
    return last_at if colon >= 0 else at


_WORD: Final = re.compile(r"\S++")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*$")
_WEB: Final = frozenset({"http", "https", "ws", "wss", "ftp", "file"})
_AUTHORITY: Final = re.compile(r"[^/?#\"'<>]++")
_PORT: Final = re.compile(r"(?:[^/?#\"'<>:@]*+|\[[0-9a-fA-F:.]*+\]):\d{1,5}(?:[/?#\"'<>),.;]|\Z)")
_ADDRESS: Final = re.compile(r"(?P<user>[^\s:/@]{1,200}+):(?!//)[^\s]*@(?P<host>[\w.\[\]:-]*)")
_ADDRESS_IN_TEXT: Final = re.compile(r"(?<![\w/@:.+-])([\w.+-]{1,64}+):[^\s:@/\"']{1,200}+@(?=[\w\[])")
_MAIL_WORDS: Final = frozenset(
    {"mailto", "to", "from", "cc", "bcc", "email", "e-mail", "mail", "user", "username", "login", "sip", "acct", "by"}
)
"""What stands before the colon of an e-mail address."""
