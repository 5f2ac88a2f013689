"""docs/reliability.md names tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
COMMANDS = sorted(set(re.findall(r"`(pytest [^`]+)`", (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8"))))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_selects_tests(command: str) -> None:
    words = command.split()
    (path,) = (ROOT / word for word in words if word.startswith("tests/"))
    files = [path] if path.is_file() else sorted(path.glob("test_*.py"))
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)

    assert files
    if "-k" in words:
        assert re.search(rf"def test_\w*{words[words.index('-k') + 1]}", text)
    if "-m" in words:
        assert f"pytest.mark.{words[words.index('-m') + 1]}" in text
