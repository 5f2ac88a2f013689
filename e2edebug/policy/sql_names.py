"""Tells names in double quotes from strings in double quotes, without knowing the dialect of the statement.

"x" is a name in standard SQL and, by default, a string in MySQL; SQLite takes it for a string when there is no such
column. So "x" counts as a name only where a string cannot stand in any of them.
"""

import re
from typing import Final

_PLAIN_NAME: Final = re.compile(r'"[\w $.-]{1,128}+"')
_LAST_WORD: Final = re.compile(r"([A-Za-z]++)\s*+$")
_BEFORE_NAME: Final = frozenset({"JOIN", "INTO", "TABLE", "UPDATE", "AS"})
_PARENTHESIS_OF_NAMES: Final = re.compile(
    r"\b(?:(?:INTO|REFERENCES)\s(?:[\w$.]|`[^`]*`|\"[^\"]*\"){1,200}\s?|CONFLICT\s?)\(\s?$", re.IGNORECASE
)
_IF_EXISTS: Final = re.compile(r"\bIF\s(?:NOT\s)?EXISTS\s$", re.IGNORECASE)
_END_OF_SET: Final = re.compile(r"\b(?:WHERE|FROM|ORDER|RETURNING|LIMIT)\b", re.IGNORECASE)
_PARENTHESIS: Final = re.compile(r"[()]")
_QUERY: Final = re.compile(r"\s*+(?:SELECT|DELETE|WITH)\b", re.IGNORECASE)
_LOOK_BACK_PIECES: Final = 10
_LOOK_BACK_CHARACTERS: Final = 300


class NameJudge:
    """Follows the masked pieces of one statement; linear, since every piece is looked at once."""

    __slots__ = ("_holds_query", "_is_undecided", "_list_name", "_out", "_seen", "_set_depth")

    def __init__(self, out: list[str]) -> None:
        self._out = out
        self._seen = 0
        self._holds_query = [True]
        """For the statement and each open parenthesis in it, whether it holds a query (and not arguments)."""
        self._is_undecided = False
        """The innermost parenthesis was opened at the very end of the pieces so far."""
        self._set_depth = 0
        """Depth of the parentheses at which the SET list of an UPDATE stands; 0 outside of one."""
        self._list_name = -9
        """Place of the latest piece that was accepted as one of a list of names."""

    def is_name(self, quoted: str, following: str) -> bool:
        """Return whether *quoted* can only be a name where it stands, behind the pieces so far.

        following: the two characters behind it.
        """
        self._catch_up()
        if _PLAIN_NAME.fullmatch(quoted) is None:
            return False
        following = following.strip()[:1]
        last = self._last_character()
        if following == "." or last == ".":
            return True
        if last.isalpha():
            return self._stands_behind_keyword()
        here = len(self._out)
        if last == "(" and _PARENTHESIS_OF_NAMES.search(self._before()):
            self._list_name = here
            return True
        if last != ",":
            return False
        if self._list_name == here - 2 and self._out[-1].strip() == ",":
            self._list_name = here
            return True
        return following == "=" and self._set_depth == len(self._holds_query)

    def _stands_behind_keyword(self) -> bool:
        before = self._before()
        found = _LAST_WORD.search(before)
        word = found[1].upper() if found else ""
        if word == "SET":
            self._set_depth = len(self._holds_query)
            return True
        if word == "FROM":  # also stands in TRIM("x" FROM "y")
            return self._holds_query[-1]
        return word in _BEFORE_NAME or (word == "EXISTS" and _IF_EXISTS.search(before) is not None)

    def _catch_up(self) -> None:
        for piece in self._out[self._seen :]:
            if piece[:1] in '`"':
                continue
            if self._is_undecided and not piece.isspace():
                self._holds_query[-1] = _QUERY.match(piece) is not None
                self._is_undecided = False
            for parenthesis in _PARENTHESIS.finditer(piece):
                if parenthesis[0] == "(":
                    self._is_undecided = not piece[parenthesis.end() :].strip()
                    self._holds_query.append(_QUERY.match(piece, parenthesis.end()) is not None)
                elif len(self._holds_query) > 1:
                    self._holds_query.pop()
                    self._is_undecided = False
            if self._set_depth and _END_OF_SET.search(piece):
                self._set_depth = 0
        self._seen = len(self._out)

    def _last_character(self) -> str:
        for piece in self._out[: -_LOOK_BACK_PIECES - 1 : -1]:
            text = piece.rstrip()
            if text:
                return text[-1]
        return ""

    def _before(self) -> str:
        return "".join(self._out[-_LOOK_BACK_PIECES:])[-_LOOK_BACK_CHARACTERS:]
