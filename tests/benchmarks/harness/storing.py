"""The last result of each benchmark, in a file that is part of the repository."""

import json
from pathlib import Path
from typing import Any

from benchmarks.result import Result

LATEST = Path(__file__).parents[1] / "results" / "latest.json"

Entry = dict[str, Any]
"""One benchmark's: results (or an error), duration_s, load, and the surroundings that it was measured in."""


def read_entries(path: Path = LATEST) -> dict[str, Entry]:
    """Return the stored entries by benchmark; none when nothing was stored yet."""
    if not path.exists():
        return {}
    entries: dict[str, Entry] = json.loads(path.read_text(encoding="utf-8"))["benchmarks"]
    return entries


def store_entries(entries: dict[str, Entry], path: Path = LATEST) -> None:
    """Put *entries* in place of those of the same benchmarks; the others stay as they are."""
    merged = {**read_entries(path), **entries}
    path.parent.mkdir(exist_ok=True)
    text = json.dumps({"benchmarks": dict(sorted(merged.items()))}, indent=1, ensure_ascii=False)
    beside = path.with_suffix(".new")
    beside.write_text(text + "\n", encoding="utf-8")
    beside.replace(path)


def results_of(entry: Entry) -> list[Result]:
    """Return what the benchmark found; nothing when it failed."""
    return [Result.from_json(stored) for stored in entry["results"]]


def failures_of(entry: Entry) -> dict[str, str]:
    """Return what could not be measured, and why."""
    found = {"the whole benchmark": entry["error"]} if entry["error"] else {}
    for result in results_of(entry):
        found |= {f"{result.title}: {name}": why for name, why in result.failures.items()}
    return found
