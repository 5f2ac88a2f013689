"""The drawn tree, whole: what a person sees is what is compared."""

from collections.abc import Iterable

import pytest
from cli.made_steps import MadeError, MadeStep, query, request, step
from cli.stored_workflows import checkout_errors, checkout_steps

from e2edebug.cli.step_tree import build_tree, fold, prune
from e2edebug.cli.terminal import cell_width, plain
from e2edebug.cli.tree_lines import TreeView, tree_lines

TIMES = "\N{MULTIPLICATION SIGN}"


def drawn(
    steps: Iterable[MadeStep],
    errors: Iterable[MadeError] = (),
    *,
    width: int = 80,
    is_unicode: bool = True,
    whole_statements: bool = False,
    limit: int = 1_000_000,
) -> str:
    roots, _ = build_tree(steps, errors)
    lines = tree_lines(prune(fold(roots), limit=limit), TreeView(width, is_unicode, whole_statements))
    return "\n".join(["", *(plain(line) for line in lines), ""])


def test_a_failed_checkout_on_80_columns() -> None:
    assert (
        drawn(checkout_steps(), checkout_errors())
        == f"""
━━━━━━━━━━━━   1.84 s api      POST /api/checkout/ 500  CheckoutViewSet.create ✗
╸              4.1 ms database ├ SELECT id, email FROM auth_user WHERE id = ? L…
                               │   shop/middleware.py:12 in __call__
━━━━━━╸        1.00 s api      ├ CartService.price
━━━━━━╸        740 ms database │ └ SELECT id, name, price FROM shop_produc… {TIMES} 37
                               │     shop/serializers.py:41 in get_price
      ╺━━━━━   800 ms external ├ payments.local POST /charge ✗
                               │   ✗ requests.exceptions.ReadTimeout:
                               │     payments.local: read timed out after 0.8 s
                               │     shop/payment.py:33 in charge
           ╺   200 µs cache    └ default.set
"""
    )  # the sign for "times" is what is meant


def test_a_failed_checkout_on_120_columns() -> None:
    assert (
        drawn(checkout_steps(), checkout_errors(), width=120)
        == f"""
━━━━━━━━━━━━━━━━━━━━━━   1.84 s api      POST /api/checkout/ 500  CheckoutViewSet.create ✗
╸                        4.1 ms database ├ SELECT id, email FROM auth_user WHERE id = ? LIMIT 21
                                         │   shop/middleware.py:12 in __call__
━━━━━━━━━━━━             1.00 s api      ├ CartService.price
━━━━━━━━━━━━             740 ms database │ └ SELECT id, name, price FROM shop_product WHERE id = ? {TIMES} 37
                                         │     shop/serializers.py:41 in get_price
            ━━━━━━━━━╸   800 ms external ├ payments.local POST /charge ✗
                                         │   ✗ requests.exceptions.ReadTimeout: payments.local: read timed out after 0.8
                                         │     s  shop/payment.py:33 in charge
                     ╺   200 µs cache    └ default.set
"""
    )  # the sign for "times" is what is meant


def test_a_terminal_without_unicode_gets_ascii() -> None:
    text = drawn(checkout_steps(), checkout_errors(), is_unicode=False)

    assert text.isascii()
    assert (
        text
        == """
============   1.84 s api      POST /api/checkout/ 500  CheckoutViewSet.create !
-              4.1 ms database |- SELECT id, email FROM auth_user WHERE id =...
                               |     shop/middleware.py:12 in __call__
======-        1.00 s api      |- CartService.price
======-        740 ms database |  `- SELECT id, name, price FROM shop_pr... x 37
                               |        shop/serializers.py:41 in get_price
      -=====   800 ms external |- payments.local POST /charge !
                               |     ! requests.exceptions.ReadTimeout:
                               |       payments.local: read timed out after 0.8
                               |       s  shop/payment.py:33 in charge
           -   200 us cache    `- default.set
"""
    )


def test_traces_of_one_workflow_have_a_scale_each_and_say_when_they_began() -> None:
    steps = [
        request("a", trace_id="t1", path="/cart/", for_ms=100),
        request("b", trace_id="t2", path="/pay/", at_ms=90_000, for_ms=50, service="payments"),
    ]

    assert (
        drawn(steps)
        == """
trace t1  shop
━━━━━━━━━━━━   100 ms api      GET /cart/ 200

trace t2  payments  +1m 30s
━━━━━━━━━━━━    50 ms api      GET /pay/ 200
"""
    )


def test_states_other_than_completed_are_said() -> None:
    steps = [
        request("r", for_ms=None, path="/slow/", status="started"),
        step("s", "r", at_ms=1, for_ms=9, component="Mail", operation="send", status="skipped"),
        step("f", "r", at_ms=2, for_ms=1, operation="reserve", status="failed", status_message="out of stock"),
        step("o", "gone", at_ms=3, for_ms=7, layer="cache", component="default", operation="get"),
    ]

    assert (
        drawn(steps)
        == """
━━━━━━━━━━━━        … api      GET /slow/ 200  not ended
 ━━━━━━━━━━━   9.0 ms api      ├ Mail.send  skipped
  ╺╸           1.0 ms api      └ reserve ✗
                                   ✗ out of stock
   ╺━━━━━━━━   7.0 ms cache    default.get  (parent not stored)
"""
    )


