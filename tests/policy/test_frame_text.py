"""What is shown of a frame without parsing its line is what Python shows, which parses it."""

import dis
import importlib
import inspect
import itertools
import linecache
import sys
import traceback
from collections.abc import Iterator
from types import CodeType, ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2edebug.policy import frame_text as module
from e2edebug.policy.frame_text import frame_text

FILE = "shown_by_a_test.py"


def summary(filename: str, position: dis.Positions) -> traceback.FrameSummary:
    return traceback.FrameSummary(
        filename,
        position.lineno,
        "price",
        lookup_line=False,
        end_lineno=position.end_lineno,
        colno=position.col_offset,
        end_colno=position.end_col_offset,
    )


def shown_by_python(frame: traceback.FrameSummary) -> str:
    return traceback.StackSummary().format_frame_summary(frame)


def shown_of_line(line: str, start: int, end: int) -> tuple[str, str]:
    """Return what is shown of the bytes from *start* to *end* in *line*, by us and by Python."""
    linecache.cache[FILE] = (len(line), None, [f"{line}\n"], FILE)
    frame = summary(FILE, dis.Positions(1, 1, start, end))
    return frame_text(frame), shown_by_python(frame)


def positions(code: CodeType) -> Iterator[dis.Positions]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from positions(constant)
    yield from (dis.Positions(*at) for at in set(code.co_positions()) if at[0] is not None)


@pytest.mark.parametrize("name", ["argparse", "http.client", "statistics", "textwrap", "django.db.models.sql.query"])
def test_whatever_instruction_of_a_module_fails(name: str) -> None:
    imported: ModuleType = importlib.import_module(name)
    filename = inspect.getsourcefile(imported)
    assert filename is not None
    code = compile(inspect.getsource(imported), filename, "exec")

    for position in positions(code):
        frame = summary(filename, position)
        assert frame_text(frame) == shown_by_python(frame), position


_BEFORE = ["", "return ", "return  ", "return(", "x = ", "x  =", "x: int = ", "x.y = ", "x = y = ", "if ", "a; x = ",
           "with ", "await ", "x += ", "f(y=", "(", "'é' + ", "\f", "\t", "for = ", "return not "]  # fmt: skip
_PARTS = ["f(x)", "f.g(x)", "f()", "raise f(x)", "raise f(x) from y", "a + b", "(a + b)", "a[0]", "f(a + b)", "a.b",
          "f(x)(y)", "f(*a, **k)", "f(**k, b=1)", "f(x=1, *a)", "f(x=1, x=2)", "f('(')", "f('it\"s')", "f(x for x in y)",
          "f(None=1)", "f(__debug__=1)", "f(def)", "def(x)", "not(a + b)", "lambda: a + b", "f'{a + b}'", "f(é)", "x.for",
          "yield a + b", "f(012)", "f(1_0)", "f(x, )", "f(x,y)", "f('a' 'b')", "-a", "a if b else c", "f( x )",
          "a and b(c)", "print(x) # )", "f(#)", "x\\", "f('a\\')", "None(x)", "True.x(y)", "match(x)"]  # fmt: skip
_AFTER = ["", ":", ")", " # why", "; y = 2", ".g()", " or 0", " ", "[0]", ", y", " if a else b", "\\", " as y:", " é"]


@pytest.mark.parametrize("before", _BEFORE)
def test_whatever_stands_around_what_failed(before: str) -> None:
    for part, after in itertools.product(_PARTS, _AFTER):
        line = f"    {before}{part}{after}"
        start = len(f"    {before}".encode())

        ours, theirs = shown_of_line(line, start, start + len(part.encode()))

        assert ours == theirs, line


@given(st.text("fx(), .=+'\"[]*#\\1é\t", max_size=14), st.integers(0, 14), st.integers(0, 14))
def test_whatever_a_line_is_and_whatever_part_of_it_failed(line: str, start: int, end: int) -> None:
    ours, theirs = shown_of_line(line, start, end)

    assert ours == theirs


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="only the rules of known versions are used")
@pytest.mark.parametrize(
    "line", ["return total(prices) or 0", "x = total(prices)", "raise NoPrice(17)", "self.price(sku, *a, **k)"]
)
def test_what_most_lines_are_is_not_parsed(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    start = line.index("total") if "total" in line else 0
    end = line.rindex(")") + 1
    _, theirs = shown_of_line(line, start, end)
    monkeypatch.setattr(module._stack, "format_frame_summary", lambda _: pytest.fail("parsed"), raising=False)

    assert frame_text(summary(FILE, dis.Positions(1, 1, start, end))) == theirs
