"""What is new in one set of results against another.

Absolute figures compare only on the same machine with the same versions. Ratios of ours to a peer, measured in one run,
compare better: what the machine does meets both. So both are shown, and it is said what differs.
"""

from collections.abc import Iterator

from benchmarks.harness.printing import show_rows
from benchmarks.harness.storing import Entry, failures_of, results_of
from benchmarks.harness.wording import figure, headings, number
from benchmarks.result import Case, Figure, Result
from rich.console import Console
from rich.markup import escape


def show_comparison(console: Console, old: dict[str, Entry], new: dict[str, Entry]) -> None:
    """Print, for each benchmark, what differs in where it was measured, then its figures and its ratios."""
    for name in sorted({*old, *new}):
        if name not in new:
            console.print(f"{name}: was measured before, and is not in the new results")
            continue
        if name not in old:
            console.print(f"{name}: nothing was kept to compare with")
            continue
        console.print(f"[bold]{name}[/bold]: {old[name]['commit']} ({old[name]['date']}) against {new[name]['commit']}")
        for line in differing_surroundings(old[name], new[name]):
            console.print(f"  [yellow]not the same[/yellow]: {escape(line)}")
        for which, entry in (("before", old[name]), ("now", new[name])):
            for what, why in failures_of(entry).items():
                console.print(f"  [red]failed {which}[/red]: {escape(f'{what}: {why}')}")
        before = {result.name + result.title: result for result in results_of(old[name])}
        for result in results_of(new[name]):
            kept = before.get(result.name + result.title)
            if kept is None:
                console.print(f"  {escape(result.title)}: nothing was kept to compare with")
                continue
            show_rows(
                console, result.title, ["case", "figure", "before", "now", "ratio", ""], figure_rows(kept, result)
            )
            ratios = list(ratio_rows(kept, result))
            if ratios:
                show_rows(console, "Ours to the peers", ["ours", "peer", "figure", "before", "now", "ratio"], ratios)


def differing_surroundings(old: Entry, new: Entry) -> list[str]:
    """Return in what two entries' surroundings differ, in words."""
    lines = [
        f"{key}: {old['machine'].get(key)} before, {new['machine'].get(key)} now"
        for key in ("cpu", "cores", "memory_bytes", "architecture")
        if old["machine"].get(key) != new["machine"].get(key)
    ]
    lines += [
        f"{package}: {old['versions'].get(package, 'absent')} before, {new['versions'].get(package, 'absent')} now"
        for package in sorted({*old["versions"], *new["versions"]})
        if old["versions"].get(package) != new["versions"].get(package)
    ]
    if old["is_quick"] != new["is_quick"]:
        lines.append("one of the two is a quick try")
    if lines and old["machine"] != new["machine"]:
        lines.append("another machine: compare the ratios, not the figures")
    return lines


def figure_rows(old: Result, new: Result) -> Iterator[list[str]]:
    """Return each figure that both have: old, new, their ratio, and whether the difference is more than noise."""
    before = {case.name: case for case in old.cases}
    for case in new.cases:
        if case.name not in before:
            yield [case.name, "", "not measured before", "", "", ""]
            continue
        for heading, now in case.figures.items():
            kept = before[case.name].figures.get(heading)
            if kept is not None:
                yield [
                    case.name,
                    heading,
                    figure(kept),
                    figure(now),
                    _ratio(now.median, kept.median),
                    verdict(kept, now),
                ]
    gone = {case.name for case in new.cases}
    yield from ([name, "", "", "not measured now", "", ""] for name in before if name not in gone)


def verdict(old: Figure, new: Figure) -> str:
    """Say whether the quartiles of the two overlap: then the difference may be noise."""
    if old.low == old.high and new.low == new.high:  # a count, or a figure taken once: no range to judge by
        return "the same" if old.median == new.median else "differs"
    overlap = new.low <= old.high and old.low <= new.high
    return "noise" if overlap else "more" if new.median > old.median else "less"


def ratio_rows(old: Result, new: Result) -> Iterator[list[str]]:
    """Return ours divided by each peer, before and now."""
    before = {case.name: case for case in old.cases}
    for ours in (case for case in new.cases if case.who == "ours"):
        for peer in (case for case in new.cases if case.who == "peer"):
            if ours.name not in before or peer.name not in before:
                continue
            for heading in headings(new):
                now = _share(ours, peer, heading)
                kept = _share(before[ours.name], before[peer.name], heading)
                if now is not None and kept is not None:
                    yield [ours.name, peer.name, heading, number(kept), number(now), _ratio(now, kept)]


def _share(ours: Case, peer: Case, heading: str) -> float | None:
    one, other = ours.figures.get(heading), peer.figures.get(heading)
    return one.median / other.median if one is not None and other is not None and other.median else None


def _ratio(new: float, old: float) -> str:
    return number(new / old) if old else "none"
