"""docs/performance.md, its chart and the README's figures are what the stored results generate, and nothing else."""

from benchmarks.harness import document
from benchmarks.harness.storing import read_entries

REMEDY = "not what the stored results generate: `make bench-document` writes it"


def test_the_page_is_generated_from_the_stored_results() -> None:
    assert document.DOCUMENT.read_text(encoding="utf-8") == document.document(read_entries()), REMEDY


def test_the_chart_is_generated_from_the_stored_results() -> None:
    chart = document.growth_chart(read_entries())

    assert (document.CHART.read_text(encoding="utf-8") if document.CHART.exists() else None) == chart, REMEDY


def test_the_figures_of_the_readme_are_generated_from_the_stored_results() -> None:
    text = document.README.read_text(encoding="utf-8")

    assert text == document.readme_with(read_entries(), text), REMEDY
