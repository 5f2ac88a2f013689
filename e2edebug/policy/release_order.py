"""Which of two releases of a service is the later one, as far as their names tell."""

import re
from typing import Final


def is_later_release(release: str | None, *, than: str | None) -> bool:
    """Return whether *release* came after *than*.

    Versions (`1.10.2`, `v2`, `2026.11.25`, `1.4.0-rc1`) are compared number by number. Names that say nothing about
    their order, such as commit hashes, count as later unless they are equal. So does a release that is not known.
    """
    if release is None or than is None:
        return True
    if release == than:
        return False
    one, other = _version(release), _version(than)
    return True if one is None or other is None else one > other


def _version(release: str) -> tuple[tuple[int, ...], str, int] | None:
    match = _VERSION.fullmatch(release.strip())
    if match is None:
        return None
    numbers = [int(number) for number in re.split(r"[.-]", match["numbers"])]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    stage = (match["stage"] or "").lower()
    return tuple(numbers), _STAGES.get(stage, stage), int(match["number"] or 0)


_STAGES: Final = {"": "~", "alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc", "dev": " "}
"""In the order of PEP 440 as text: dev, a, b, rc, and then the release itself."""
_VERSION: Final = re.compile(
    r"(?:v|release[-/])?(?P<numbers>\d{1,12}(?:\.\d{1,12}){0,5}|\d{4}-\d{2}-\d{2})"
    r"(?:[-._]?(?P<stage>alpha|beta|preview|pre|dev|rc|a|b|c)[-._]?(?P<number>\d{1,9})?)?(?:\+[\w.-]*)?",
    re.IGNORECASE,
)
