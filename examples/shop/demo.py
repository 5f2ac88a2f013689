#!/usr/bin/env python
"""A shop with shoppers and faults, and what e2edebug found in it.

Starts the shop under gunicorn, its worker and its payment provider, sends shoppers, switches faults on, and says in plain
words what the store knows afterwards. Everything that it starts is gone when it ends.
"""

import argparse
import io
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from running_shop import HERE
from terminal import heading


def main() -> int:
    """Run the demo that the command line asks for; 0 when it showed what it promised."""
    arguments = _arguments()
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _end_in_order)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a pipe, `| tee` say, shows each line when it is said
    heading("e2edebug demo: a shop, its shoppers, and its faults")
    try:
        # Only now: from a cold disk SQLAlchemy and what needs it take a second or more to load.
        from demonstration import FAILURES, demonstrate

        try:
            demonstrate(
                database_url=arguments.database_url,
                folder=arguments.work_folder.resolve(),
                seconds=arguments.seconds,
                keep_open=not arguments.once,
            )
        except FAILURES as failure:
            print(f"\nThe demo failed: {failure}", file=sys.stderr)
            return 1
    except KeyboardInterrupt:
        print("\nStopped; nothing is left running.")
        return 0 if not arguments.once else 130
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--once", action="store_true", help="end after the findings instead of running until Ctrl-C")
    parser.add_argument("--seconds", type=float, default=40.0, help="how long shoppers come (default: 40)")
    parser.add_argument(
        "--database-url",
        default=os.environ.get("DATABASE_URL"),
        help="mysql+pymysql://user:password@host:3306/database for shop and telemetry (default: SQLite files)",
    )
    parser.add_argument("--work-folder", type=Path, default=HERE / ".demo", help="where files and logs go")
    arguments = parser.parse_args()
    if arguments.seconds < 4:
        parser.error("--seconds must be 4 or more: five chapters do not fit into less")
    return arguments


def _end_in_order(number: int, frame: FrameType | None) -> None:
    # A second Ctrl-C while the processes are being ended would leave some of them behind.
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
