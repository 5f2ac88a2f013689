"""Loops read rows by place; the places are those of the names."""

from e2edebug_exporters import step_places
from e2edebug_exporters.rows import STEP_COLUMNS, SharedColumns, StepRow

from .rows_by_hand import step


def test_each_place_is_that_of_its_name() -> None:
    places = {name.lower(): place for name, place in vars(step_places).items() if name.isupper()}

    assert places
    assert places == {
        name: (StepRow if name in StepRow._fields else SharedColumns)._fields.index(name) for name in places
    }


def test_a_row_has_every_column_once_by_name_and_in_order() -> None:
    row = step(status_message="why", parent_span_id="p")

    assert row.columns == dict(zip(STEP_COLUMNS, row.values, strict=True))
    assert len(set(STEP_COLUMNS)) == len(STEP_COLUMNS)
    assert {name: getattr(row, name) for name in STEP_COLUMNS} == row.columns
    assert StepRow.of(row.columns) == row
