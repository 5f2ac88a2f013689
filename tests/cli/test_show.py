"""`e2edebug show` on a real store."""

import json
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from cli.command import CLEAN_ENVIRONMENT, CommandLine, Outcome, run_process
from cli.made_steps import BEGAN, MadeError, query, request, step
from cli.stored_workflows import CHECKOUT, TRACE, store_checkout, store_session

TIMES = "\N{MULTIPLICATION SIGN}"


def test_a_workflow_is_shown_as_a_tree_with_its_errors_in_place(
    engine: sa.Engine, store_url: str, e2edebug: CommandLine
) -> None:
    store_checkout(engine)

    outcome = e2edebug("show", CHECKOUT, "--database", store_url)

    assert (outcome.code, outcome.err) == (0, "")
    assert (
        outcome.out
        == f"""\
checkout  failed  1.84 s  ·  POST /api/checkout/
2026-11-23 10:04:05 UTC  ·  shop 1.4.2  ·  user anna
42 steps  ·  38 queries  ·  1 error  ·  one statement {TIMES} 37
correlation id  3f2a8c1e-0000-4000-8000-000000000001
trace id        3f2a8c1e000040008000000000000001

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

timeout  ReadTimeout
  The answer did not come within the limit, and whether the other side acted is not known: repeat only what is safe to
  do twice (idempotency key), keep the limit below that of whoever waits for you, and call it outside of a transaction
  or in a task.
"""
    )


@pytest.mark.parametrize("reference", [CHECKOUT, TRACE, CHECKOUT[:8], TRACE[:12], TRACE.upper(), f" {CHECKOUT} "])
def test_any_id_of_a_workflow_finds_it(
    engine: sa.Engine, store_url: str, e2edebug: CommandLine, reference: str
) -> None:
    store_checkout(engine)

    outcome = e2edebug("show", reference, "--database", store_url)

    assert (outcome.code, CHECKOUT in outcome.out) == (0, True)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("nonsense", "no session has the id 'nonsense'; `e2edebug sessions` lists those that are stored"),
        ("\x1b[31mred", r"no session has the id '\x1b[31mred'; `e2edebug sessions` lists those that are stored"),
        (
            "same",
            "no session has the id 'same', and the beginning of one has at least 6 characters; "
            "`e2edebug sessions` lists those that are stored",
        ),
    ],
)
def test_an_id_of_no_workflow_is_a_negative_answer(
    engine: sa.Engine, store_url: str, e2edebug: CommandLine, reference: str, said: str
) -> None:
    store_session(engine, "same-beginning-1")
    store_session(engine, "same-beginning-2")

    outcome = e2edebug("show", reference, "--database", store_url)

    assert outcome == Outcome(1, "", f"e2edebug: {said}\n")


def test_the_beginning_of_several_ids_lists_them(engine: sa.Engine, store_url: str, e2edebug: CommandLine) -> None:
    for number in range(11):
        store_session(engine, f"same-beginning-{number:02}", workflow_type="checkout", status="failed")
    for number in range(2):
        store_session(engine, f"ab12ab12-{number}", workflow_type="evil\x1b[31m")

    two = e2edebug("show", "ab12ab", "--database", store_url)
    eleven = e2edebug("show", "same-beg", "--database", store_url)

    assert two == Outcome(
        1,
        "",
        """\
e2edebug: 2 sessions have an id that begins with 'ab12ab'; give more of it
  ab12ab12-0 2026-11-23 10:04:05 UTC evil\\x1b[31m completed
  ab12ab12-1 2026-11-23 10:04:05 UTC evil\\x1b[31m completed
""",
    )
    assert eleven.err.startswith("e2edebug: more than 10 sessions have an id that begins with 'same-beg'; ")
    assert eleven.err.count("\n") == 11


