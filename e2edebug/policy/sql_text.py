"""SQL statements without their values: what may be stored of a query, and what makes two queries the same.

Literals leave here, at capture, so that a password in a WHERE clause never travels further. Nothing says which dialect
a statement is in (spans of other instrumentations carry SQL too), so where dialects read a text differently - is a
backslash an escape, is `#` a comment, is "x" a name - only what no reading takes for a literal is kept.
"""

import hashlib
import re
from typing import Final, NamedTuple

from e2edebug.policy.sql_names import NameJudge

_CACHE_ENTRIES: Final = 1_000
_CACHE_CHARACTERS: Final = 2_000_000
_CACHEABLE_CHARACTERS: Final = 16_384
"""A longer statement is a bulk insert or a report: it costs its execution anyway, and would empty the cache."""


class Statement(NamedTuple):
    """A statement as it may be stored, and what it does."""

    text: str
    """Literals and placeholders are `?`, lists of them `(?+)`; comments are gone, whitespace is folded."""
    digest: str
    """32 hexadecimal digits (MD5 of `text`): statements that differ only in values share one."""
    operation: str
    """The verb in upper case (`SELECT` also behind `WITH`, `ROLLBACK TO`); '' when there is none."""
    table: str
    """The main table, unquoted, with its schema if the statement names it; '' when there is none."""


def describe_statement(sql: str, *, is_cut: bool = False) -> Statement:
    """Return *sql* without its values, its digest, its verb and its main table.

    is_cut: the end of the statement is missing, so how its quotes pair says nothing about its dialect.
    Never raises, whatever the text. Linear in its length; a statement seen before costs one dictionary look-up.
    """
    known = _recent.get(sql)
    if known is not None:
        return known
    if is_cut or len(sql) > _CACHEABLE_CHARACTERS:
        return _describe(sql, is_cut=is_cut)
    return _remember(sql)


def mask_literals(sql: str, *, is_cut: bool = False) -> str:
    """Return the text of `describe_statement`."""
    return describe_statement(sql, is_cut=is_cut).text


# Two generations instead of functools.lru_cache: that one bounds the number of entries only. No lock, which a fork could
# inherit locked: two threads that turn the generations over at once forget some statements, and read them again.
_recent: dict[str, Statement] = {}
_earlier: dict[str, Statement] = {}
_recent_characters = 0


def _remember(sql: str) -> Statement:
    global _recent, _earlier, _recent_characters
    statement = _earlier.get(sql) or _describe(sql, is_cut=False)
    if len(_recent) >= _CACHE_ENTRIES // 2 or _recent_characters >= _CACHE_CHARACTERS // 2:
        _earlier, _recent, _recent_characters = _recent, {}, 0
    _recent[sql] = statement
    _recent_characters += len(sql) + len(statement.text)
    return statement


def _describe(sql: str, *, is_cut: bool) -> Statement:
    text = _normalise(sql, is_cut=is_cut)
    digest = hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
    operation, table = _subject(text)
    return Statement(text, digest, operation, table)


# Possessive quantifiers (`*+`, `++`) never give back what they took: no input makes a match backtrack.
_PLACEHOLDER: Final = r"(?:%s(?!\w)|%\(\w*+\)s|\?\d*+)"
_ROW: Final = rf"\(\s*+{_PLACEHOLDER}(?:\s*+,\s*+{_PLACEHOLDER})*+\s*+\)"
_GRAMMAR: Final = r"""
    (?P<plain>(?: (?![nN]?[qQ]')[^\W\d][\w$]*+ | "\w++"(?:\."\w++")++ | [=(),.;<>+!|^~&@\[\]{{}}] | [ ](?!\s) | \*(?!/) | -(?!-) | /(?!\*) | ::++ | :=)++)
  | (?P<oracle>[nN]?[qQ]'(?=[^\s']))
  | (?P<string>'[^'{stop}]*+(?:(?:{escape}'')[^'{stop}]*+)*+')
  | (?P<quoted>"[^"{stop}]*+(?:(?:{escape}"")[^"{stop}]*+)*+")
  | (?P<ticked>`[^`]*+(?:``[^`]*+)*+`)
  | (?P<space>\s++)
  | (?P<rows>{row}(?:\s*+,\s*+{row})++)
  | (?P<value>{placeholder} | :\w++ | \$\d++ | \$[^\W\d]\w*+(?!\w*+\$))
  | (?P<number>\d[\w.$]*+(?:(?<=[eE])[+-]\d++)?)
  | (?P<dollar>\$\w*+\$)
  | (?P<executed>/\*M?!\d*+)
  | (?P<comment>/\*)
  | (?P<dashes>--[^\n]*+)
  | (?P<hash>\#(?![>-])[^\n]*+)
  | (?P<closer>\*/)
  | (?P<open>['"`])
  | (?P<other>.)
"""


