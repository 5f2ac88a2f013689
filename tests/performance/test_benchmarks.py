"""Every benchmark can be imported without its peers, has a stored result, and the cheap ones run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.harness.document import DOCUMENT
from benchmarks.harness.listing import benchmark_names
from benchmarks.harness.storing import read_entries, results_of

TESTS = Path(__file__).parents[1]


def test_every_benchmark_can_be_imported_without_the_peers() -> None:
    """In a process of its own: nothing may be instrumented here."""
    statements = "\n".join(f"import benchmarks.{name}" for name in benchmark_names())
    run = subprocess.run(
        [sys.executable, "-c", statements],
        env={**os.environ, "PYTHONPATH": str(TESTS)}, capture_output=True, text=True,
    )  # fmt: skip

    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("name", benchmark_names())
def test_every_benchmark_has_a_stored_result_or_is_said_to_have_none(name: str) -> None:
    entry = read_entries().get(name)

    if entry is None:
        assert f"- `make bench ARGS={name}`" in DOCUMENT.read_text(encoding="utf-8").partition("## Not measured yet")[2]
        return
    assert not entry["is_quick"]
    assert {result.name for result in results_of(entry)} == {name}, entry["error"]


def test_the_cheap_benchmarks_run_as_a_try(tmp_path: Path) -> None:
    file = tmp_path / "tried.json"
    cheap = ["decorated_function", "sqlite"]
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", *cheap, "--quick", "--output", str(file)],
        env={**os.environ, "PYTHONPATH": str(TESTS)}, capture_output=True, text=True,
    )  # fmt: skip

    assert run.returncode == 0, run.stdout + run.stderr
    entries = read_entries(file)
    assert sorted(entries) == cheap
    for result in (result for entry in entries.values() for result in results_of(entry)):
        assert "ours" in {case.who for case in result.cases}
        for case in result.cases:
            assert all(figure.low <= figure.median <= figure.high for figure in case.figures.values()), case
        assert all(target.value > 0 for target in result.targets)
