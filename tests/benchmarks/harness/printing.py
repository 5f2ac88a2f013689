"""What a run says on the terminal."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.harness.storing import Entry, failures_of, results_of
from benchmarks.harness.wording import TARGET_HEADINGS, amount, case_rows, headings, number, target_row
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

MOST_S = 1800
"""For all benchmarks together: longer, and nobody runs them before a change."""


def terminal() -> Console:
    """Return where to print: with lines and colours on a terminal, plain and never cut elsewhere."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=240, no_color=True)


def show_entry(console: Console, name: str, entry: Entry) -> None:
    """Print all that a benchmark found."""
    for result in results_of(entry):
        _table(console, result.title, ["", *headings(result)], case_rows(result))
        for title, rows in result.tables.items():
            columns = list(dict.fromkeys(key for row in rows for key in row))
            _table(console, title, columns, [[_cell(row.get(column, "")) for column in columns] for row in rows])
        if result.targets:
            _table(console, "Goals", TARGET_HEADINGS, [target_row(target) for target in result.targets])
    for what, why in failures_of(entry).items():
        console.print(f"[red]FAILED[/red] {escape(f'{name}, {what}: {why}')}")


def show_times(console: Console, entries: dict[str, Entry]) -> None:
    """Print how long each took, and all together, with a word if that is more than a run may take."""
    rows = [
        [name, amount(entry["duration_s"], "s"), "failed" if failures_of(entry) else ""]
        for name, entry in entries.items()
    ]
    total_s = sum(entry["duration_s"] for entry in entries.values())
    rows.append(["all", f"{total_s / 60:.1f} min" if total_s >= 60 else amount(total_s, "s"), ""])
    _table(console, "Time taken", ["benchmark", "", ""], rows)
    if total_s > MOST_S:
        console.print(f"More than the {MOST_S / 60:.0f} minutes that all of them may take on two cores.")


def show_rows(console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table."""
    _table(console, title, columns, rows)


def _table(console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    plain = not console.is_terminal
    table = Table(title=escape(title), title_justify="left", title_style="bold", box=None if plain else box.SIMPLE_HEAD)
    for position, column in enumerate(columns):
        table.add_column(escape(column), justify="left" if position == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(_text(cell) for cell in row))
    console.print(table)
    console.print()


def _text(cell: str) -> Text:
    strong = cell.startswith("**") and cell.endswith("**")
    return Text(cell.strip("*") if strong else cell, style="bold" if strong else "")


def _cell(value: Any) -> str:
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
