"""What tests read of rows of any table."""

from typing import Any

from e2edebug_exporters.rows import ErrorRow, SnapshotRow, StepRow


def columns_of(row: StepRow | ErrorRow | SnapshotRow) -> dict[str, Any]:
    """Return the values of a row by name."""
    return dict(row.columns if isinstance(row, StepRow) else row._asdict())
