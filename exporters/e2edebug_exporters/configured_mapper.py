"""The row mapper that the settings ask for."""

from e2edebug.policy.config import Config
from e2edebug.policy.redaction import Redactor
from e2edebug.policy.runtime_configuration import UNCHANGED, RuntimeConfiguration
from e2edebug_exporters.row_mapper import RowMapper


def mapper_of(config: Config, stored: RuntimeConfiguration = UNCHANGED) -> RowMapper:
    """Return a mapper that cleans as *config* and what is *stored* say together; what is to be hidden adds up."""
    return RowMapper(
        redactor=Redactor((*config.redact_keys, *stored.redact_keys)),
        value_max_bytes=config.value_max_bytes,
        workflow_rules=(*stored.workflow_rules, *config.workflow_rules),
        capture_client_address=config.capture_client_address,
        keeps_error=stored.keeps_error,
    )
