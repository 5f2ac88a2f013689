"""Secrets that a name announces in free text: `password=…`, `{'token': ['…']}`, `Cookie: …`, `--password …`.

Which names do is decided by the same grammar as for attributes (`secret_names`); this file knows how a name and its
value are written. In doubt more is masked, not less. Linear: what is a value is skipped once, and never read again.
"""

import re
from typing import Final

from e2edebug.policy.secret_names import is_secret_name

MASK: Final = "[redacted]"


def mask_named_values(text: str) -> str:
    """Return *text* in which the values of secret names are MASK; the names stay."""
    pieces: list[str] = []
    kept = position = 0
    while (found := _NAME.search(text, position)) is not None:
        position = found.end()
        if not _is_announced(text, found):
            continue
        start, end = _value(text, found)
        if end > start:
            pieces += (text[kept:start], MASK)
            kept = position = end
    return "".join((*pieces, text[kept:])) if pieces else text


def mask_elements(text: str) -> str:
    """Return *text* without what stands in XML elements of secret names: `<password>…</password>`."""
    return _ELEMENT.sub(lambda found: found[1] + MASK if is_secret_name(found[2]) else found[0], text)


def _is_announced(text: str, found: re.Match[str]) -> bool:
    name = found["name"]
    start = found.start("name")
    before = text[start - 1] if start else ""
    if before == "%":
        name = name[2:]  # of `%26password%3D`, the 26
    if found["colon"] == ":" and _SOURCE_FILE.search(name) and _LINE_NUMBER.match(text, found.end("colon")):
        return False
    name = name.strip("-.")[-_LONGEST_NAME:]
    if is_secret_name(name):
        return _EXCEPTION_NAME.search(name) is None
    # `api key: …`, `session id = …`
    if before != " " or name.lower() not in _SECOND_WORDS:
        return False
    word = _LAST_WORD.search(text, max(0, start - _LONGEST_WORD), start)
    return word is not None and is_secret_name(f"{word[1]}_{name}")


def _value(text: str, found: re.Match[str]) -> tuple[int, int]:
    """Return where the value begins and ends."""
    start = found.end()
    is_quoted = _QUOTED_NAME.match(text, found.end("name")) is not None
    is_line = found["colon"] is not None and not is_quoted
    if found["colon"] is not None:
        below = _BELOW.match(text, start)
        if below is not None:
            return below.span("value")
    is_header = not is_quoted and _HEADER.search(found["name"]) is not None
    if is_header and (is_line or text[start : start + 1] not in ("'", '"')):
        return start, _matched_to(_REST_OF_LINE, text, start)
    if text.startswith(MASK, start):
        end = start + len(MASK)
    elif _PASSWORD_WAS_USED.match(text, start) is not None:
        return start, start
    else:
        end = _end_of_literal(text, start)
    if is_line:
        goes_on = end == start or _ENDS_IN_LINE.match(text, end) is None
        return start, _matched_to(_LINE, text, end) if goes_on else end
    if end == start or _ENDS.match(text, end) is None:
        return start, _matched_to(_BARE, text, end)
    # `"name": "Cookie", "?": "…"`: another rule has masked the word `value`.
    member = _MEMBER.match(text, end) if is_quoted else None
    return start, end if member is None else _end_of_literal(text, member.end())


def _end_of_literal(text: str, start: int) -> int:
    """Return where the string, collection, call or `<repr>` at *start* ends; *start* when there is none."""
    opened = _OPEN_QUOTE.match(text, start)
    if opened is not None:
        return _after_quote(text, opened["quote"], opened.end())
    opened = _OPEN_BRACKET.match(text, start)
    if opened is not None:
        return _after_bracket(text, opened.end())
    return _matched_to(_ANGLE, text, start)


def _after_quote(text: str, quote: str, position: int) -> int:
    """Return the end of a string; `\\"` may close it too, when it has opened it."""
    while (closed := text.find(quote, position)) >= 0:
        backslashes = closed - len(text[position:closed].rstrip("\\")) - position
        if quote[0] == "\\":
            if backslashes == 0:
                break
        elif backslashes % 2 == 0:
            break
        position = closed + len(quote)
    return len(text) if closed < 0 else closed + len(quote)


def _after_bracket(text: str, position: int) -> int:
    depth = 1
    while depth and (found := _IN_BRACKETS.search(text, position)) is not None:
        position = found.end()
        quote = found["quote"]
        if quote is not None:
            position = _after_quote(text, quote, position)
        else:
            depth += 1 if found[0] in "([{" else -1
    return len(text) if depth else position


