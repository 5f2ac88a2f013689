"""Who is asking is known, and may not."""

from typing import Final

from e2edebug.policy.error_class.evidence import Raised

NAME: Final = "permission"

_NUMBERS: Final = frozenset({1142, 1143, 1227, 1370, 1290, 1792, 1836})


def matches(raised: Raised) -> bool:
    """Django's, REST framework's, the operating system's, and MySQL's `command denied`."""
    return raised.is_named("PermissionDenied", "PermissionError") or raised.number in _NUMBERS


def suggestion(raised: Raised) -> str:
    """By who refused."""
    if raised.number in (1290, 1792, 1836):
        return (
            "The server takes no writes: it is a replica, or was set read-only. Check that this connection leads to the "
            "primary, and after a failover that old connections are closed."
        )
    if raised.number is not None:
        return (
            "The database user lacks a privilege on the table that the message names: `SHOW GRANTS` for that user, then "
            "grant it, or use another user."
        )
    if raised.is_named("PermissionError"):
        return (
            "The operating system refused access to the file that the message names: check its owner and mode, and as "
            "which user this process runs."
        )
    if "csrf" in raised.message.lower():
        return (
            "The CSRF check refused the request: send the X-CSRFToken header with the cookie, and list the front end's "
            "origin in CSRF_TRUSTED_ORIGINS."
        )
    return (
        "The user may not do this. If they should: check their groups and permissions and the view's "
        "permission classes; an object-level check sees the object, so look at whose it is. If not: do not offer it."
        ""
    )
