"""What the harness of the benchmarks promises: nothing is absent in silence, and a part does not replace the whole."""

from pathlib import Path
from typing import Any

import pytest
from benchmarks.harness.comparing import differing_surroundings, figure_rows, ratio_rows, verdict
from benchmarks.harness.listing import benchmark_names
from benchmarks.harness.printing import show_times
from benchmarks.harness.running import run_benchmark
from benchmarks.harness.storing import failures_of, read_entries, results_of, store_entries
from benchmarks.result import Case, Figure, Result, Target
from rich.console import Console

TESTS = Path(__file__).parents[1]


def entry(**changes: Any) -> dict[str, Any]:
    whole = {
        "results": [], "error": "", "is_quick": False, "duration_s": 1.0, "load": {"start": 0.0, "end": 1.0},
        "commit": "abc", "date": "2026-11-28T12:00:00+00:00", "machine": {"cpu": "one", "cores": 2}, "versions": {"Python": "3.11.2"},
    }  # fmt: skip
    return {**whole, **changes}


def result(ours: list[float], peer: list[float]) -> Result:
    cases = [
        Case("e2edebug", "ours", {"CPU": Figure.of(ours, "us")}),
        Case("peer", "peer", {"CPU": Figure.of(peer, "us")}),
    ]
    return Result("one", "One", "What one costs.", cases, [Target("CPU", ours[0], 3.0, unit="us")])


def test_a_module_or_package_that_measures_is_a_benchmark(tmp_path: Path) -> None:
    (tmp_path / "reads.py").write_text("def measure(*, quick: bool): ...\n")
    (tmp_path / "writes").mkdir()
    (tmp_path / "writes" / "__init__.py").write_text("def measure(*, quick: bool): ...\n")
    (tmp_path / "sink.py").write_text("def measure(port): ...\n")

    assert benchmark_names(tmp_path) == ["reads", "writes"]


def test_a_benchmark_that_fails_is_an_entry_with_its_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))

    found = run_benchmark("no_such_benchmark", quick=True, limit_s=60)

    assert failures_of(found) == {
        "the whole benchmark": "ModuleNotFoundError: No module named 'benchmarks.no_such_benchmark'"
    }


def test_a_partial_run_replaces_only_its_own_entries(tmp_path: Path) -> None:
    file = tmp_path / "latest.json"
    store_entries({"reads": entry(commit="old"), "writes": entry(commit="old")}, file)

    store_entries({"reads": entry(commit="new")}, file)

    assert {name: one["commit"] for name, one in read_entries(file).items()} == {"reads": "new", "writes": "old"}


def test_a_result_is_the_same_after_it_was_stored(tmp_path: Path) -> None:
    file = tmp_path / "latest.json"
    one = result([1.0, 2.0, 3.0], [4.0])

    store_entries({"one": entry(results=[one.as_json()])}, file)

    assert results_of(read_entries(file)["one"]) == [one]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([1.0, 2.0, 3.0], [2.0, 3.0, 4.0], "noise"),
        ([1.0, 2.0, 3.0], [7.0, 8.0, 9.0], "more"),
        ([7.0, 8.0, 9.0], [1.0, 2.0, 3.0], "less"),
        ([5.0], [5.0], "the same"),
        ([5.0], [6.0], "differs"),
    ],
)
def test_a_difference_within_the_quartiles_is_noise(old: list[float], new: list[float], expected: str) -> None:
    assert verdict(Figure.of(old, "us"), Figure.of(new, "us")) == expected


def test_a_comparison_has_each_figure_and_the_ratio_to_the_peer() -> None:
    old, new = result([2.0], [8.0]), result([1.0], [8.0])

    assert list(figure_rows(old, new)) == [
        ["e2edebug", "CPU", "2 µs", "1 µs", "0.5", "differs"],
        ["peer", "CPU", "8 µs", "8 µs", "1", "the same"],
    ]
    assert list(ratio_rows(old, new)) == [["e2edebug", "peer", "CPU", "0.25", "0.125", "0.5"]]


def test_a_comparison_says_that_a_machine_or_a_version_differs() -> None:
    old = entry()
    new = entry(machine={"cpu": "two", "cores": 2}, versions={"Python": "3.13.1"})

    assert differing_surroundings(old, old) == []
    assert differing_surroundings(old, new) == [
        "cpu: one before, two now",
        "Python: 3.11.2 before, 3.13.1 now",
        "another machine: compare the ratios, not the figures",
    ]


@pytest.mark.parametrize(("each_s", "is_too_long"), [(880.0, False), (910.0, True)])
def test_a_run_says_how_long_it_took_and_whether_that_was_too_long(each_s: float, is_too_long: bool) -> None:
    console = Console(record=True, width=100)

    show_times(console, {name: {"results": [], "error": "", "duration_s": each_s} for name in ("one", "two")})

    said = console.export_text()
    assert f"{2 * each_s / 60:.1f} min" in said
    assert ("More than the 30 minutes" in said) is is_too_long