def _matched_to(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return start if found is None else found.end()


_LONGEST_NAME: Final = 200
_LONGEST_WORD: Final = 24

_QUOTE: Final = r"(?:\\{0,8}[\"']|&(?:quot|\#34|\#39|\#x27);|%(?:25)?2[27])"
_NAME: Final = re.compile(
    rf"""
    (?<![\w.-])(?P<name>(?P<dash>-)[\w.-]*+|[\w.-]++)
    (?:
        # {{"name": "Cookie", "value": "…"}}
        {_QUOTE}\s{{0,4}},\s{{0,4}}{_QUOTE}(?i:value|val|content){_QUOTE}\s{{0,4}}[:=]\s{{0,4}}+
        # ("Cookie", "…")
      | {_QUOTE},\s{{0,4}}(?=[A-Za-z]{{0,2}}(?:{_QUOTE}|[\[({{]))
      | {_QUOTE}?+\]?+\)?+[ \t]{{0,4}}+
        (?: (?:=>|->|!?={{1,3}}+|%(?:25)?3[Dd]) | (?P<colon>:=?(?!//)|%(?:25)?3[Aa]) ) [ \t]{{0,8}}+
        # --password …; no other word is looked at for the blank behind it
      | (?(dash)[ \t]{{1,4}}+(?=[^\s-])|(?!))
    )
    """,
    re.VERBOSE,
)
_MEMBER: Final = re.compile(r"\s{0,4}:\s{0,4}(?=[\"'\[({\\])")
_QUOTED_NAME: Final = re.compile(_QUOTE)
_ELEMENT: Final = re.compile(
    r"(<(?:\w{1,20}+:)?+([\w.-]++)(?:\s[^<>]{0,200}+)?+>)(?:<!\[CDATA\[[^<>]*+>?|[^<>]++)(?=</)"
)
_HEADER: Final = re.compile(r"(?i)cookie|authorization")
_EXCEPTION_NAME: Final = re.compile(
    r"(?:^|[a-z.])(?:Error|Exception|Warning|Failed|Failure|Denied|Expired|Invalid|Missing|Required"
    r"|DoesNotExist|MultipleObjectsReturned)$"
)
"""`InvalidTokenError: Signature has expired` announces a message."""
_SOURCE_FILE: Final = re.compile(r"[^.]\.(?:pyx?|[cm]?[jt]sx?|vue|svelte|html|sql)$")
_LINE_NUMBER: Final = re.compile(r"[0-9]{1,6}(?![0-9A-Za-z_.-])")
"""`authentication.py:41` is a place in a program, whatever the file is called."""
_SECOND_WORDS: Final = frozenset(
    {"key", "keys", "id", "number", "no", "num", "code", "codes", "account", "security", "info", "word", "phrase"}
)
_LAST_WORD: Final = re.compile(r"(?<![\w.-])([\w.-]++) $")
_PASSWORD_WAS_USED: Final = re.compile(r"(?:YES|NO)\)(?!\w)")
"""MySQL's `Access denied for user … (using password: YES)`."""

_OPEN_QUOTE: Final = re.compile(rf"[A-Za-z]{{0,2}}(?P<quote>\"\"\"|'''|{_QUOTE})")
_OPEN_BRACKET: Final = re.compile(r"(?:[^\W\d][\w.]{0,60})?[(\[{]")
_IN_BRACKETS: Final = re.compile(r"(?P<quote>\"\"\"|'''|\\{0,8}[\"'])|[()\[\]{}]")
_ANGLE: Final = re.compile(r"<[^<>\r\n]*+>")

_ENDS: Final = re.compile(r"[\s,;&)}\]>:<.\\\"']|\Z")
_ENDS_IN_LINE: Final = re.compile(r"[ \t]*+(?:[,;)}\]>\r\n\\\"'<]|\Z)")
_CLOSES: Final = r"\\{0,8}[\"'](?:[,}\]:);>\\]|\s|\Z)"
_BARE: Final = re.compile(
    rf"(?:[^\s,;&)}}\]>\"'\\]++|\\(?!\\{{0,8}}[\"'])"
    rf"|(?!{_CLOSES}|[,;&][\w.\[\]%-]{{1,64}}=[^=\s])(?:[,;&)}}\]>]|\\{{0,8}}[\"'])++(?=\S))*+"
)
"""Up to a blank, with commas and the like inside, unless `name=` follows them."""
_LINE: Final = re.compile(rf"(?:[^\r\n\"'\\]++|(?!{_CLOSES})[\"'\\])*+")
_REST_OF_LINE: Final = re.compile(r"[^\r\n]++")
_BELOW: Final = re.compile(
    r"(?:[|>][+-]?[ \t]*+\r?\n(?P<lines>)|\r?\n)[ \t]++(?!File \"|[~^])"
    r"(?P<value>(?(lines)[^\r\n]++(?:\r?\n[ \t]++[^\r\n]++)*+|[^\r\n]++))"
)
"""The value on the next line, indented, or YAML's block of lines. A stack's source line may end in a colon as well."""
