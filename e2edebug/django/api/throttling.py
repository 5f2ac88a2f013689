"""How often one person may ask: a script that runs wild must not become the load that it watches."""

from typing import Any

from rest_framework.throttling import UserRateThrottle

from e2edebug.runtime.lifecycle import config_in_force


class DebuggingRateThrottle(UserRateThrottle):
    """By user, counted in Django's cache; the rate is the setting API_THROTTLE_RATE."""

    scope = "e2edebug"

    def get_rate(self) -> Any:
        """Return the rate that holds now; None: no limit."""
        return config_in_force().api_throttle_rate or None
