"""The command `e2edebug`: reads the store on a terminal, migrates it, and starts programs with capture switched on."""

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line in *argv* (default: the process's own arguments) and return its exit code."""
    from e2edebug.cli.command_line import main as run_command_line

    return run_command_line(argv)