def _compile_reader(*, backslash_escapes: bool) -> re.Pattern[str]:
    source = _GRAMMAR.format(
        stop=r"\\" if backslash_escapes else "",
        escape=r"\\.|" if backslash_escapes else "",
        row=_ROW,
        placeholder=_PLACEHOLDER,
    )
    return re.compile(source, re.VERBOSE | re.DOTALL)


_ESCAPING_READER: Final = _compile_reader(backslash_escapes=True)
_STANDARD_READER: Final = _compile_reader(backslash_escapes=False)

_SPACES: Final = re.compile(r"\s++")
_COULD_QUOTE: Final = re.compile(r"['\"`$\\#]|/\*|--")
_STRING_PREFIX: Final = re.compile(r"(?<![\w$])(?:[NnXxBbEe]|[uU]&|_[A-Za-z]\w*+)$")
_SIGN: Final = re.compile(
    r"([=(,<>]|[=(,<>] |\b(?:AND|BETWEEN|ELSE|LIMIT|OFFSET|SELECT|THEN|WHEN) )[-+]$", re.IGNORECASE
)


def _normalise(sql: str, *, is_cut: bool) -> str:
    text, end = _read(sql, _ESCAPING_READER)
    if "\\" not in sql:
        return _fold(text)
    # 'C:\' ends there in SQLite and PostgreSQL, and goes on in MySQL; the wrong reading takes values for names.
    # In a whole statement the wrong one leaves a quote open; without that evidence, keep what they agree on.
    other_text, other_end = _read(sql, _STANDARD_READER)
    if text == other_text:
        return _fold(text)
    if {end, other_end} == {_WHOLE, _OPEN} and not is_cut:
        return _fold(text if end == _WHOLE else other_text)
    agreed = text[: _first_difference(text, other_text)]
    return _fold(agreed[: agreed.rfind("?") + 1] or "?")


def _first_difference(one: str, other: str) -> int:
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return place
    return min(len(one), len(other))


_WHOLE: Final = 0
_OPEN: Final = 1
"""A quote or a comment is not closed."""
_UNSURE: Final = 2
"""Dialects disagree on what comes."""


_ORACLE_CLOSERS: Final = {"[": "]", "{": "}", "(": ")", "<": ">"}
"""Of `q'[it's]'`, where the character behind the quote says what ends the literal."""


