"""`instrument_module("shop.services")`: every public function of a module is a step, and nobody edits the module."""

import inspect
import sys
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from types import ModuleType
from typing import Any

import wrapt

from e2edebug.class_steps import is_step
from e2edebug.decorators import step
from e2edebug.workflow_tracer import checked_layer

_undo: list[Callable[[], None]] = []
_wanted: dict[str, list["_Selection"]] = {}
_hooked: set[str] = set()


class _Selection:
    """Which functions of a module, and what their steps say."""

    def __init__(self, include: tuple[str, ...], exclude: tuple[str, ...], fields: dict[str, Any]) -> None:
        self.include = include
        self.exclude = exclude
        self.fields = fields

    def takes(self, name: str) -> bool:
        """Say whether *name* is selected. `*` alone means functions: a pattern speaks of methods when it has a dot."""
        included = any(fnmatchcase(name, one) for one in self.include if ("." in one) == ("." in name))
        return included and not any(fnmatchcase(name, one) for one in self.exclude)


def instrument_module(
    name: str,
    *,
    include: str | Iterable[str] = "*",
    exclude: str | Iterable[str] = (),
    layer: str | None = None,
    component: str | None = None,
) -> None:
    """Make steps of the public functions of the module *name*, now or when it is imported.

    include, exclude: patterns of names, such as `price_*`; a pattern with a dot, `CartService.*`, is about the methods of
    classes that the module defines. Public is what `__all__` lists, else what does not begin with an underscore; what the
    module imports from elsewhere is not its own. layer, component: as for `@step`.
    Call it before other modules take functions out of this one by `from shop.services import price`: what they have is
    theirs. Raises ValueError for an unknown layer.
    """
    if layer is not None:
        checked_layer(layer)
    selection = _Selection(_patterns(include), _patterns(exclude), {"layer": layer, "component": component})
    _wanted.setdefault(name, []).append(selection)
    module = sys.modules.get(name)
    if module is not None and not _is_being_imported(module):
        _wrap(module, selection)
    elif name not in _hooked:
        # A hook for an import cannot be taken back: it asks what is wanted when the time comes.
        _hooked.add(name)
        wrapt.register_post_import_hook(_when_imported, name)


def uninstrument_modules() -> None:
    """Undo every instrument_module(): each function is the module's own again."""
    _wanted.clear()
    while _undo:
        _undo.pop()()


def _when_imported(module: ModuleType) -> None:
    for selection in _wanted.get(module.__name__, ()):
        _wrap(module, selection)


def _wrap(module: ModuleType, selection: _Selection) -> None:
    listed = getattr(module, "__all__", None)
    for name, value in list(vars(module).items()):
        is_public = name in listed if listed is not None else not name.startswith("_")
        if not is_public or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(value):
            _replace(module, name, value, name, selection)
        elif inspect.isclass(value):
            for method, function in list(vars(value).items()):
                if not method.startswith("_") and (
                    inspect.isfunction(function) or isinstance(function, (staticmethod, classmethod))
                ):
                    _replace(value, method, function, f"{name}.{method}", selection)


def _replace(owner: Any, attribute: str, function: Any, name: str, selection: _Selection) -> None:
    if not selection.takes(name) or is_step(function):
        return
    traced = step(**selection.fields)(function)
    setattr(owner, attribute, traced)

    def put_back() -> None:
        if inspect.getattr_static(owner, attribute, None) is traced:
            setattr(owner, attribute, function)

    _undo.append(put_back)


def _is_being_imported(module: ModuleType) -> bool:
    spec = getattr(module, "__spec__", None)
    return bool(getattr(spec, "_initializing", False))


def _patterns(given: str | Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)
