"""Writes docs/performance.md, its chart and the README's figures from the stored results, and nothing by hand."""

from typing import Any

from benchmarks.harness.growth_chart import draw_growth
from benchmarks.harness.listing import benchmark_names
from benchmarks.harness.storing import Entry, failures_of, read_entries, results_of
from benchmarks.harness.surroundings import ROOT
from benchmarks.harness.wording import TARGET_HEADINGS, amount, case_rows, headings, number, target_row
from benchmarks.result import Result

DOCUMENT = ROOT / "docs" / "performance.md"
CHART = ROOT / "docs" / "performance-growth.svg"
README = ROOT / "README.md"
BEGIN, END = "<!-- performance -->", "<!-- /performance -->"

FIRST = (
    "request_overhead", "foreground_load", "exporter_thread", "write_rate", "sqlite", "store_growth",
    "decorated_function", "import_time",
)  # fmt: skip
"""What readers ask for first, and the README is about; the others follow by name."""

INTRODUCTION = """\
# What it costs

Every figure on this page was measured by `make bench` and written by `python -m benchmarks document` from
`tests/benchmarks/results/latest.json`; none is typed. What others add was measured in the same run, on the same
machine, because only that compares: **read the ratios, not the microseconds**, which are those of one machine.

## How it is measured

- Cases alternate within a run, round after round, so that whatever else the machine does meets all of them alike. A
  figure is the **median** of its rounds, with the quartiles behind it: half of all rounds lie between these two.
- *CPU time* is what the process spent computing, its background threads included: what is missing for other requests.
  *Wall time* is how long somebody waited.
- *Instructions* are counted by valgrind's callgrind: the same from run to run, whatever else the machine does, so they
  show what time cannot; but an instruction is no unit of time.
- A *goal* is what we set ourselves. One that is not reached says so here.
- A benchmark or a peer that could not be measured is listed as failed.

## How to repeat it

```console
$ make bench                                   # all, half an hour at most on two cores; installs the peers into .venv-bench
$ make bench ARGS="request_overhead --quick"   # one of them, as a try of seconds, which is not kept
$ make bench-compare ARGS="write_rate"         # measures again and compares with what was kept
$ make bench-document                          # writes this page anew
```

Each benchmark is a module in `tests/benchmarks`, and another peer is one more file in its folder of `cases` or `peers`,
which is found by being there.
"""


