"""The one line that says what e2edebug does in this process, or why it does nothing."""

import logging
import sys

_log = logging.getLogger("e2edebug")


def say(text: str, *arguments: object, level: int = logging.INFO) -> None:
    """Log *text*, so that a person sees it whether or not the application has configured logging (yet)."""
    if not any(isinstance(handler, _UntilLoggingIsConfigured) for handler in _log.handlers):
        _log.addHandler(_UntilLoggingIsConfigured())
    if _log.level == logging.NOTSET:
        # The root logger's default is WARNING; this line names the database that is written to, and is said once.
        _log.setLevel(logging.INFO)
    _log.log(level, text, *arguments)


class _UntilLoggingIsConfigured(logging.Handler):
    """Writes to stderr while the root logger has no handler; afterwards the application's own handlers get the line.

    `import e2edebug.auto` usually runs before Django configures logging, and Django's default configuration gives the
    root logger no handler at all.
    """

    def emit(self, record: logging.LogRecord) -> None:
        if logging.root.handlers or sys.stderr is None:
            return
        try:
            sys.stderr.write(f"e2edebug: {record.getMessage()}\n")
            if record.exc_info:
                sys.stderr.write(logging.Formatter().formatException(record.exc_info) + "\n")
        except (OSError, ValueError):
            # A closed or full stderr: there is nobody left to tell.
            return
