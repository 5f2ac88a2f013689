"""The option that every command on the store takes."""

import argparse


def add_database_option(parser: argparse.ArgumentParser) -> None:
    """Add `--database URL`."""
    parser.add_argument(
        "--database", metavar="URL", help="the store, instead of the one that the settings name (see e2edebug config)"
    )
