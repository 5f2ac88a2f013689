"""Loops read rows by place; the places are those of the names."""

from e2edebug_exporters import step_places
from e2edebug_exporters.rows import StepRow


def test_each_place_is_that_of_its_name() -> None:
    places = {name.lower(): place for name, place in vars(step_places).items() if name.isupper()}

    assert places
    assert places == {name: StepRow._fields.index(name) for name in places}