def test_a_workflow_and_those_started_within_it_point_to_each_other(
    engine: sa.Engine, store_url: str, e2edebug: CommandLine
) -> None:
    trace = "7" * 32
    outer = [request("1" * 16, path="/cart/", trace_id=trace, for_ms=100)]
    inner = [step("2" * 16, "1" * 16, operation="pay", trace_id=trace, at_ms=10, for_ms=40)]
    store_session(engine, "outer-one", outer, workflow_type="cart", end_time=BEGAN + timedelta(milliseconds=100))
    store_session(
        engine, "inner-one", inner, workflow_type="payment", status="failed", duration_ms=40,
        parent_correlation_id="outer-one", start_time=BEGAN + timedelta(milliseconds=10),
    )  # fmt: skip

    shown_outer = e2edebug("show", "outer-one", "--database", store_url).out
    shown_inner = e2edebug("show", "inner-one", "--database", store_url).out
    as_json = json.loads(e2edebug("show", "outer-one", "--json", "--database", store_url).out)

    assert shown_outer.endswith("\n\nstarted within it: payment failed 40 ms  e2edebug show inner-one\n")
    assert "started within it" not in shown_inner
    assert "  within cart outer-one\n" in shown_inner
    assert "(parent not stored)" not in shown_inner
    assert [one["correlation_id"] for one in as_json["started_within"]] == ["inner-one"]


def test_a_parent_that_is_stored_nowhere_is_said_to_be_missing(
    engine: sa.Engine, store_url: str, e2edebug: CommandLine
) -> None:
    store_session(engine, "orphan-one", [step("2" * 16, "1" * 16, operation="pay", trace_id="7" * 32)])

    assert "pay  (parent not stored)" in e2edebug("show", "orphan-one", "--database", store_url).out


def test_everything_is_there_as_json(engine: sa.Engine, store_url: str, e2edebug: CommandLine) -> None:
    store_checkout(engine)

    outcome = e2edebug("show", CHECKOUT, "--json", "--database", store_url)

    shown = json.loads(outcome.out)
    assert shown["session"]["correlation_id"] == CHECKOUT
    assert shown["session"]["start_time"] == "2026-11-23T10:04:05+00:00"
    assert len(shown["steps"]) == 42
    assert [error["error_type"] for error in shown["errors"]] == ["requests.exceptions.ReadTimeout"]


def test_all_unfolds_every_step(engine: sa.Engine, store_url: str, e2edebug: CommandLine) -> None:
    store_checkout(engine)

    outcome = e2edebug("show", CHECKOUT, "--all", "--database", store_url)

    assert outcome.out.count("FROM shop_product") == 37


def test_sql_shows_whole_statements(engine: sa.Engine, store_url: str, e2edebug: CommandLine) -> None:
    store_checkout(engine)

    outcome = e2edebug("show", CHECKOUT, "--sql", "--database", store_url)

    assert "`shop_product`.`price`" in outcome.out


def test_errors_without_a_step_and_workflows_without_steps_are_shown(
    engine: sa.Engine, store_url: str, e2edebug: CommandLine
) -> None:
    store_session(engine, "without-steps", errors=[MadeError(None, None, "ValueError", "no step of mine")])

    outcome = e2edebug("show", "without-steps", "--database", store_url)

    assert "no steps are stored" in outcome.out
    assert "✗ ValueError: no step of mine" in outcome.out


STACK = """Traceback (most recent call last):
  File "/srv/shop/library/views.py", line 24, in boom
    book.\x1b[31mtitle
AttributeError: 'Book' object has no attribute 'x'
"""


