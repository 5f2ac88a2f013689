"""`e2edebug evaluate`, `alerts`, `alert`, `thresholds` and `notify`, as somebody on call uses them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alerts.stored_metrics import minutes, query, step, store_steps
from cli.command import CommandLine


@pytest.fixture
def command(e2edebug: CommandLine, store_url: str, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command line on a store of its own."""
    monkeypatch.setenv("E2EDEBUG_DATABASE_URL", store_url)
    return e2edebug


def slow(engine: sa.Engine) -> None:
    now = datetime.now(UTC)
    minutes(engine, now, "Checkout", 900.0)
    store_steps(
        engine,
        step("worst-Checkout", now, 900.0),
        *(query("worst-Checkout", now, 15.0, "SELECT * FROM shop_review WHERE product_id = ?") for _ in range(40)),
    )


def test_somebody_on_call_finds_understands_and_acknowledges_an_alert(command: CommandLine, engine: sa.Engine) -> None:
    slow(engine)

    evaluated = command("evaluate", "--once")
    again = command("evaluate")
    listed = command("alerts")
    acknowledged = command("alert", "1", "--acknowledge", "--as", "ann", "--note", "on it")
    snoozed = command("alert", "1", "--snooze", "2h", "--as", "ann")

    assert "fired         warning   api Checkout: response time 9" in evaluated.out
    assert again.out == "nothing has changed\n"
    assert "1   firing  warning" in listed.out
    assert (
        "One request runs `SELECT * FROM shop_review WHERE product_id = ?` 40 times at shop/views.py:31"
        in acknowledged.out
    )
    assert "acknowledged by ann, on it" in acknowledged.out
    assert "snoozed until" in snoozed.out


def test_an_alert_is_json_for_programs(command: CommandLine, engine: sa.Engine) -> None:
    slow(engine)

    found = json.loads(command("evaluate", "--json").out)
    shown = json.loads(command("alert", "1", "--json").out)

    assert [one["kind"] for one in found["transitions"]] == ["fired"]
    assert (shown["state"], [one["kind"] for one in shown["history"]]) == ("firing", ["fired"])


def test_an_alert_that_is_not_there_is_a_no(command: CommandLine, engine: sa.Engine) -> None:
    outcome = command("alert", "9", "--acknowledge")

    assert (outcome.code, outcome.err) == (1, "e2edebug: there is no alert 9; `e2edebug alerts --all` lists them\n")


def test_thresholds_go_out_and_come_back(command: CommandLine, engine: sa.Engine, tmp_path: Path) -> None:
    file = tmp_path / "thresholds.yaml"
    command("thresholds", "export", "--output", str(file))
    file.write_text(file.read_text().replace("warning: 500", "warning: 400"))

    tried = command("thresholds", "import", "--dry-run", str(file))
    done = command("thresholds", "import", str(file))
    again = command("thresholds", "import", str(file))
    file.write_text("thresholds: [{layer: apy}]")
    wrong = command("thresholds", "import", str(file))

    assert "nothing was changed: this was a dry run" in tried.out
    assert "warning: 500 -> 400.0" in done.out
    assert again.out == "every threshold of the file holds already\n"
    assert (wrong.code, "layer='apy' is not one of" in wrong.err) == (2, True)


def test_a_back_test_says_what_would_have_fired(command: CommandLine, engine: sa.Engine) -> None:
    slow(engine)

    outcome = command("thresholds", "backtest", "--since", "1h")

    assert "1 alert in 60 minutes" in outcome.out
    assert "api Checkout: response time, still there" in outcome.out


def test_a_route_is_tested_without_showing_its_token(
    command: CommandLine, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2EDEBUG_NOTIFY_URLS", "webhook+https://127.0.0.1/token-hunter2")

    routes, tested = command("notify", "routes"), command("notify", "test")

    assert "webhook+https:…" in routes.out
    assert (tested.code, "is not a public address" in tested.out) == (1, True)
    assert "hunter2" not in routes.out + tested.out


def test_maintenance_is_planned_and_listed(command: CommandLine, engine: sa.Engine) -> None:
    planned = command("notify", "maintenance", "--for", "2h", "--layer", "database", "--reason", "move")
    listed = command("notify", "maintenance")

    assert planned.out.startswith("no messages about database until")
    assert "database  move" in listed.out
