"""What a row of `debugging_configuration` may hold: the fields of each config_type, their kinds and meanings.

The one home of these rules: the admin, the REST API and the running processes read them here. A field that is null or
absent is inherited from the environment; one that is set wins.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from e2edebug.policy.config_values import NAMES, WORKFLOW_RULES, Kind, ValueFormError, integer

SEVERITIES: Final = ("debug", "info", "warning", "error", "critical")


class ConfigurationDataError(ValueError):
    """Data that a configuration row must not hold. `problems`: field -> what is wrong with it; '' is the whole."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        super().__init__("; ".join(f"{field}: {text}" if field else text for field, text in self.problems.items()))


@dataclass(frozen=True, slots=True)
class ConfigurationField:
    """One field of a config_type."""

    name: str
    kind: Kind
    meaning: str
    example: Any


@dataclass(frozen=True, slots=True)
class ConfigurationType:
    """One config_type."""

    name: str
    title: str
    meaning: str
    switches_off: str
    """What happens when a row of this type has `enabled` off."""
    fields: tuple[ConfigurationField, ...]

    def field(self, name: str) -> ConfigurationField | None:
        """Return the field called *name*."""
        return next((field for field in self.fields if field.name == name), None)


def _ratio(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueFormError("a number from 0 to 1")
    return float(value)


def _positive_number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
        raise ValueFormError("a number above 0")
    return float(value)


def _severity(value: object) -> str:
    if value not in SEVERITIES:
        raise ValueFormError(f"one of {', '.join(SEVERITIES)}")
    return str(value)


_RATIO: Final = Kind("number from 0 to 1", _ratio)
_MILLISECONDS: Final = Kind("number", _positive_number, "milliseconds")
_GIGABYTES: Final = Kind("number", _positive_number, "gigabytes")
_SEVERITY: Final = Kind("severity", _severity)
_DAYS: Final = integer("days", at_least=1)
_SECONDS: Final = integer("seconds", at_least=1)
_ROWS: Final = integer("rows", at_least=1)

CONFIGURATION_TYPES: Final[dict[str, ConfigurationType]] = {
    one.name: one
    for one in (
        ConfigurationType(
            "tracing",
            "Tracing Enabled",
            "Whether requests leave steps.",
            "No steps are stored but those of errors.",
            (
                ConfigurationField(
                    "sample_ratio", _RATIO, "Which share of the traces keeps its steps; errors always do.", 0.25
                ),
            ),
        ),
        ConfigurationType(
            "performance_monitoring",
            "Performance Monitoring",
            "How metrics are collected.",
            "No metrics are stored.",
            (
                ConfigurationField(
                    "slow_request_ms", _MILLISECONDS, "Requests that take longer are marked as slow.", 1000
                ),
            ),
        ),
        ConfigurationType(
            "error_logging",
            "Error Logging",
            "Which errors are stored, and for how long.",
            "No errors are stored.",
            (
                ConfigurationField("level", _SEVERITY, "Errors of a lower severity are not stored.", "warning"),
                ConfigurationField("retention_days", _DAYS, "Errors are kept for so many days.", 90),
            ),
        ),
        ConfigurationType(
            "dashboard",
            "Dashboard Settings",
            "How the dashboard behaves.",
            "The dashboard behaves as it does by default.",
            (
                ConfigurationField("refresh_interval_s", _SECONDS, "How often pages refresh themselves.", 10),
                ConfigurationField("default_range_hours", integer("hours", at_least=1), "The time that is shown.", 24),
                ConfigurationField("page_size", _ROWS, "Rows on a page.", 50),
            ),
        ),
        ConfigurationType(
            "workflow_rules",
            "Workflow Rules",
            "Which requests belong to which type of workflow, before the rules of the environment.",
            "Only the rules of the environment hold.",
            (
                ConfigurationField(
                    "rules", WORKFLOW_RULES, "The first rule that fits decides.", ["POST /api/checkout/=checkout"]
                ),
            ),
        ),
        ConfigurationType(
            "redaction",
            "Redaction",
            "What is never stored, in addition to the built-in names and those of the environment.",
            "Only the built-in names and those of the environment are hidden.",
            (ConfigurationField("keys", NAMES, "Names whose values are hidden.", ["loyalty_number"]),),
        ),
        ConfigurationType(
            "retention",
            "Retention",
            "For how long what was recorded is kept.",
            "The retention of the environment holds.",
            (
                ConfigurationField("session_days", _DAYS, "Workflow sessions are kept for so many days.", 30),
                ConfigurationField("step_days", _DAYS, "Trace steps are kept for so many days.", 7),
                ConfigurationField("snapshot_days", _DAYS, "Performance snapshots are kept for so many days.", 90),
                ConfigurationField("error_days", _DAYS, "Errors are kept for so many days.", 90),
                ConfigurationField("alert_days", _DAYS, "Resolved alerts are kept for so many days.", 180),
                ConfigurationField("max_size_gb", _GIGABYTES, "The oldest days are dropped above this size.", 20),
            ),
        ),
    )
}
"""config_type -> what its rows hold."""


def validate_configuration(config_type: object, config_data: object) -> dict[str, Any]:
    """Return the fields of *config_data* that are set, in the form the code uses.

    config_data: a mapping, or None for nothing set. Raises ConfigurationDataError, which names each wrong field and
    the accepted form.
    """
    known = CONFIGURATION_TYPES.get(config_type) if isinstance(config_type, str) else None
    if known is None:
        raise ConfigurationDataError({"config_type": f"one of {', '.join(CONFIGURATION_TYPES)}"})
    if config_data is None:
        return {}
    if not isinstance(config_data, Mapping):
        raise ConfigurationDataError({"config_data": "must be an object"})
    found: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, value in config_data.items():
        field = known.field(str(name))
        if field is None:
            problems[str(name)] = _unknown(str(name), known)
        elif value is not None:
            try:
                found[field.name] = field.kind.parse(value)
            except ValueFormError as error:
                problems[field.name] = f"must be {error}"
    if problems:
        raise ConfigurationDataError(problems)
    return found


def _unknown(name: str, known: ConfigurationType) -> str:
    names = [field.name for field in known.fields]
    nearest = get_close_matches(name, names, n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"it has {', '.join(names)}"
    return f"{known.name} has no such field; {hint}"
