"""Usage, help and exit codes."""

from pathlib import Path

import pytest
from cli.command import CommandLine, run_process

from e2edebug.cli import demo_command


@pytest.mark.parametrize("argv", [(), ("nonsense",), ("sessions", "--nonsense"), ("show",), ("sessions", "extra")])
def test_wrong_usage_is_one_line_that_names_the_help(e2edebug: CommandLine, argv: tuple[str, ...]) -> None:
    outcome = e2edebug(*argv)

    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert "--help`" in outcome.err


def test_help_names_every_command_and_exit_code(tmp_path: Path) -> None:
    done = run_process("--help", cwd=tmp_path)

    assert done.returncode == 0
    for command in ("migrate", "run", "config", "sessions", "show", "demo"):
        assert f"\n    {command} " in done.stdout
    assert "exit codes: 0 done" in done.stdout


@pytest.mark.parametrize("command", ["migrate", "run", "config", "sessions", "show", "demo"])
def test_each_command_has_help_of_its_own(e2edebug: CommandLine, command: str) -> None:
    with pytest.raises(SystemExit) as ended:
        e2edebug(command, "--help")

    assert ended.value.code == 0


def test_the_demo_without_a_checkout_says_where_it_is(
    e2edebug: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(demo_command, "DEMO", tmp_path / "none.py")

    outcome = e2edebug("demo")

    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "checkout of e2edebug" in outcome.err


def test_the_demo_of_a_checkout_gets_the_arguments(tmp_path: Path) -> None:
    done = run_process("demo", "--once", "--seconds", "1", cwd=tmp_path)

    assert done.returncode == 2
    assert "--seconds must be 4 or more" in done.stderr
