"""The row mapper that the settings ask for."""

from e2edebug.policy.config import Config
from e2edebug.policy.redaction import Redactor
from e2edebug_exporters.row_mapper import RowMapper


def mapper_of(config: Config) -> RowMapper:
    """Return a mapper that cleans as *config* says."""
    return RowMapper(
        redactor=Redactor(config.redact_keys),
        value_max_bytes=config.value_max_bytes,
        workflow_rules=config.workflow_rules,
        capture_client_address=config.capture_client_address,
    )
