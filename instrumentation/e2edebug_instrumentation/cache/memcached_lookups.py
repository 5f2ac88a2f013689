"""What a look-up of pymemcache found: its instrumentor has no hook that would be told."""

from collections.abc import Callable, Sized
from typing import Any, Final

from e2edebug.policy.self_report import internal_error

Tell = Callable[[int, int], None]
"""Is told how many keys were found, and how many were not there."""

_ONE: Final = ("get", "gets")
_MANY: Final = ("get_many", "get_multi", "gets_many")
_MISSING: Final = object()


class LookupWatch:
    """Wraps the look-ups of a client's class, before its instrumentor does."""

    def __init__(self, client: type, tell: Tell) -> None:
        self._client = client
        self._own = {name: vars(client)[name] for name in (*_ONE, *_MANY) if name in vars(client)}
        # Plain functions that do not say what they wrap: the instrumentor leaves alone what is wrapped already.
        for name, own in self._own.items():
            ours = _of_one(own, tell) if name in _ONE else _of_many(own, tell)
            ours.__name__, ours.__qualname__, ours.__doc__ = own.__name__, own.__qualname__, own.__doc__
            setattr(client, name, ours)

    def stop(self) -> None:
        """Give the class its own methods back."""
        for name, own in self._own.items():
            setattr(self._client, name, own)


def _of_one(own: Callable[..., Any], tell: Tell) -> Callable[..., Any]:
    def look_up(client: Any, key: Any, default: Any = None, *args: Any, **kwargs: Any) -> Any:
        # A default that nobody could have stored: None can be.
        found = own(client, key, _MISSING, *args, **kwargs)
        is_pair = isinstance(found, tuple) and len(found) == 2 and found[0] is _MISSING
        is_hit = found is not _MISSING and not is_pair
        _tell(tell, int(is_hit), int(not is_hit))
        return found if is_hit else (default, *found[1:]) if is_pair else default

    return look_up


def _of_many(own: Callable[..., Any], tell: Tell) -> Callable[..., Any]:
    def look_up(client: Any, keys: Any, *args: Any, **kwargs: Any) -> Any:
        found = own(client, keys, *args, **kwargs)
        if isinstance(keys, Sized) and isinstance(found, Sized):
            _tell(tell, len(found), max(0, len(keys) - len(found)))
        return found

    return look_up


def _tell(tell: Tell, hits: int, misses: int) -> None:
    try:
        tell(hits, misses)
    except Exception as error:  # noqa: BLE001 - the application has what it asked for
        internal_error("tell what a look-up found", error)