def write_documents() -> int:
    """Write all of it."""
    entries = read_entries()
    DOCUMENT.write_text(document(entries), encoding="utf-8")
    chart = growth_chart(entries)
    if chart is None:
        CHART.unlink(missing_ok=True)
    else:
        CHART.write_text(chart, encoding="utf-8")
    README.write_text(readme_with(entries, README.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


def document(entries: dict[str, Entry]) -> str:
    """Return docs/performance.md."""
    parts = [INTRODUCTION, _goals(entries)]
    parts += [_section(name, entries[name]) for name in in_reading_order(entries)]
    parts.append(_unmeasured(entries))
    parts.append(_times(entries))
    parts.append(_surroundings(entries))
    return "\n".join(part for part in parts if part)


def growth_chart(entries: dict[str, Entry]) -> str | None:
    """Return the chart of how reading and writing change as the store grows; None while that was not measured."""
    for entry in entries.values():
        for result in results_of(entry):
            rows = result.tables.get("Growth")
            if rows:
                return draw_growth(rows)
    return None


def readme_with(entries: dict[str, Entry], text: str) -> str:
    """Return the README with its figures in place of those between the markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md has no {BEGIN} … {END}")
    rows = [target_row(result.targets[0]) for name, result in _all_results(entries) if result.targets and name in FIRST]
    return f"{before}{BEGIN}\n{_table(TARGET_HEADINGS, rows)}{END}{after}"


def in_reading_order(entries: dict[str, Entry]) -> list[str]:
    """Return the names of the benchmarks, those that readers ask for first at the front."""
    return sorted(entries, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))


def _all_results(entries: dict[str, Entry]) -> list[tuple[str, Result]]:
    return [(name, result) for name in in_reading_order(entries) for result in results_of(entries[name])]


def _goals(entries: dict[str, Entry]) -> str:
    rows = [target_row(target) for _, result in _all_results(entries) for target in result.targets]
    return f"## The goals\n\n{_table(TARGET_HEADINGS, rows)}" if rows else ""


def _section(name: str, entry: Entry) -> str:
    parts = []
    for result in results_of(entry):
        parts.append(f"## {result.title}\n\n{result.explanation.strip()}\n")
        if result.cases or result.failures:
            parts.append(_table(["", *headings(result)], case_rows(result)))
        for title, rows in result.tables.items():
            parts.append(_further_table(title, rows))
    failures = failures_of(entry)
    if failures:
        parts.append(f"Failed in `{name}`:\n")
        parts.append("".join(f"- {what}: {_one_line(why)}\n" for what, why in failures.items()))
    parts.append(f"`make bench ARGS={name}`, commit `{entry['commit']}`, {entry['date'][:10]}.\n")
    return "\n".join(parts)


def _unmeasured(entries: dict[str, Entry]) -> str:
    names = [name for name in benchmark_names() if name not in entries]
    if not names:
        return ""
    return "## Not measured yet\n\n" + "".join(f"- `make bench ARGS={name}`\n" for name in names)


def _further_table(title: str, rows: list[dict[str, Any]]) -> str:
    if title == "Growth":
        return f"### {title}\n\n![{title}]({CHART.name})\n\n{_growth_table(rows)}"
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = _table(columns, [[_cell(row.get(column, "")) for column in columns] for row in rows])
    return f"### {title}\n\n{table}"


def _growth_table(rows: list[dict[str, Any]]) -> str:
    """Return a column for each size: there are more measures than sizes."""
    measures = [key for key in rows[0] if key != "rows"]
    cells = [[measure, *(_cell(row.get(measure, "")) for row in rows)] for measure in measures]
    return _table(["", *(f"{row['rows']:,} steps" for row in rows)], cells)


def _cell(value: Any) -> str:
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _times(entries: dict[str, Entry]) -> str:
    rows = [
        [
            f"`{name}`",
            amount(entries[name]["duration_s"], "s"),
            f"{entries[name]['load']['start']} … {entries[name]['load']['end']}",
            f"{entries[name]['date'][:10]}, `{entries[name]['commit']}`",
        ]
        for name in in_reading_order(entries)
    ]
    total = sum(entry["duration_s"] for entry in entries.values())
    return (
        "## How long each took\n\nThe load is that of the whole machine in the minute before and at the end; a benchmark"
        " alone makes one or two.\n\n"
        + _table(["", "took", "load", "measured"], [*rows, ["all", amount(total, "s"), "", ""]])
    )


def _surroundings(entries: dict[str, Entry]) -> str:
    """Say on what it was measured, once where all entries agree."""
    groups: dict[str, list[str]] = {}
    for name in in_reading_order(entries):
        groups.setdefault(_where(entries[name]), []).append(name)
    if not groups:
        return ""
    parts = ["## Where\n"]
    for where, names in groups.items():
        which = "" if len(groups) == 1 else ", ".join(f"`{name}`" for name in names) + ": "
        parts.append(which + where + "\n")
    return "\n".join(parts)


def _where(entry: Entry) -> str:
    machine = entry["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in entry["versions"].items())
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {amount(machine['memory_bytes'], 'By')}, {machine['system']}."
        f" {packages}."
    )


def _table(columns: list[str], rows: list[list[str]]) -> str:
    rule = ["---", *["---:"] * (len(columns) - 1)]
    lines = [columns, rule, *([_one_line(cell).replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _one_line(text: str) -> str:
    return " ".join(text.split())
