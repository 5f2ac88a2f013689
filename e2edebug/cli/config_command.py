"""`e2edebug config`: the settings in force, where each came from, and the store that follows from them."""

import argparse
import json
from collections.abc import Iterator
from typing import Any

from e2edebug.cli.database_option import add_database_option
from e2edebug.cli.exit_codes import ExitCode
from e2edebug.cli.store import settings_of
from e2edebug.cli.terminal import Line, Piece, Terminal, inert, padded, wrapped
from e2edebug.policy.config import DEFAULT, SETTINGS, Config
from e2edebug.runtime.django_project import with_project_name
from e2edebug.runtime.store_choice import choose_store_url


def add_to(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "config",
        help="show the settings in force and where each came from",
        description="Show the settings in force and where each came from; passwords are masked.",
    )
    add_database_option(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Print the settings."""
    config = with_project_name(settings_of(arguments.database, of_project=True))
    described = choose_store_url(config).described_as
    terminal = Terminal()
    if arguments.json:
        terminal.say(json.dumps(_as_json(config, described), indent=2))
    else:
        terminal.show(config_lines(config, described, width=terminal.width))
    return ExitCode.OK


def config_lines(config: Config, store: str, *, width: int) -> Iterator[Line]:
    """Yield the settings as lines: those that were set stand out, defaults are quiet."""
    masked = config.masked()
    names = max(len(setting.variable) for setting in SETTINGS) + 2
    values = {setting.field: inert(written(masked[setting.field])) for setting in SETTINGS}
    column = min(max(len(value) for value in values.values()) + 2, max(width - names - 16, 16))
    yield [Piece("store  ", "quiet"), Piece(inert(store), "title")]
    yield []
    for setting in SETTINGS:
        source = config.sources.get(setting.field, DEFAULT)
        style = "quiet" if source == DEFAULT else ""
        parts = list(wrapped(values[setting.field], column - 2)) or ["-"]
        yield [
            Piece(padded(setting.variable, names), style),
            Piece(padded(parts[0], column), style),
            Piece(source, "quiet" if source == DEFAULT else "completed"),
        ]
        for part in parts[1:]:
            yield [Piece(" " * names), Piece(part, style)]
    for warning in config.warnings:
        yield []
        yield [Piece(f"warning: {inert(warning)}", "timeout")]


def written(value: object) -> str:
    """A value as one writes it into the environment; '' where nothing is set."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return format(value, "g")
    if isinstance(value, tuple):
        separator = "; " if any("=" in str(entry) for entry in value) else ","
        return separator.join(str(entry) for entry in value)
    return str(value)


def _as_json(config: Config, store: str) -> dict[str, object]:
    masked = config.masked()
    return {
        "store": store,
        "settings": [
            {
                "variable": setting.variable,
                "field": setting.field,
                "value": masked[setting.field],
                "source": config.sources.get(setting.field, DEFAULT),
                "default": setting.default,
                "type": setting.type,
                "unit": setting.unit,
            }
            for setting in SETTINGS
        ],
        "warnings": list(config.warnings),
    }
