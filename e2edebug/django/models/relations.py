"""Relations by what two rows have in common, without a foreign key in the database.

A ForeignKey by correlation id beside the column of that name is models.E007, and alone it joins so that steps are lost
whose session has not arrived. A nullable ForeignObject has no column of its own and joins outwards.
"""

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:  # generic in the stubs, not at run time
    _ForeignObject = models.ForeignObject[Any, Any]
else:
    _ForeignObject = models.ForeignObject


class SessionRelation(_ForeignObject):
    """From a row's correlation id to the session that has it; None until that session has arrived."""

    def __init__(self, *, related_name: str, column: str = "correlation_id") -> None:
        self.column_of_ours = column
        super().__init__(
            "debugging.WorkflowSession",
            on_delete=models.DO_NOTHING,
            from_fields=[column],
            to_fields=["correlation_id"],
            null=True,
            related_name=related_name,
        )
        self.editable = False

    def deconstruct(self) -> Any:
        """Return how a migration makes it again."""
        name, path, _arguments, _keywords = super().deconstruct()
        return name, path, [], {"related_name": self.remote_field.related_name, "column": self.column_of_ours}
