"""Model fields over the columns of the store, whose times are UTC and whose JSON is text on every dialect."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

if TYPE_CHECKING:  # generic in the stubs, not at run time
    _DateTimeField = models.DateTimeField[Any, Any]
    _TextField = models.TextField[Any, Any]
else:
    _DateTimeField = models.DateTimeField
    _TextField = models.TextField


class UtcDateTimeField(_DateTimeField):
    """A moment that is stored in UTC, whatever USE_TZ, TIME_ZONE and the zone of the database alias say.

    In Python it is what Django promises: aware with USE_TZ, else naive in the project's time zone.
    """

    def from_db_value(self, value: datetime | None, _expression: Any, _connection: BaseDatabaseWrapper) -> Any:
        """Return the stored moment. Django may have labelled it with the alias's zone: what is stored is UTC."""
        if value is None:
            return None
        moment = value.replace(tzinfo=UTC)
        return moment if settings.USE_TZ else timezone.make_naive(moment, timezone.get_default_timezone())

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        """Return text of one length: SQLite compares times as text, and Django leaves `.000000` out."""
        if not prepared:
            value = self.get_prep_value(value)
        if not isinstance(value, datetime):  # None and expressions
            return super().get_db_prep_value(value, connection, prepared=True)
        if timezone.is_naive(value):
            value = timezone.make_aware(value, timezone.get_default_timezone())
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


class JsonTextField(_TextField):
    """A JSON document in a text column: a Python value in code, and text to the database.

    Not Django's JSONField, which needs the JSON type on MySQL. Text that is no JSON is handed out as it is, because a
    row that cannot be read must not take the page down.
    """

    def from_db_value(self, value: str | None, _expression: Any, _connection: BaseDatabaseWrapper) -> Any:
        """Return the document."""
        if value is None:
            return None
        try:
            return json.loads(value)
        except ValueError:
            return value

    def to_python(self, value: Any) -> Any:
        """Return the document as it is; a text field would make a string of it when a form is saved."""
        return value

    def get_prep_value(self, value: Any) -> Any:
        """Return the document as text."""
        if value is None or hasattr(value, "resolve_expression"):
            return value
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)

    def value_to_string(self, obj: models.Model) -> str:
        """Return what `dumpdata` writes."""
        value = self.value_from_object(obj)
        return "" if value is None else str(self.get_prep_value(value))
