"""Secrets inside free text: what they look like, and the text without them.

Every rule takes time linear in the text: patterns start only at the head of a run (look-behind), runs are consumed
possessively, and what lies between two markers is found with `str.find`. (A plain e-mail pattern took 17 s for 128 kB
of `a.a.a.`; a test holds these rules to a budget.) A rule runs only if a substring search says that it might apply.
"""

import re
from typing import Final

from e2edebug.policy.named_secrets import MASK, mask_elements, mask_named_values
from e2edebug.policy.url_credentials import mask_addresses, mask_credentials

__all__ = ["MASK", "mask_query", "mask_secrets", "mask_url"]


def mask_secrets(text: str) -> str:
    """Return *text* without credentials: in URLs, query strings, headers, `name=value` pairs, tokens, keys, cards."""
    if "-----BEGIN" in text:
        text = _PEM.sub(MASK, text)
    if "@" in text and ":" in text:
        text = mask_addresses(mask_credentials(text) if "://" in text else text)
    if "eyJ" in text:
        text = _JWT.sub(MASK, text)
    lowered = text.lower()
    if any(map(text.__contains__, _SEPARATORS)) and any(map(lowered.__contains__, _STEMS)):
        text = mask_named_values(text)
        if "</" in text:
            text = mask_elements(text)
    if "bearer" in lowered or "basic" in lowered or "digest" in lowered or "token" in lowered:
        text = _SCHEME.sub(rf"\1 {MASK}", text)
    if " -p" in text and ("mysql" in lowered or "mariadb" in lowered):
        text = _MYSQL_OPTION.sub(rf"\1{MASK}", text)
    if "=" in text and ("?" in text or "&" in text):
        text = _QUERY_VALUE.sub(rf"\1{MASK}", text)
    if any(map(text.__contains__, _KNOWN_TOKEN_STARTS)):
        text = _KNOWN_TOKEN.sub(MASK, text)
    if len(text) >= _SHORTEST_CARD and _DIGIT_RUN.search(text) is not None:
        text = _DIGIT_RUN.sub(_mask_card, text)
    if len(text) >= _SHORTEST_RESET_TOKEN and _RESET_TOKEN_END.search(text) is not None:
        text = _RESET_TOKEN.sub(MASK, text)
    return text


def is_card_number(number: int) -> bool:
    """Tell whether *number* can only be that of a payment card: its length, its first digits and its check digit."""
    text = str(number)
    return _CARD.fullmatch(text) is not None and _passes_luhn(text)


def mask_url(url: str) -> str:
    """Return *url* without user name, password, and the values of query and fragment; the keys stay."""
    if "@" in url:
        url = mask_credentials(url)
    rest, hash_mark, fragment = url.partition("#")
    rest, question_mark, query = rest.partition("?")
    if "@" in rest and "//" in rest and "://" not in rest:
        rest = _USERINFO_WITHOUT_SCHEME.sub(f"//{MASK}@", rest)
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
    return MASK if _passes_luhn(match.group()) else match.group()


def _passes_luhn(text: str) -> bool:
    digits = [int(character) for character in text if character.isdigit()]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (doubled + sum(digits[-1::-2])) % 10 == 0


_SHORTEST_CARD: Final = 13

_PEM: Final = re.compile(r"-----BEGIN[^-]{0,60}-----[\s\S]*?(?:-----END[^-]{0,60}-----|\Z)")
_USERINFO_WITHOUT_SCHEME: Final = re.compile(r"//[^/]*@")
_JWT: Final = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,}+(?:\.[A-Za-z0-9_=-]*+){1,4}")
_SCHEME: Final = re.compile(
    r"(?i)(?<![\w-])(bearer|(?:basic|digest|token)(?!\s{1,4}+(?-i:[a-z]{1,12}+)(?![\w+/=.~-])))\s{1,4}+[A-Za-z0-9+/=._~-]{8,}+"
)
"""What follows `token` in prose ("Token matching query") is a word."""
_SEPARATORS: Final = ("=", ":", "->", "%3", "--", "',", '",', "</")
_STEMS: Final = (
    "pass", "pwd", "pw", "secret", "key", "token", "cred", "auth", "cookie", "sess", "sid", "jwt", "csrf", "xsrf", "sig",
    "pin", "otp", "pan", "ssn", "cvv", "cvc", "iban", "hmac", "bearer", "card", "code", "security", "factor", "account",
    "ccn", "cc_n", "cc-n", "cc n",
)  # fmt: skip
"""At least one of these is in every secret name."""
_MYSQL_OPTION: Final = re.compile(r"(?<=\s)(-p)(?=[^\s-])\S++")
"""`mysql -phunter2`: a password joined to its option."""
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
# What a dash joins to four hexadecimal digits is a UUID. The first digit comes first, and what may not be ahead of it after
# it: the search goes from digit to digit then, in a tenth of the time.
_DIGIT_RUN: Final = re.compile(
    r"[2-6](?<!\d.)(?<!\d[.-].)(?<![0-9a-f]{4}-.)\d{3}(?:(?:[ -]?\d){9,15}|(?:[.\u00a0\u202f]\d{4}){3})(?![\w.]?\d)"
)
_CARD: Final = re.compile(r"4\d{15}|5[1-5]\d{14}|2[2-7]\d{14}|6(?:011|4[4-9]\d|5\d\d)\d{12}|3[47]\d{13}")
_RESET_TOKEN: Final = re.compile(r"(?<![\w-])[a-z0-9]{6,8}-[0-9a-f]{32}(?!\w)")
"""Of Django's PasswordResetTokenGenerator, in the path of the link that it mails."""
_RESET_TOKEN_END: Final = re.compile(r"-[0-9a-f]{32}")
"""Found in a fortieth of the time, and in nearly no text."""
_SHORTEST_RESET_TOKEN: Final = 39
