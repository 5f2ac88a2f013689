"""How figures and targets are written, on the terminal and in the documentation alike."""

import math

from benchmarks.result import Case, Figure, Result, Target

_BYTES = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


def number(value: float) -> str:
    """Return *value* with three significant digits, thousands apart."""
    if math.isnan(value):
        return "none"
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.1e}"


def amount(value: float, unit: str) -> str:
    """Return *value* with its unit, in the words of a reader: `By` becomes KiB or MiB."""
    if unit == "By":
        for name, size in _BYTES:
            if abs(value) >= size:
                return f"{number(value / size)} {name}"
        return f"{number(value)} B"
    return f"{number(value)} {_UNITS.get(unit, unit)}".strip()


_UNITS = {"us": "µs", "1": ""}


def figure(found: Figure | None) -> str:
    """Return a figure as its median and its quartiles."""
    if found is None:
        return ""
    if found.low == found.high:
        return amount(found.median, found.unit)
    low, high = (amount(value, found.unit).removesuffix(_UNITS.get(found.unit, found.unit)).strip()
                 for value in (found.low, found.high))  # fmt: skip
    return f"{amount(found.median, found.unit)} ({low}…{high})"


def headings(result: Result) -> list[str]:
    """Return the columns of a result, in the order in which its cases name them."""
    found: dict[str, None] = {}
    for case in result.cases:
        found |= dict.fromkeys(case.figures)
    return list(found)


def case_rows(result: Result) -> list[list[str]]:
    """Return the rows of a result's table, the case's name first."""
    columns = headings(result)
    rows = [[_case_name(case), *(figure(case.figures.get(column)) for column in columns)] for case in result.cases]
    rows += [
        [name, "failed: " + why.splitlines()[0], *[""] * (len(columns) - 1)] for name, why in result.failures.items()
    ]
    return rows


def _case_name(case: Case) -> str:
    return f"**{case.name}**" if case.who == "ours" else case.name


def target_row(target: Target) -> list[str]:
    """Return claim, value, bound, and whether it holds."""
    bound = f"{'at most' if target.is_upper else 'at least'} {amount(target.bound, target.unit)}"
    return [target.claim, amount(target.value, target.unit), bound, "yes" if target.is_held else "**no**"]


TARGET_HEADINGS = ["what", "measured", "goal", "reached"]
