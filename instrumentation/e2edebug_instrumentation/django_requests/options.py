"""What can be chosen about the tracing of requests."""

from collections.abc import Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestOptions:
    """The settings of e2edebug.policy.config that concern requests, with the same names, meanings and defaults."""

    excluded_urls: tuple[str, ...] = ()
    capture_client_address: bool = False
    response_header: bool = True
    trust_incoming_trace: bool = True
    correlation_id_max_traces: int = 1000
    correlation_id_max_age_s: float = 86_400.0

    @classmethod
    def from_arguments(cls, config: object | None, arguments: Mapping[str, object]) -> "RequestOptions":
        """Return the options in *arguments* by name, else as *config* (a policy Config) has them, else the defaults.

        excluded_urls may also be one comma-separated text, as OpenTelemetry's Django instrumentor takes it.
        """
        names = [field.name for field in fields(cls)]
        chosen = {name: getattr(config, name) for name in names if hasattr(config, name)}
        chosen.update((name, arguments[name]) for name in names if arguments.get(name) is not None)
        patterns = chosen.get("excluded_urls", ())
        if isinstance(patterns, str):
            patterns = patterns.split(",")
        chosen["excluded_urls"] = tuple(text for pattern in patterns if (text := pattern.strip()))
        return cls(**chosen)
