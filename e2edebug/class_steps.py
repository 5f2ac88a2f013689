"""Which methods of a class are its steps: what `@step` above a class wraps.

Of any class, the public methods that it defines itself. Of a view, besides, the methods that answer requests, inherited
or not, and what REST framework's `@action` made of a method.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

C = TypeVar("C", bound=type)

IS_STEP: Final = "__e2edebug_step__"
"""On a function that is a step already; a second time it would be a step within itself."""

_HANDLERS: Final = (
    "get", "post", "put", "patch", "delete", "head", "options", "trace",
    "list", "create", "retrieve", "update", "partial_update", "destroy",
)  # fmt: skip
"""What Django's views and REST framework's view sets call to answer a request."""


def step_methods(owner: type) -> Iterator[str]:
    """Yield the names of the methods of *owner* that `@step` wraps."""
    found = [name for name, value in vars(owner).items() if not name.startswith("_") and _is_method(value)]
    if hasattr(owner, "as_view"):
        found = [name for name in found if name in _HANDLERS or _is_action(vars(owner)[name])]
        found += [name for name in _HANDLERS if name not in found and _answers(owner, name)]
        found += [name for name in _actions_above(owner) if name not in found]
    yield from found


def with_steps(owner: C, traced: Callable[[Any, str], Any]) -> C:
    """Wrap the methods of *owner* in place and return it. traced: wraps a function as a step of the component named."""
    for name in list(step_methods(owner)):
        value = inspect.getattr_static(owner, name)
        if not is_step(value):
            setattr(owner, name, traced(value, owner.__name__))
    return owner


def is_step(function: Any) -> bool:
    """Say whether *function*, or the function within a static or class method, is a step already."""
    return hasattr(getattr(function, "__func__", function), IS_STEP)


def _is_method(value: Any) -> bool:
    return inspect.isfunction(value) or isinstance(value, (staticmethod, classmethod))


def _answers(owner: type, name: str) -> bool:
    """`options` of the base class is Django's own answer, and `head` is made of `get`: neither is the application's."""
    value = getattr(owner, name, None)
    return inspect.isfunction(value) and name not in ("options", "head", "trace")


def _is_action(value: Any) -> bool:
    return hasattr(value, "mapping") and hasattr(value, "url_path")


def _actions_above(owner: type) -> Iterator[str]:
    for base in owner.__mro__[1:]:
        yield from (name for name, value in vars(base).items() if _is_action(value))
