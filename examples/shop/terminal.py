"""What the demo's lines have in common: headings, names as a reader would type them, numbers with their noun.

Standard library alone: the first heading is on the screen before anything slow is imported.
"""

import sys
from pathlib import Path


def heading(text: str) -> None:
    """Print a heading after an empty line, in bold on a terminal."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def short(path: Path) -> str:
    """Return *path* as it is typed in the current directory: relative when it lies below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def counted(number: int, noun: str) -> str:
    """Return `1 request` or `1,200 requests`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
