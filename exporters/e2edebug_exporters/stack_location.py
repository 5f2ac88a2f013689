"""Where a step broke, for a span that does not say what code it runs: the last of the application's frames."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from opentelemetry.sdk.trace import Event

from e2edebug.policy.project_root import project_root
from e2edebug.policy.stack_frames import Frame, frames_of, is_of_application
from e2edebug_exporters.span_reading import plain_mapping


def location_of_exception(events: Iterable[Event]) -> str | None:
    """Return `shop/views.py:12 in create` for the last exception among *events*, None where none has a stack.

    The deepest frame of the application, as for the fingerprint; without one, the deepest of an installed package.
    """
    stacks = [_stack_of(event) for event in events if event.name == "exception"]
    stack = next((one for one in reversed(stacks) if isinstance(one, str) and one), None)
    if stack is None:
        return None
    frames = frames_of(stack[-_LONGEST_READ:])
    frame = _deepest(frames)
    if frame is None:
        return None
    location = f"{_shown_path(frame.path)}:{frame.line}"
    return f"{location} in {frame.function}" if frame.function else location


def _stack_of(event: Event) -> Any:
    return plain_mapping(event.attributes).get("exception.stacktrace")


def _deepest(frames: Sequence[Frame]) -> Frame | None:
    for frame in reversed(frames):
        if is_of_application(frame.path):
            return frame
    return next((frame for frame in reversed(frames) if _inside_packages(frame.path)), None)


def _shown_path(path: str) -> str:
    path = path.replace("\\", "/")
    return _inside_packages(path) or path.removeprefix(project_root())


def _inside_packages(path: str) -> str:
    """Return what stands behind `site-packages/`: where that folder lies differs from machine to machine."""
    for folder in _PACKAGE_FOLDERS:
        if folder in path:
            return path.rpartition(folder)[2]
    return ""


_LONGEST_READ: Final = 262_144
_PACKAGE_FOLDERS: Final = ("/site-packages/", "/dist-packages/")
