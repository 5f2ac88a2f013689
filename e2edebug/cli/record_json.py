"""Stored records as JSON: fields by their names, times in ISO 8601 and UTC."""

import json
from dataclasses import fields
from datetime import datetime
from typing import Any


def as_json(record: Any) -> dict[str, Any]:
    """Return the fields of *record*, a dataclass of e2edebug_schema.queries."""
    return {field.name: getattr(record, field.name) for field in fields(record)}


def to_text(document: object) -> str:
    """Return *document* as indented JSON. Characters beyond ASCII are escaped: no terminal obeys them."""
    return json.dumps(document, indent=2, default=_encoded)


def _encoded(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
