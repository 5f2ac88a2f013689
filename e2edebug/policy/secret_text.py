"""Secrets inside free text: what they look like, and the text without them.

Every rule takes time linear in the text: patterns start only at the head of a run (look-behind), runs are consumed
possessively, and what lies between two markers is found with `str.find`. (A plain e-mail pattern took 17 s for 128 kB
of `a.a.a.`; a test holds these rules to a budget.) A rule runs only if a substring search says that it might apply.
"""

import re
from typing import Final

MASK: Final = "[redacted]"


def mask_secrets(text: str) -> str:
    """Return *text* without credentials: in URLs, query strings, headers, `name=value` pairs, tokens, keys, cards."""
    if "-----BEGIN" in text:
        text = _PEM.sub(MASK, text)
    if "://" in text and "@" in text:
        text = _USERINFO.sub(f"://{MASK}@", text)
    if "eyJ" in text:
        text = _JWT.sub(MASK, text)
    lowered = text.lower()
    if "cookie" in lowered or "authorization" in lowered:
        text = _HEADER_LINE.sub(rf"\1{MASK}", text)
    if "bearer" in lowered or "basic" in lowered or "digest" in lowered or "token" in lowered:
        text = _SCHEME.sub(rf"\1 {MASK}", text)
    if any(word in lowered for word in _SECRET_WORDS):
        text = _NAMED_VALUE.sub(rf"\1{MASK}", text)
    if "=" in text and ("?" in text or "&" in text):
        text = _QUERY_VALUE.sub(rf"\1{MASK}", text)
    if any(prefix in text for prefix in _KNOWN_TOKEN_STARTS):
        text = _KNOWN_TOKEN.sub(MASK, text)
    if len(text) >= _SHORTEST_CARD and _DIGIT_RUN.search(text) is not None:
        text = _DIGIT_RUN.sub(_mask_card, text)
    return text


def mask_url(url: str) -> str:
    """Return *url* without user name, password, and the values of query and fragment; the keys stay."""
    rest, hash_mark, fragment = url.partition("#")
    rest, question_mark, query = rest.partition("?")
    if "@" in rest and "//" in rest:
        rest = _USERINFO_ANY_SCHEME.sub(f"//{MASK}@", rest)
    masked = mask_secrets(rest)
    if question_mark:
        masked += "?" + mask_query(query)
    if hash_mark:
        masked += "#" + (mask_query(fragment) if "=" in fragment else mask_secrets(fragment))
    return masked


def mask_query(query: str) -> str:
    """Return a query string with its keys and none of its values: `page=2&q=x` is `page=[redacted]&q=[redacted]`."""
    if not query:
        return query
    if "=" not in query and "&" not in query:
        return MASK  # a bare value (`?<token>`): there is no key to keep
    return "&".join(_mask_pair(pair) for pair in query.lstrip("?").replace(";", "&").split("&"))


def _mask_pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if not equals:
        return MASK if name else ""
    return f"{name}={MASK}" if value else pair


def _mask_card(match: re.Match[str]) -> str:
    digits = [int(character) for character in match.group() if character.isdigit()]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    is_card = (doubled + sum(digits[-1::-2])) % 10 == 0
    return MASK if is_card else match.group()


_SHORTEST_CARD: Final = 13

_PEM: Final = re.compile(r"-----BEGIN[^-]{0,60}-----[\s\S]*?(?:-----END[^-]{0,60}-----|\Z)")
_USERINFO: Final = re.compile(r"://[^\s/?#\"'<>]*@")
_USERINFO_ANY_SCHEME: Final = re.compile(r"//[^/]*@")
_JWT: Final = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,}+(?:\.[A-Za-z0-9_=-]*+){1,4}")
_SCHEME: Final = re.compile(r"(?i)(?<![\w-])(bearer|basic|digest|token)\s{1,4}+[A-Za-z0-9+/=._~-]{8,}+")
_SEPARATOR: Final = r"(?:[\"']?\]?\s{0,4}+(?:=>|[:=])\s{0,4}+|[\"'],\s{0,4}+(?=b?[\"']))(?:b(?=[\"']))?"
_QUOTED: Final = r"\"(?:[^\"\\]|\\.)*+\"?|'(?:[^'\\]|\\.)*+'?"
_HEADER_LINE: Final = re.compile(
    rf"(?i)((?:authorization|cookie2?){_SEPARATOR})(?!\[redacted\])(?:{_QUOTED}|[^\r\n\"']++)"
)
_SECRET_WORDS: Final = (
    "pass", "pwd", "secret", "key", "token", "credential", "session", "csrf", "xsrf", "signature", "card", "cvv", "cvc",
    "ssn", "otp",
)  # fmt: skip
"""At least one of these is in every text that `_NAMED_VALUE` matches."""
_NAMED_VALUE: Final = re.compile(
    r"(?i)((?:passw(?:or)?d|passphrase|passcode|pwd|secret|api[-_]?key|access[-_]?key|private[-_]?key"
    r"|token(?!s)|credentials?|session[-_]?(?:id|key)|csrf|xsrf|signature|card[-_]?(?:number|no)|cvv2?|cvc2?|ssn|otp)"
    rf"[\w.-]{{0,24}}{_SEPARATOR})(?!\[redacted\]|YES\)|NO\))(?:{_QUOTED}|[^\s,;&)}}\]\"']++)"
)
_QUERY_VALUE: Final = re.compile(r"([?&][\w.\[\]%~+-]{1,64}=)[^&\s\"'<>#]++")
_KNOWN_TOKEN_STARTS: Final = (
    "AKIA",
    "ASIA",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "sk_live_",
    "sk_test_",
    "xox",
    "AIza",
)
_KNOWN_TOKEN: Final = re.compile(
    r"(?<![A-Za-z0-9_-])(?:A[KS]IA[0-9A-Z]{12,}+|gh[pos]_[A-Za-z0-9]{16,}+|github_pat_\w{16,}+|glpat-[\w-]{16,}+"
    r"|sk_(?:live|test)_\w{10,}+|xox[abeoprs]-[\w-]{10,}+|AIza[\w-]{30,}+)"
)
# Payment cards begin with 2 to 6; epoch nanoseconds (1.7e18), also 19 digits, do not, and would pass Luhn one time in ten.
_DIGIT_RUN: Final = re.compile(r"(?<![\w.-])[2-6]\d{3}(?:[ -]?\d){9,15}(?![\w.]?\d)")