def _read(sql: str, reader: re.Pattern[str]) -> tuple[str, int]:
    """Return the masked text, and how it ended: when not _WHOLE, its rest is one `?`."""
    out: list[str] = []
    outcome = _UNSURE
    judge = NameJudge(out) if '"' in sql else None
    position, end = 0, len(sql)
    while position < end:
        token = reader.match(sql, position)
        assert token is not None  # the last alternative takes any character
        kind, text = token.lastgroup, token[0]
        position = token.end()
        if kind == "plain" or kind == "other":
            out.append(text)
        elif kind == "value":
            out.append("?")
        elif kind == "string":
            if out and (out[-1][-1:].isalnum() or out[-1].endswith("&")):
                out[-1] = _STRING_PREFIX.sub("", out[-1])  # N'x', X'78', _latin1'x' are one literal
            out.append("?")
        elif kind == "number":
            if out and out[-1].endswith((".", "-", "+")):
                out[-1] = _SIGN.sub(r"\1", out[-1].removesuffix("."))
            out.append("?")
        elif kind == "rows":
            out.append("(?+)")
        elif kind == "ticked":
            out.append(text)
        elif kind == "quoted":
            out.append(text if judge is not None and judge.is_name(text, sql[position : position + 2]) else "?")
        elif kind == "oracle":
            closer = sql.find(_ORACLE_CLOSERS.get(sql[position], sql[position]) + "'", position + 1)
            if closer < 0:
                outcome = _OPEN
                break
            out.append("?")
            position = closer + 2
        elif kind == "dollar" or kind == "comment" or kind == "executed":
            closer = sql.find(text if kind == "dollar" else "*/", position)
            if closer < 0:
                outcome = _UNSURE if kind == "dollar" else _OPEN
                break
            if kind == "dollar":
                out.append("?")
                position = closer + len(text)
            elif kind == "executed":
                # MySQL runs what stands in /*! */, for the others it is a comment.
                if _COULD_QUOTE.search(sql, position, closer):
                    break
                out.append(" ")
            else:
                if sql.find("/*", position, closer) >= 0:  # comments nest in PostgreSQL alone
                    break
                out.append(" ")
                position = closer + 2
        elif kind == "open":
            outcome = _OPEN
            break
        elif (kind == "hash" or (kind == "dashes" and text[2:3].strip())) and _COULD_QUOTE.search(text, 2):
            break  # `#` is an operator in PostgreSQL, and MySQL reads 5--3 as arithmetic: not a comment for all
        else:
            out.append(" ")
    else:
        return "".join(out), _WHOLE
    out.append("?")
    return "".join(out), outcome


_ITEM: Final = r"(?:\?|NULL|TRUE|FALSE|DEFAULT)"
_ITEMS: Final = rf"\(\s?(?:{_ITEM}(?:\s?,\s?{_ITEM})*+|\?\+)\s?\)"
_LISTS: Final = re.compile(rf"\b(IN|VALUES?)\s?+(\(\s?)?{_ITEMS}(?:\s?,\s?{_ITEMS})*+", re.IGNORECASE)
_ANY_ROW: Final = r"\((?:[^()]++|\((?:[^()]++|\([^()]*+\))*+\))*+\)"
_MORE_ROWS: Final = re.compile(rf"\b(VALUES\s?+{_ANY_ROW})(?:\s?,\s?{_ANY_ROW})++", re.IGNORECASE)
_ARRAYS: Final = re.compile(r"\[\s?\?(?:\s?,\s?\?)++\s?\]")
_MORE_CASES: Final = re.compile(r"(WHEN [^?]{1,200}+\?\)? THEN \?)(?: \1)++")
_BARE_VALUE: Final = re.compile(
    r"(PRAGMA (?:\S{1,100}\.)?(?:hex|text)?(?:re)?key ?[=(]|EXEC(?:UTE)? \S{1,200} @\w{1,200} ?=)", re.IGNORECASE
)
"""SQLCipher's keys and the arguments of T-SQL's procedures need no quotes."""
_SAVEPOINT: Final = re.compile(
    r"(SAVEPOINT|RELEASE(?: SAVEPOINT)?|ROLLBACK(?: WORK)? TO(?: SAVEPOINT)?) \S{1,200}+", re.IGNORECASE
)


def _fold(text: str) -> str:
    """Return *text* so that how many values a list holds, or what a savepoint is called, makes no difference."""
    text = _SPACES.sub(" ", text).strip(" ;")
    if "(?" in text or "( ?" in text or "VALUES" in text or "values" in text or "IN" in text:
        text = _LISTS.sub(lambda found: f"{found[1]} {'(' if found[2] else ''}(?+)", text)
        text = _MORE_ROWS.sub(r"\1", text)
    if "[" in text:
        text = _ARRAYS.sub("[?+]", text)
    if "THEN ?" in text:
        text = _MORE_CASES.sub(r"\1", text)
    if text[:1] in "PpEe" and (bare := _BARE_VALUE.match(text)) is not None:
        return f"{bare[1]} ?"
    savepoint = _SAVEPOINT.fullmatch(text)
    return f"{savepoint[1]} ?" if savepoint else text