def test_a_failure_is_explained_where_it_happened_and_not_again_above() -> None:
    steps = [
        request("r", status="failed", status_message="boom", for_ms=2),
        step("f", "r", status="failed", status_message="boom", operation="work", for_ms=1),
    ]

    assert drawn(steps).count("boom") == 1


def test_an_error_says_the_line_of_code_that_it_came_from() -> None:
    stack = 'Traceback (most recent call last):\n  File "library/views.py", line 24, in boom\n    book.x\n'
    steps = [
        request("r", path="/a/", status="failed"),
        request("s", path="/b/", status="failed", at_ms=5, code_location="library/api.py:7 in library.api.get"),
    ]
    errors = [
        MadeError("t1", "r", "KeyError", "'x'", stack), MadeError("t1", "s", "KeyError", "'y'", stack),
        MadeError("t1", "s", "KeyError", "'z'", stack), MadeError("t1", "r", "KeyError", "a" * 20, stack),
    ]  # fmt: skip

    assert (
        drawn(steps, errors)
        == """
━━             1.0 ms api      GET /a/ 200 ✗
                                 ✗ KeyError: 'x'  library/views.py:24 in boom
                                 ✗ KeyError: aaaaaaaaaaaaaaaaaaaa
                                   library/views.py:24 in boom
          ━━   1.0 ms api      GET /b/ 200 ✗
                                 ✗ KeyError: 'y'  library/api.py:7 in get
                                 ✗ KeyError: 'z'  library/views.py:24 in boom
"""
    )


def test_whole_statements_are_wrapped_below_each_other() -> None:
    statement = "SELECT `shop_product`.`id`, `shop_product`.`name` FROM `shop_product` WHERE `shop_product`.`price` > ?"

    assert (
        drawn([query("q", None, statement)], whole_statements=True)
        == """
━━━━━━━━━━━━   1.0 ms database SELECT `shop_product`.`id`,
                                 `shop_product`.`name` FROM `shop_product` WHERE
                                 `shop_product`.`price` > ?
"""
    )


def test_of_a_long_path_the_file_and_the_line_are_kept() -> None:
    long_function = query(
        "q", None, "SELECT 1", code_location="shop/views.py:132 in " + "a_function_of_a_long_name" * 3
    )
    long_path = query("p", None, "SELECT 2", at_ms=2, code_location="a/very/long/" * 6 + "authentication.py:132 in get")

    assert (
        drawn([long_function, long_path])
        == """
━━━━           1.0 ms database SELECT 1
                                 shop/views.py:132
        ━━━━   1.0 ms database SELECT 2
                                 …/a/very/long/a/very/long/authentication.py:132
"""
    )


def test_what_was_left_out_is_counted_in_its_place() -> None:
    steps = [request("r", for_ms=100)]
    steps += [query(f"q{n}", "r", f"SELECT {n}", at_ms=n, for_ms=n + 1) for n in range(9)]

    assert (
        drawn(steps, limit=3)
        == """
━━━━━━━━━━━━   100 ms api      GET / 200
 ━             8.0 ms database ├ SELECT 7
 ━             9.0 ms database ├ SELECT 8
                               └ ⋯ 7 more steps not shown
"""
    )


def test_deep_nesting_becomes_a_number_before_it_eats_the_text() -> None:
    steps = [
        step(f"s{n}", f"s{n - 1}" if n else None, at_ms=n, for_ms=200 - 2 * n, operation=f"level {n}")
        for n in range(60)
    ]

    lines = drawn(steps).splitlines()

    assert lines[-1].endswith("59> level 59")
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
@pytest.mark.parametrize("is_unicode", [True, False])
@pytest.mark.parametrize("whole_statements", [True, False])
def test_no_line_is_wider_than_the_terminal(width: int, is_unicode: bool, whole_statements: bool) -> None:
    steps = [
        request("r", path="/" + "日本" * 200, for_ms=5, component="C" * 300, operation="o"),
        query("q", "r", "SELECT " + "x" * 3000, code_location="p/" * 300),
        query("p", "q", "SELECT " + "word " * 300, code_location="p/" * 300, status="failed"),
        step("orphan", "gone", component="💥" * 300, layer="a-layer-of-tomorrow"),
    ]

    text = drawn(
        steps,
        [MadeError("t1", "q", "E" * 300, "m " * 3000)],
        width=width,
        is_unicode=is_unicode,
        whole_statements=whole_statements,
    )

    assert max(cell_width(line) for line in text.splitlines()) <= width


def test_hostile_text_is_shown_and_not_obeyed() -> None:
    evil = "\x1b[2J\x9b31m\r\n\u202e[red]\ud800\x00"
    steps = [
        request("r", path=f"/{evil}", component=evil, operation=evil, for_ms=5, status="failed"),
        query("q", "r", evil, code_location=evil, service=evil, trace_id="t1"),
        step("x", None, layer=evil, component=evil, trace_id=evil),
    ]

    text = drawn(steps, [MadeError("t1", "r", evil, evil)], width=200)

    assert all(line.isprintable() for line in text.splitlines())
    assert r"\x1b[2J\x9b31m \u202e[red]\ud800\x00" in text
