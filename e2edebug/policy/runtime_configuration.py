"""What an operator has set in the store, as a running process uses it: the rows of `debugging_configuration` in one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, NamedTuple

from e2edebug.policy.config_values import WorkflowRule
from e2edebug.policy.configuration_types import SEVERITIES, ConfigurationDataError, validate_configuration

_SAMPLED_BITS: Final = (1 << 64) - 1


class ConfigurationRow(NamedTuple):
    """One stored row."""

    name: str
    config_type: str
    enabled: bool
    config_data: Any
    """A mapping or None, as it was stored: whoever reads it validates it."""


@dataclass(frozen=True, slots=True)
class RuntimeConfiguration:
    """What the rows say together; where they say nothing, the environment holds."""

    is_tracing: bool = True
    sample_ratio: float | None = None
    is_monitoring: bool = True
    slow_request_ms: float | None = None
    is_logging_errors: bool = True
    error_level: str = "debug"
    workflow_rules: tuple[WorkflowRule, ...] = ()
    redact_keys: tuple[str, ...] = ()
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """config_type -> fields, for those that no process acts on by itself: `dashboard` and `retention`."""

    def keeps_trace(self, trace_id: int) -> bool:
        """Whether the steps of this trace are stored: each process decides alike, as `traceidratio` does."""
        if not self.is_tracing:
            return False
        return self.sample_ratio is None or trace_id & _SAMPLED_BITS < self.sample_ratio * (_SAMPLED_BITS + 1)

    def differences(self, other: "RuntimeConfiguration") -> list[str]:
        """Return what is not as in *other*, in words for the log."""
        return [
            f"{one.name}={getattr(self, one.name)!r}"
            for one in fields(self)
            if getattr(self, one.name) != getattr(other, one.name)
        ]

    @property
    def limits_tracing(self) -> bool:
        """Whether any trace is left out."""
        return not self.is_tracing or self.sample_ratio is not None

    def keeps_error(self, severity: str) -> bool:
        """Whether an error of *severity* is stored."""
        return self.is_logging_errors and SEVERITIES.index(severity) >= SEVERITIES.index(self.error_level)


UNCHANGED: Final = RuntimeConfiguration()
"""What holds where nothing is stored."""


def combine(rows: Iterable[ConfigurationRow]) -> tuple[RuntimeConfiguration, dict[str, str]]:
    """Return what *rows* say together, and row name -> why a row was left out.

    Rows count in the order given; a later one wins, and lists add up. `enabled` off switches off what the type is
    about (tracing, performance monitoring, error logging); rows of other types are then left out.
    """
    result = UNCHANGED
    refused: dict[str, str] = {}
    for row in rows:
        try:
            data = validate_configuration(row.config_type, row.config_data)
        except ConfigurationDataError as error:
            refused[row.name] = str(error)
            continue
        result = _with(result, row, data)
    return result, refused


def _with(result: RuntimeConfiguration, row: ConfigurationRow, data: dict[str, Any]) -> RuntimeConfiguration:
    match row.config_type:
        case "tracing":
            return replace(
                result,
                is_tracing=result.is_tracing and row.enabled,
                sample_ratio=data.get("sample_ratio", result.sample_ratio),
            )
        case "performance_monitoring":
            return replace(
                result,
                is_monitoring=result.is_monitoring and row.enabled,
                slow_request_ms=data.get("slow_request_ms", result.slow_request_ms),
            )
        case "error_logging":
            changed = replace(
                result,
                is_logging_errors=result.is_logging_errors and row.enabled,
                error_level=data.get("level", result.error_level),
            )
            days = data.get("retention_days")
            return changed if days is None else _setting(changed, "retention", {"error_days": days})
        case _ if not row.enabled or row.config_type == "notification_route":
            return result  # routes stand beside each other: the evaluator reads them itself
        case "workflow_rules":
            return replace(result, workflow_rules=result.workflow_rules + data.get("rules", ()))
        case "redaction":
            return replace(result, redact_keys=result.redact_keys + data.get("keys", ()))
        case _:
            return _setting(result, row.config_type, data)


def _setting(result: RuntimeConfiguration, config_type: str, data: dict[str, Any]) -> RuntimeConfiguration:
    merged = {**result.settings.get(config_type, {}), **data}
    return replace(result, settings={**result.settings, config_type: merged})
