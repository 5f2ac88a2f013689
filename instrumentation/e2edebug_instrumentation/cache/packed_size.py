"""How large the values of a cache are: what its back end packs with pickle anyway is weighed in passing.

Packing a value once more, only to know its size, would double the cost of every operation.
"""

import pickle
import sys
from types import ModuleType
from typing import Any, Final

from e2edebug_instrumentation.cache.cache_operation import note_packed

_weighed: dict[str, ModuleType] = {}
"""Modules whose `pickle` is the one below, by name."""


class _WeighingPickle(ModuleType):
    """The module pickle, for a module that imports it as a name."""

    def __getattr__(self, name: str) -> Any:
        return getattr(pickle, name)

    @staticmethod
    def dumps(*args: Any, **kwargs: Any) -> bytes:
        packed = pickle.dumps(*args, **kwargs)
        note_packed(len(packed))
        return packed

    @staticmethod
    def loads(packed: Any, /, *args: Any, **kwargs: Any) -> Any:
        note_packed(len(packed))
        return pickle.loads(packed, *args, **kwargs)  # noqa: S301 - the cache's own call, handed on


_WEIGHING: Final = _WeighingPickle("pickle", pickle.__doc__)


def weigh_what_is_packed(module_name: str) -> None:
    """Have the pickle calls of a back end's module tell their sizes. Idempotent; nothing where there are none."""
    module = sys.modules.get(module_name)
    if module is not None and vars(module).get("pickle") is pickle:
        module.pickle = _WEIGHING  # type: ignore[attr-defined] # it is there, see the line above
        _weighed[module_name] = module


def stop_weighing() -> None:
    """Undo weigh_what_is_packed(), for every module."""
    for module in _weighed.values():
        if vars(module).get("pickle") is _WEIGHING:
            module.pickle = pickle  # type: ignore[attr-defined] # as above
    _weighed.clear()
