"""Runs the benchmarks, compares them with the kept ones, and writes the documentation of what was found.

python -m benchmarks [NAME …] [--quick]            # measure all or some, and keep what was found
python -m benchmarks compare [NAME …] [--with FILE]  # measure, and say what is new against what was kept
python -m benchmarks document                      # write docs/performance.md, its chart, and the README's figures
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness.listing import benchmark_names
from benchmarks.harness.printing import show_entry, show_times, terminal
from benchmarks.harness.running import run_benchmark
from benchmarks.harness.storing import LATEST, Entry, failures_of, read_entries, store_entries
from rich.console import Console


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; 0 when all of it could be measured."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["document"]:
        from benchmarks.harness.document import write_documents

        return write_documents()
    is_comparison = words[:1] == ["compare"]
    given = _parser(is_comparison).parse_args(words[1:] if is_comparison else words)
    if getattr(given, "list", False):
        print("\n".join(benchmark_names()))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    console = terminal()
    if is_comparison:
        from benchmarks.harness.comparing import show_comparison

        old = read_entries(given.against)
        if given.names:
            old = {name: entry for name, entry in old.items() if name in given.names}
        new = read_entries(given.file) if given.file else _measure(console, given)
        show_comparison(console, old, new)
        return 1 if any(failures_of(entry) for entry in new.values()) else 0
    return 1 if any(failures_of(entry) for entry in _measure(console, given).values()) else 0


def _parser(is_comparison: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which ones; all when none is named")
    parser.add_argument("--quick", action="store_true", help="a try of seconds, whose figures are not kept")
    parser.add_argument("--limit-s", type=float, default=1200, help="how long one may take")
    parser.add_argument("--output", type=Path, help=f"where to keep what was found instead of {LATEST.name}")
    if is_comparison:
        parser.add_argument("--with", dest="file", type=Path, help="a file of results instead of a new run")
        parser.add_argument(
            "--against", type=Path, default=LATEST, help="what to compare with instead of what was kept"
        )
    else:
        parser.add_argument("--list", action="store_true", help="print the names of the benchmarks")
    parser.set_defaults(is_comparison=is_comparison)
    return parser


def _measure(console: Console, given: argparse.Namespace) -> dict[str, Entry]:
    """Run what was asked for and return it; stored after each one, so that an end in between loses nothing."""
    known = benchmark_names()
    unknown = [name for name in given.names if name not in known]
    if unknown:
        sys.exit(f"There is no benchmark {', '.join(unknown)}. There are: {', '.join(known)}")
    output: Path | None = given.output
    if output is None and not given.quick and not given.is_comparison:
        output = LATEST
    entries: dict[str, Entry] = {}
    for name in given.names or known:
        console.print(f"{name} …")
        entries[name] = run_benchmark(name, quick=given.quick, limit_s=given.limit_s)
        show_entry(console, name, entries[name])
        if output is not None:
            store_entries({name: entries[name]}, output)
    show_times(console, entries)
    if output is None:
        console.print("Nothing of this was kept.")
    return entries


if __name__ == "__main__":
    sys.exit(main())