def test_stack_traces_are_below_the_tree_on_demand_and_pointed_to_otherwise(
    engine: sa.Engine, store_url: str, e2edebug: CommandLine
) -> None:
    steps = [request("1" * 16, path="/book/", trace_id="7" * 32, status="failed")]
    store_session(engine, "with-stack", steps, [MadeError("7" * 32, "1" * 16, "AttributeError", "no x", STACK)])
    store_session(engine, "without-errors", steps[:0])

    asked = e2edebug("show", "with-stack", "--stack", "--database", store_url)
    unasked = e2edebug("show", "with-stack", "--database", store_url)
    none = e2edebug("show", "without-errors", "--stack", "--database", store_url)

    assert asked.out.endswith(
        """
✗ AttributeError: no x
  Traceback (most recent call last):
    File "/srv/shop/library/views.py", line 24, in boom
      book.\\x1b[31mtitle
  AttributeError: 'Book' object has no attribute 'x'
"""
    )
    assert "Traceback" not in unasked.out
    assert "✗ AttributeError: no x  shop/library/views.py:24 in boom\n" in unasked.out
    assert unasked.out.endswith("\nthe stack traces: e2edebug show with-stack --stack\n")
    assert none.out.endswith("\nno errors are stored\n")


def test_hostile_text_in_the_store_reaches_the_terminal_escaped(
    engine: sa.Engine, store_url: str, e2edebug: CommandLine
) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J[red]"
    steps = [request("1" * 16, path=f"/{evil}", trace_id="7" * 32), query("2" * 16, "1" * 16, evil, trace_id="7" * 32)]
    errors = [MadeError("7" * 32, "1" * 16, f"Error{evil}", f"{evil}\n" * 5, f'  File "{evil}", line 1, in {evil}\n')]
    store_session(
        engine, "evil-one", steps, errors, root_operation=evil, workflow_type=evil, user_label=evil, service=evil
    )

    shown = [
        e2edebug("show", "evil-one", "--database", store_url).out,
        e2edebug("show", "evil-one", "--sql", "--database", store_url).out,
        e2edebug("show", "evil-one", "--stack", "--database", store_url).out,
        e2edebug("show", "evil-one", "--json", "--database", store_url).out,
        e2edebug("sessions", "--database", store_url).out,
    ]

    assert all(line.isprintable() for text in shown for line in text.splitlines())
    assert all(r"[2J[red]" in text for text in shown)


def test_ten_thousand_steps_are_shown_in_bounds(engine: sa.Engine, store_url: str, e2edebug: CommandLine) -> None:
    trace = "9" * 32
    steps = [request("f" * 16, path="/big/", for_ms=100_000, trace_id=trace)]
    steps += [
        query(
            f"{n:016x}", "f" * 16, f"SELECT x FROM t{n}", at_ms=n * 10, for_ms=1 + n % 97, trace_id=trace,
            status="failed" if n == 7_777 else "completed",
        )
        for n in range(10_000)
    ]  # fmt: skip
    store_session(engine, "a-big-one", steps)
    began = time.perf_counter()

    outcome = e2edebug("show", "a-big-one", "--database", store_url)

    assert time.perf_counter() - began < 30
    assert len(outcome.out.splitlines()) < 250
    assert "SELECT x FROM t7777 ✗" in outcome.out
    assert "9,801 steps not shown; all of them: e2edebug show a-big-one --all" in outcome.out


def test_a_pipe_that_closes_early_ends_the_command_quietly(engine: sa.Engine, store_url: str) -> None:
    steps = [step(f"{n:016x}", None, at_ms=n, operation=f"step {n}", trace_id="9" * 32) for n in range(5_000)]
    store_session(engine, "piped-one", steps)
    process = subprocess.Popen(
        [sys.executable, "-m", "e2edebug.cli", "show", "piped-one", "--all", "--database", store_url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=CLEAN_ENVIRONMENT,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()

    assert (process.stderr.read(), process.wait(120)) == (b"", 141)
    process.stderr.close()


def test_a_process_with_an_ascii_locale_shows_ascii(engine: sa.Engine, store_url: str) -> None:
    store_session(engine, "umlaut-one", [request("1" * 16, path="/größe/", trace_id="7" * 32)])

    done = run_process(
        "show", "umlaut-one", "--database", store_url, cwd=Path.cwd(), environ={"PYTHONIOENCODING": "ascii"}
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert r"GET /gr\xf6\xdfe/ 200" in done.stdout
