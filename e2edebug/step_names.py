"""What a step is called where nobody says: by the function, its class or module, or the code around a block."""

import inspect
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def component_of(function: Callable[..., Any]) -> str:
    """Return the class of a method, else the last part of the module's name."""
    view = getattr(function, "view_class", None) or getattr(function, "cls", None)
    if inspect.isclass(view):  # what as_view() returned
        return view.__name__
    # "Cart.price", "checkout.<locals>.price", "checkout.<locals>.Cart.price": what stands after the last <locals>.
    owner = function.__qualname__.rpartition("<locals>.")[2].rpartition(".")[0]
    return owner.rpartition(".")[2] or function.__module__.rpartition(".")[2]


def operation_of(function: Callable[..., Any]) -> str:
    """Return the function's name, of what as_view() returned `dispatch`."""
    return "dispatch" if inspect.isclass(getattr(function, "view_class", None)) else function.__name__


def caller_name() -> str:
    """Return the function in which a `with` statement stands."""
    return str(_calling_frame().f_code.co_name).strip("<>")


def caller_module() -> str:
    """Return the last part of the name of the module in which a `with` statement stands."""
    return str(_calling_frame().f_globals.get("__name__", "unknown")).rpartition(".")[2]


def _calling_frame() -> FrameType:
    """Return the frame of the `with` statement: the innermost one outside of the two words' own modules."""
    frame = sys._getframe(1)
    while frame.f_globals.get("__name__") in _OWN and frame.f_back is not None:
        frame = frame.f_back
    return frame


_OWN = frozenset({__name__, "e2edebug.decorators"})
