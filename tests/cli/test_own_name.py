"""The commands that are shown for pasting, wherever the command line was installed."""

import sys
from pathlib import Path

import pytest

from e2edebug.cli.own_name import own_name


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an interpreter and a command line beside it, which PATH does not name."""
    folder = tmp_path / "work" / ".venv" / "bin"
    folder.mkdir(parents=True)
    for name in ("python", "e2edebug"):
        (folder / name).touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    return folder


def test_what_the_shell_finds_is_called_by_its_name(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(installed))

    assert own_name() == "e2edebug"


def test_what_is_not_on_path_is_called_by_its_path_from_here(installed: Path) -> None:
    assert own_name() == ".venv/bin/e2edebug"


def test_elsewhere_the_path_is_whole_and_quoted_for_the_shell(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "my programs"
    other.mkdir()
    (other / "e2edebug").touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(other / "python"))

    assert own_name() == f"'{other}/e2edebug'"


def test_another_environments_command_line_is_not_taken_for_ours(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "e2edebug").touch(mode=0o755)

    assert own_name() == ".venv/bin/e2edebug"


def test_without_a_script_the_module_is_run(installed: Path) -> None:
    (installed / "e2edebug").unlink()

    assert own_name() == ".venv/bin/python -m e2edebug.cli"
