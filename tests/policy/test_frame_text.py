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


def shown_of_line(line: str, start: int, end: int, *, end_line: int = 1) -> tuple[str, str]:
    """Return what is shown of the bytes from *start* to *end* in *line*, or in a later one, by us and by Python."""
    linecache.cache[FILE] = (len(line), None, [f"{line}\n", f"{line}\n"], FILE)
    frame = summary(FILE, dis.Positions(1, end_line, start, end))
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
          "a and b(c)", "print(x) # )", "f(#)", "x\\", "f('a\\')", "None(x)", "True.x(y)", "match(x)", "f(g(a + b))",
          "f(g(h(a[0])), 'b') + g(x)", "f(')', g(a + b)", "f(f')', g(a + b))", "f(''')''', g(x)) + (y)", "f(x)(a + b)",
          "f(a).g(b - 1)", "f(a) (b - 1)", "x['y']", "x[y.z]", "x[0][y]", "f(x)[y]", "x[y, z]", "x[1:]", "x['a' 'b']",
          "x[def]", "x[0](a[1])", "x % y", "x**y", "x // 2", "x<<1", "x < y", "x + -y", "x + y + z", "f(x) * y[0]", "'a' % b",
          "x  + y", "x +y", "not(a + b)[0]", "return - x", "x[ 0]", "x[0] [1]"]  # fmt: skip
_AFTER = ["", ":", ")", " # why", "; y = 2", ".g()", " or 0", " ", "[0]", ", y", " if a else b", "\\", " as y:", " é"]


@pytest.mark.parametrize("before", _BEFORE)
def test_whatever_stands_around_what_failed(before: str) -> None:
    for part, after in itertools.product(_PARTS, _AFTER):
        line = f"    {before}{part}{after}"
        start = len(f"    {before}".encode())

        for end_line in (1, 2):
            ours, theirs = shown_of_line(line, start, start + len(part.encode()), end_line=end_line)

            assert ours == theirs, (line, end_line)


@given(st.text("fx(), .=+'\"[]*#\\1é\t", max_size=14), st.integers(0, 14), st.integers(0, 14))
def test_whatever_a_line_is_and_whatever_part_of_it_failed(line: str, start: int, end: int) -> None:
    ours, theirs = shown_of_line(line, start, end)

    assert ours == theirs


_TOLD = [("return ", "total(prices)", " or 0"), ("x = ", "total(prices)", ""), ("", "raise NoPrice(17)", ""),
         ("", "self.price(sku, *a, **k)", "")]  # fmt: skip
_TOLD_UNTIL_3_12 = [("return ", "total(dict(prices, tax=rate * 7), 'EUR')", ""), ("", "prices[sku]", ".gross"),
                    ("return ", "price.net + tax(price)", " or 0"), ("x = ", "self.prices(sku).order(-1)", "")]  # fmt: skip


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="only the rules of known versions are used")
@pytest.mark.parametrize("line", _TOLD if sys.version_info >= (3, 13) else _TOLD + _TOLD_UNTIL_3_12)
def test_what_most_lines_are_is_not_parsed(line: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    start, end = len(line[0]), len(line[0]) + len(line[1])
    _, theirs = shown_of_line("".join(line), start, end)
    monkeypatch.setattr(module._stack, "format_frame_summary", lambda _: pytest.fail("parsed"), raising=False)
    monkeypatch.setattr(module, "_parsed_anchors", lambda _: pytest.fail("parsed"))

    assert frame_text(summary(FILE, dis.Positions(1, 1, start, end))) == theirs
