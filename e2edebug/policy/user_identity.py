"""Who a user is, in the two columns that sessions and errors have for it."""

from typing import NamedTuple

from e2edebug.policy.plain_values import text_of


class UserIdentity(NamedTuple):
    """`user_id` and `user_label`; both None for nobody."""

    user_id: str | None
    label: str | None


NOBODY = UserIdentity(None, None)


def identity_of(user: object) -> UserIdentity:
    """Return the identity of a Django user (any user model), or of a plain id. Anonymous users are nobody.

    Never raises: a lazy user whose database is away is nobody.
    """
    if user is None:
        return NOBODY
    if isinstance(user, (str, int)):
        return UserIdentity(str(user), None)
    try:
        key = getattr(user, "pk", None)
        if key is None:
            return NOBODY
        name = getattr(user, "get_username", None)
        return UserIdentity(text_of(key), text_of(name()) if callable(name) else None)
    except Exception:  # noqa: BLE001 - a lazy user runs the application's queries, which may raise anything
        return NOBODY
