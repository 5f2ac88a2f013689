"""`e2edebug sessions` on a real store."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from cli.command import CommandLine
from cli.stored_workflows import CHECKOUT, store_checkout, store_session

from e2edebug.cli.session_lines import session_table
from e2edebug.cli.terminal import plain
from e2edebug_schema.queries.sessions import list_sessions

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TIMES = "\N{MULTIPLICATION SIGN}"


@pytest.fixture
def three(engine: sa.Engine) -> None:
    """A failed checkout, a slow login and a quick browse, from old to new."""
    store_checkout(engine)
    store_session(
        engine, "login-0001", start_time=NOON, workflow_type="login", root_operation="POST /login/", user_id="bob",
        duration_ms=2500.0,
    )  # fmt: skip
    store_session(
        engine, "browse-0001", start_time=NOON + timedelta(minutes=5), workflow_type="browse",
        root_operation="GET /products/", duration_ms=12.0, status="in_progress",
    )  # fmt: skip


def listed(e2edebug: CommandLine, *argv: str) -> list[str]:
    outcome = e2edebug("sessions", "--json", *argv)
    assert (outcome.code, outcome.err) == (0, "")
    return [one["correlation_id"] for one in json.loads(outcome.out)["sessions"]]


@pytest.mark.usefixtures("three")
def test_piped_sessions_are_plain_and_whole(store_url: str, e2edebug: CommandLine) -> None:
    outcome = e2edebug("sessions", "--database", store_url)

    assert (
        outcome.out
        == f"""\
id                                    started UTC          status       duration  type      user  steps  queries  request
browse-0001                           2026-11-23 12:05:00  in_progress     12 ms  browse              0        0  GET /products/
login-0001                            2026-11-23 12:00:00  completed      2.50 s  login     bob       0        0  POST /login/
3f2a8c1e-0000-4000-8000-000000000001  2026-11-23 10:04:05  failed         1.84 s  checkout  anna     42       38  POST /api/checkout/  {TIMES} 37  1 error
"""
    )


@pytest.mark.usefixtures("three")
def test_a_terminal_of_80_columns_gets_what_fits(engine: sa.Engine) -> None:
    lines = [plain(line) for line in session_table(list_sessions(engine), now=NOON, width=80)]

    assert (
        "\n".join(lines)
        == f"""\
id        started UTC  status       duration  type      request
browse-0  12:05:00     in_progress     12 ms  browse    GET /products/
login-00  12:00:00     completed      2.50 s  login     POST /login/
3f2a8c1e  10:04:05     failed         1.84 s  checkout  POST /api/ch…  {TIMES} 37  ✗ 1"""
    )


@pytest.mark.usefixtures("three")
def test_a_terminal_of_120_columns_gets_more(engine: sa.Engine) -> None:
    lines = [plain(line) for line in session_table(list_sessions(engine), now=NOON + timedelta(days=1), width=120)]

    assert (
        "\n".join(lines)
        == f"""\
id        started UTC     status       duration  type      user  steps  queries  request
browse-0  11-23 12:05:00  in_progress     12 ms  browse              0        0  GET /products/
login-00  11-23 12:00:00  completed      2.50 s  login     bob       0        0  POST /login/
3f2a8c1e  11-23 10:04:05  failed         1.84 s  checkout  anna     42       38  POST /api/checkout/  {TIMES} 37  1 error"""
    )


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (("--type", "login"), ["login-0001"]),
        (("--status", "failed"), [CHECKOUT]),
        (("--user", "anna"), [CHECKOUT]),
        (("--user", "17"), [CHECKOUT]),
        (("--since", "2026-11-23T12:00"), ["browse-0001", "login-0001"]),
        (("--since", "2026-11-23T12:01Z"), ["browse-0001"]),
        (("--slower-than", "1s"), ["login-0001", CHECKOUT]),
        (("--slower-than", "1s", "--since", "2026-11-23T11:00"), ["login-0001"]),
        (("--errors",), [CHECKOUT]),
        (("--type", "nothing"), []),
    ],
)
def test_filters_restrict_the_list(
    store_url: str, e2edebug: CommandLine, filters: tuple[str, ...], found: list[str]
) -> None:
    assert listed(e2edebug, *filters, "--database", store_url) == found


@pytest.mark.usefixtures("three")
def test_pages_follow_each_other_without_gap_or_repetition(store_url: str, e2edebug: CommandLine) -> None:
    found, place = [], ["--limit", "1"]
    while place:
        page = json.loads(e2edebug("sessions", "--json", "--limit", "1", *place, "--database", store_url).out)
        found += [one["correlation_id"] for one in page["sessions"]]
        place = ["--before", page["next"]] if page["next"] else []

    assert found == ["browse-0001", "login-0001", CHECKOUT]


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("--status", "broken", "--status 'broken' is not one of in_progress, completed, failed, timeout"),
        ("--since", "soon", "--since 'soon' is not a time such as 30m, 2h, 7d, 2026-11-23T10:00 or 2026-11-23T10:00Z"),
        ("--slower-than", "slow", "--slower-than 'slow' is not a duration such as 500ms, 2s or 1.5m"),
        ("--limit", "0", "--limit '0' is not a whole number from 1 to 1000"),
        ("--limit", "9" * 5_000, None),
        ("--before", "x", None),
        ("--before", "2026-11-23T10:00Z,", None),
    ],
)
def test_a_wrong_filter_is_bad_usage(e2edebug: CommandLine, option: str, value: str, complaint: str | None) -> None:
    outcome = e2edebug("sessions", option, value, "--database", "sqlite:///nowhere")

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.count("\n") == 1
    if complaint is not None:
        assert outcome.err == f"e2edebug: {complaint}\n"


def test_an_empty_store_says_so(store_url: str, e2edebug: CommandLine) -> None:
    assert e2edebug("sessions", "--database", store_url).out.startswith("no sessions yet in ")
    assert e2edebug("sessions", "--type", "x", "--database", store_url).out == "no session matches these filters\n"
