"""Who made the request, as far as the application has already found out."""

import hashlib
from typing import Any, Final

from django.utils.functional import LazyObject, empty

from e2edebug.policy import attributes as names
from e2edebug.policy.user_identity import identity_of

USER_ID_IN_SESSION: Final = "_auth_user_id"
"""django.contrib.auth.SESSION_KEY; auth need not be installed."""


def user_attributes(request: Any) -> dict[str, str]:
    """Return id and label of the request's authenticated user, {} for nobody or for a user that nobody looked at.

    Never evaluates `request.user`: that would add a query, and a session row read, to requests that need neither.
    """
    user = _known_user(request)
    if user is None or not user.is_authenticated:
        return {}
    identity = identity_of(str(user.pk) if _is_name_deferred(user) else user)
    found = {names.USER_ID: identity.user_id, names.USER_LABEL: identity.label}
    return {name: value for name, value in found.items() if value}


def user_of_session(request: Any) -> dict[str, str]:
    """Return the id of who is logged in, where nobody has looked the user up but the session was read anyway."""
    if "user" in request.__dict__ and "_cached_user" in request.__dict__:
        return {}  # user_attributes() says it, with the name
    loaded = getattr(request.__dict__.get("session"), "_session_cache", None)
    user_id = loaded.get(USER_ID_IN_SESSION) if isinstance(loaded, dict) else None
    return {names.USER_ID: user_id} if isinstance(user_id, str) and user_id else {}


def session_attributes(request: Any) -> dict[str, str]:
    """Return a digest of the session key, {} without one. Reads what the cookie said; the session is not loaded."""
    session = getattr(request, "session", None)
    key = getattr(session, "session_key", None)
    if not isinstance(key, str) or not key:
        return {}
    # Keys have 165 bits of randomness (django.contrib.sessions: 32 of 36 characters), so a bare digest hides them.
    return {names.SESSION_KEY: hashlib.sha256(key.encode()).hexdigest()[:16]}


def _known_user(request: Any) -> Any | None:
    user = request.__dict__.get("user")
    if isinstance(user, LazyObject):
        wrapped = user.__dict__.get("_wrapped", empty)
        user = None if wrapped is empty else wrapped
    if user is None:
        # What `await request.auser()` leaves behind (django.contrib.auth.middleware).
        user = request.__dict__.get("_acached_user")
    return user


def _is_name_deferred(user: Any) -> bool:
    # A deferred field (`.only("pk")`) is absent from the instance, and reading it would be a query.
    return hasattr(user, "_state") and getattr(user, "USERNAME_FIELD", "") not in user.__dict__
