"""What an operator has set: the rows of `debugging_configuration`."""

import json
from typing import Any

from sqlalchemy import select

from e2edebug.policy.runtime_configuration import ConfigurationRow
from e2edebug_schema.queries.reading import Source, reading
from e2edebug_schema.tables import configuration


def configuration_rows(source: Source) -> list[ConfigurationRow]:
    """Return every row, oldest first, so that a later one wins."""
    columns = configuration.c
    query = select(columns.name, columns.config_type, columns.enabled, columns.config_data).order_by(columns.id)
    with reading(source) as connection:
        return [
            ConfigurationRow(name, config_type, bool(enabled), _document(text))
            for name, config_type, enabled, text in connection.execute(query)
        ]


def _document(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text
