"""The public names of e2edebug, bound when they are first used."""

TITLE = "`import e2edebug`"
WHO = "ours"
WHERE = ("alone",)


def switch_on() -> None:
    import e2edebug  # noqa: F401 - what is measured
