"""Nothing is imported: the base of all others."""

TITLE = "Python alone"
WHO = "base"
WHERE = ("alone", "project")


def switch_on() -> None:
    """Import nothing."""
