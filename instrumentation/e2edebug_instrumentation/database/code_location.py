"""The line of the user's code that caused a query.

Walks the frames without formatting a stack: each file is judged once, so a frame costs a dictionary look-up
(measured: 3 us for 40 frames, where traceback.extract_stack() takes 85 us).
"""

import os
import sys
import sysconfig
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple

import e2edebug.policy


class CodeLocation(NamedTuple):
    """Where in the code, in the terms of OpenTelemetry's `code.*` attributes."""

    path: str
    """Relative to the project (Django's BASE_DIR, else the working directory), or to the library folder."""
    line: int
    function: str
    """With its module and class."""


def find_code_location(skip: int = 1) -> CodeLocation | None:
    """Return the innermost frame of the user's own code, leaving out *skip* frames of the caller's.

    Without one on this thread: where an async view handed its work to the thread; else the library frame next to the
    database layer (a generic view, a template tag). None when there is nothing but database layer.
    """
    place = find_place(skip + 1)
    return location_of(place) if isinstance(place, FrameType) else place


def find_place(skip: int = 1) -> FrameType | CodeLocation | None:
    """Return what find_code_location() describes: a frame where there is one, which costs less to look at."""
    frame: FrameType | None = sys._getframe(skip)
    library: FrameType | None = None
    judgements = _judgements
    for _ in range(_MOST_FRAMES):
        if frame is None:
            break
        code = frame.f_code
        filename = code.co_filename
        role = (judgements.get(filename) or _judge(filename))[0]
        if role == _USER:
            return frame
        if role == _LIBRARY:
            if library is None:
                library = frame
        elif role == _DISPATCHER and code.co_name in _DISPATCHING:
            # What lies further out called the view or the command, and caused nothing: middleware, manage.py.
            break
        frame = frame.f_back
    return _handed_over.get() or library


def location_of(frame: FrameType) -> CodeLocation:
    """Return where *frame* is."""
    code = frame.f_code
    path = (_judgements.get(code.co_filename) or _judge(code.co_filename))[1]
    return CodeLocation(path, frame.f_lineno or 0, f"{frame.f_globals.get('__name__', '')}.{code.co_qualname}")


def remember_code_location(skip: int = 2) -> None:
    """Note the user's code for queries that this context sends from another thread, as Django's async ORM does."""
    location = find_user_code(skip)
    if location is not None:
        _handed_over.set(location)


def calling_frames(frame: FrameType | None) -> list[FrameType]:
    """Return *frame* and what called it, outermost first: up to the framework that called the view, ourselves left out.

    At most 60. That is where the stack of the same exception begins once it has reached the request.
    """
    found: list[FrameType] = []
    while frame is not None and len(found) < _MOST_CALLING_FRAMES:
        code = frame.f_code
        role, path = _judgements.get(code.co_filename) or _judge(code.co_filename)
        if role != _MACHINERY or not path.startswith(_WRAPPERS):
            found.append(frame)
        if role == _DISPATCHER and code.co_name in _DISPATCHING:
            break
        frame = frame.f_back
    found.reverse()
    return found


def is_users_code(frame: FrameType) -> bool:
    """Tell whether a frame is of the user's own code."""
    filename = frame.f_code.co_filename
    return (_judgements.get(filename) or _judge(filename))[0] == _USER


def handed_over_location() -> CodeLocation | None:
    """Return where an async view handed its work to this thread, if it did."""
    return _handed_over.get()


def find_user_code(skip: int = 1) -> CodeLocation | None:
    """Return the innermost frame of the user's own code, or None."""
    frame: FrameType | None = sys._getframe(skip)
    for _ in range(_MOST_FRAMES):
        if frame is None:
            return None
        filename = frame.f_code.co_filename
        if (_judgements.get(filename) or _judge(filename))[0] == _USER:
            return location_of(frame)
        frame = frame.f_back
    return None


_MOST_FRAMES: Final = 250
_MOST_FILES: Final = 20_000
_MOST_CALLING_FRAMES: Final = 60

_USER: Final = 1
_LIBRARY: Final = 2
_DISPATCHER: Final = 3
_MACHINERY: Final = 4
"""Standard library, database layer, ourselves: never what a reader looks for."""

_DISPATCHING: Final = frozenset({"_get_response", "_get_response_async", "run_from_argv"})
_DISPATCHER_FILES: Final = ("django/core/handlers/base.py", "django/core/management/base.py")
_DATABASE_LAYER: Final = (
    "django/db/", "django/dispatch/", "django/utils/", "asgiref/", "sqlalchemy/", "pymysql/", "MySQLdb/", "psycopg/",
    "psycopg2/", "psycopg_pool/", "wrapt/", "opentelemetry/", "e2edebug", "greenlet/", "aiosqlite/", "aiomysql/",
)  # fmt: skip
_TYPED_IN: Final = ("<stdin>", "<console>", "<ipython", "<python-input")

_handed_over: ContextVar[CodeLocation | None] = ContextVar("e2edebug_code_location", default=None)
_judgements: dict[str, tuple[int, str]] = {}


def _judge(filename: str) -> tuple[int, str]:
    if len(_judgements) >= _MOST_FILES:
        _judgements.clear()
    judgement = _judgements[filename] = _judge_file(filename)
    return judgement


def _judge_file(filename: str) -> tuple[int, str]:
    if filename.startswith("<"):
        return (_USER, filename) if filename.startswith(_TYPED_IN) else (_MACHINERY, filename)
    path = os.path.abspath(filename).replace(os.sep, "/")  # noqa: PTH100 - Path.absolute() keeps `..`, resolve() asks the disk
    for folder in ("/site-packages/", "/dist-packages/"):
        if folder in path:
            inside = path.rpartition(folder)[2]
            if inside in _DISPATCHER_FILES:
                return _DISPATCHER, inside
            return (_MACHINERY if inside.startswith(_DATABASE_LAYER) else _LIBRARY), inside
    if path.startswith(_OWN_FOLDERS):
        return _MACHINERY, path
    for folder in _STANDARD_LIBRARY:
        if path.startswith(folder):
            return _MACHINERY, path
    root = _project_root()
    return _USER, path.removeprefix(root)


def _folder(path: str | Path) -> str:
    return str(path).replace(os.sep, "/").rstrip("/") + "/"


_OWN_FOLDERS: Final = (_folder(Path(e2edebug.policy.__file__).parents[1]), _folder(Path(__file__).parents[1]))
_WRAPPERS: Final = ("wrapt/", "opentelemetry/", "e2edebug", *_OWN_FOLDERS)
# `scripts` holds gunicorn, celery and their like: no user's code, though outside of site-packages.
_STANDARD_LIBRARY: Final = tuple(
    {_folder(os.path.realpath(path)) for key, path in sysconfig.get_paths().items() if key in ("stdlib", "platstdlib")}
    | {_folder(path) for key, path in sysconfig.get_paths().items() if key in ("stdlib", "platstdlib", "scripts")}
)


def _project_root() -> str:
    conf = sys.modules.get("django.conf")
    settings = getattr(conf, "settings", None)
    base = None
    if settings is not None and settings.configured:  # asking an unconfigured one would configure it
        base = getattr(settings, "BASE_DIR", None)
    try:
        return _folder(os.path.abspath(os.fspath(base) if base else os.getcwd()))  # noqa: PTH100, PTH109 - as above
    except (OSError, TypeError):  # the working directory is gone, BASE_DIR is no path
        return ""
