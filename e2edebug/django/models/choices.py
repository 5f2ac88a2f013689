"""The closed sets of the store as Django's choices."""

from collections.abc import Iterable


def choices_of(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return value and label of each of *names*: `in_progress` is shown as `In progress`."""
    return [(name, name.replace("_", " ").capitalize()) for name in names]
