"""docs/performance.md, its chart and the README's figures are what the stored results generate, and nothing else."""

from typing import Any

from benchmarks.harness import document
from benchmarks.harness.storing import read_entries
from benchmarks.result import Case, Figure, Result, Target

REMEDY = "not what the stored results generate: `make bench-document` writes it"


def test_the_page_is_generated_from_the_stored_results() -> None:
    assert document.DOCUMENT.read_text(encoding="utf-8") == document.document(read_entries()), REMEDY


def test_the_chart_is_generated_from_the_stored_results() -> None:
    chart = document.growth_chart(read_entries())

    assert (document.CHART.read_text(encoding="utf-8") if document.CHART.exists() else None) == chart, REMEDY


def test_the_figures_of_the_readme_are_generated_from_the_stored_results() -> None:
    text = document.README.read_text(encoding="utf-8")

    assert text == document.readme_with(read_entries(), text), REMEDY


def entry(result: Result, **changes: Any) -> dict[str, Any]:
    whole = {
        "results": [result.as_json()], "error": "", "is_quick": False, "duration_s": 1.0, "load": {"start": 0.0, "end": 1.0},
        "commit": "abc", "date": "2026-11-28T12:00:00+00:00",
        "machine": {"cpu": "one", "cores": 2, "memory_bytes": 2**30, "system": "Linux"}, "versions": {"Python": "3.11.2"},
    }  # fmt: skip
    return {**whole, **changes}


WRITING = Result(
    "write_rate", "Writing", "How fast it writes.",
    [Case("e2edebug", "ours", {"rate": Figure(5, 4, 6, "rows/s")}), Case("a peer", "peer", {"rate": Figure(9, 9, 9, "rows/s")})],
    [Target("of the peer", 0.55, 0.75, is_upper=False)],
    {"Growth": [{"rows": 10_000, "read, ms": 1.5}, {"rows": 1_000_000, "read, ms": 2.5}]},
    {"another peer": "ModuleNotFoundError: No module named 'another'"},
)  # fmt: skip


def test_the_page_has_every_figure_the_goal_that_is_not_reached_and_the_peer_that_failed() -> None:
    page = document.document({"write_rate": entry(WRITING)})

    assert "| **e2edebug** | 5 rows/s (4…6) |" in page
    assert "| of the peer | 0.55 | at least 0.75 | **no** |" in page
    assert "- Writing: another peer: ModuleNotFoundError" in page
    assert "|  | 10,000 steps | 1,000,000 steps |" in page
    assert "one, 2 cores, 1 GiB, Linux. Python 3.11.2." in page


def test_a_benchmark_that_failed_whole_is_on_the_page() -> None:
    page = document.document({"write_rate": entry(WRITING, results=[], error="NoServer: no MariaDB")})

    assert "Failed in `write_rate`:\n\n- the whole benchmark: NoServer: no MariaDB" in page


def test_the_readme_has_the_first_goal_of_what_readers_ask_for() -> None:
    entries = {"write_rate": entry(WRITING), "another": entry(WRITING)}

    text = document.readme_with(entries, "a <!-- performance -->old<!-- /performance --> b")

    assert text.count("of the peer") == 1
    assert "old" not in text
    assert text.endswith(" b")
