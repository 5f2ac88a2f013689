"""e2edebug switched on, with a SQLite file of its own as the store."""

TITLE = "`import e2edebug.auto`"
WHO = "ours"
WHERE = ("alone", "project")


def switch_on() -> None:
    import e2edebug.auto  # noqa: F401 - what is measured
