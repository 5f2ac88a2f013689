"""What rows of debugging_configuration may hold, and what they say together."""

from typing import Any

import pytest

from e2edebug.policy.configuration_types import (
    CONFIGURATION_TYPES,
    ConfigurationDataError,
    validate_configuration,
)
from e2edebug.policy.runtime_configuration import UNCHANGED, ConfigurationRow, combine


@pytest.mark.parametrize("config_type", CONFIGURATION_TYPES)
def test_the_examples_of_each_type_are_accepted(config_type: str) -> None:
    data = {field.name: field.example for field in CONFIGURATION_TYPES[config_type].fields}

    assert validate_configuration(config_type, data).keys() == data.keys()


@pytest.mark.parametrize("config_type", CONFIGURATION_TYPES)
@pytest.mark.parametrize("empty", [None, {}, "nulls"])
def test_nothing_set_is_nothing_changed(config_type: str, empty: Any) -> None:
    data = dict.fromkeys(field.name for field in CONFIGURATION_TYPES[config_type].fields) if empty == "nulls" else empty

    found, refused = combine([ConfigurationRow("row", config_type, True, data)])

    assert refused == {}
    assert (found.is_tracing, found.sample_ratio, found.workflow_rules, found.redact_keys) == (True, None, (), ())


@pytest.mark.parametrize(
    ("config_type", "data", "problems"),
    [
        ("tracing", {"sample_ratio": 1.5}, {"sample_ratio": "must be a number from 0 to 1"}),
        ("tracing", {"sample_ratio": True}, {"sample_ratio": "must be a number from 0 to 1"}),
        ("tracing", {"sample_rate": 0.5}, {"sample_rate": "tracing has no such field; did you mean sample_ratio?"}),
        ("tracing", [1], {"config_data": "must be an object"}),
        (
            "error_logging",
            {"level": "loud", "retention_days": 0},
            {
                "level": "must be one of debug, info, warning, error, critical",
                "retention_days": "must be a whole number of days from 1 on",
            },
        ),
    ],
)
def test_each_wrong_field_is_named_with_the_accepted_form(
    config_type: str, data: Any, problems: dict[str, str]
) -> None:
    with pytest.raises(ConfigurationDataError) as caught:
        validate_configuration(config_type, data)

    assert caught.value.problems == problems


def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationDataError, match="one of tracing, performance_monitoring"):
        validate_configuration("tracng", {})


def test_a_later_row_wins_and_lists_add_up() -> None:
    found, _ = combine(
        [
            ConfigurationRow("a", "tracing", True, {"sample_ratio": 0.1}),
            ConfigurationRow("b", "tracing", True, {"sample_ratio": 0.5}),
            ConfigurationRow("c", "redaction", True, {"keys": ["one"]}),
            ConfigurationRow("d", "redaction", True, {"keys": ["two"]}),
            ConfigurationRow("e", "redaction", False, {"keys": ["three"]}),
            ConfigurationRow("f", "error_logging", True, {"retention_days": 30}),
        ]
    )

    assert found.sample_ratio == 0.5
    assert found.redact_keys == ("one", "two")
    assert found.settings == {"retention": {"error_days": 30}}


def test_each_process_keeps_the_same_traces() -> None:
    found, _ = combine([ConfigurationRow("a", "tracing", True, {"sample_ratio": 0.25})])
    quarter = 1 << 62

    assert found.keeps_trace((7 << 64) + quarter - 1)
    assert not found.keeps_trace((7 << 64) + quarter)
    assert UNCHANGED.keeps_trace(quarter)