_PART: Final = r"(?:[^\W\d][\w$]*+|`[^`]++`|\"[^\"]++\")"
_NAME: Final = rf"{_PART}(?:\s?\.\s?{_PART})*+"
_NO_TABLE: Final = "SELECT|SET|VALUES|WHERE|DUPLICATE|CONFLICT|INTO|FROM|TABLE|OF|NOWAIT|SKIP|LATERAL"
_WORDS: Final = re.compile(
    rf"""
    (?P<open>\() | (?P<close>\))
  | \b(?P<keyword>FROM|INTO|UPDATE|INSERT|REPLACE|DELETE|TABLE|ON|CALL|TRUNCATE|SELECT|MERGE|WITH)\b
    (?:\s(?:ONLY|IGNORE|LOW_PRIORITY|DELAYED|HIGH_PRIORITY|QUICK|TABLE|IF|NOT|EXISTS
            |OR\s(?:REPLACE|IGNORE|ABORT|FAIL|ROLLBACK))\b)*+
    (?:\s(?!(?:{_NO_TABLE})\b)(?P<name>{_NAME}))?
  | {_NAME} | \?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_VERB: Final = re.compile(r"[\s(]*+([A-Za-z]{1,32}+)(?:\s(TO|TRANSACTION|SAVEPOINT)\b)?", re.IGNORECASE)
_MAIN_VERBS: Final = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE"})
_BEFORE_TABLE: Final = {
    "SELECT": ("FROM",),
    "DELETE": ("FROM", "DELETE"),
    "INSERT": ("INTO", "INSERT"),
    "REPLACE": ("INTO", "REPLACE"),
    "MERGE": ("INTO",),
    "UPDATE": ("UPDATE",),
    "CALL": ("CALL",),
    "TRUNCATE": ("TABLE", "TRUNCATE"),
    "CREATE": ("TABLE", "ON"),
    "DROP": ("TABLE", "ON"),
    "ALTER": ("TABLE",),
    "LOAD": ("TABLE",),
    "EXPLAIN": ("FROM", "INTO", "UPDATE"),
    "ANALYZE": ("TABLE", "FROM"),
    "SHOW": ("FROM", "TABLE"),
}
_LONGEST_SEARCH: Final = 8_192


def _subject(text: str) -> tuple[str, str]:
    """Return the verb and the main table of a masked statement."""
    found = _VERB.match(text)
    if found is None:
        return "", ""
    verb = found[1].upper()
    second = found[2].upper() if found[2] and verb in ("ROLLBACK", "RELEASE", "START") else ""
    if second:
        return f"{verb} {second}", ""
    keywords = _keywords(text[:_LONGEST_SEARCH]) if verb in _BEFORE_TABLE or verb == "WITH" else []
    start = 0
    if verb == "WITH":
        start, verb = next(
            ((place, word) for place, (depth, word, _) in enumerate(keywords) if depth == 0 and word in _MAIN_VERBS),
            (0, verb),
        )
    wanted = _BEFORE_TABLE.get(verb, ())
    named = [(depth, name) for depth, word, name in keywords[start:] if name and word in wanted]
    if verb in ("INSERT", "REPLACE", "DELETE", "TRUNCATE", "UPDATE", "CALL"):
        named = named[:1]
    table = min(named, key=lambda entry: entry[0], default=(0, ""))[1]
    if start and table:
        # A table that the WITH clause itself defines is not one of the database: take what it is made from.
        made = [name for depth, word, name in keywords[:start] if depth and name and word == "FROM"]
        if made and re.search(
            rf"\b{re.escape(table)}[\"`]?(?: ?\([^()]*\))? AS\b", text[:_LONGEST_SEARCH], re.IGNORECASE
        ):
            table = made[0]
    return verb, table


def _keywords(text: str) -> list[tuple[int, str, str]]:
    """Return depth of parentheses, keyword and the name that follows it, in order."""
    depth = 0
    found: list[tuple[int, str, str]] = []
    for word in _WORDS.finditer(text):
        if word["open"]:
            depth += 1
        elif word["close"]:
            depth -= 1
        elif word["keyword"]:
            found.append((depth, word["keyword"].upper(), _unquote(word["name"] or "")))
    return found


def _unquote(name: str) -> str:
    if "`" in name or '"' in name or " " in name:
        return ".".join(part.strip(' `"') for part in re.split(r"\s?\.\s?", name))
    return name
