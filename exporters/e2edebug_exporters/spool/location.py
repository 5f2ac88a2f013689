"""Where frames lie: one folder per service and target database, so that nobody replays into a stranger's store."""

import hashlib
import os
import re
import sys
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Engine

from e2edebug.policy.config import DEFAULT, Config
from e2edebug.policy.durability import Durability
from e2edebug_schema.engine import hosts_of

_SERVICE: Final = re.compile(r"[^a-z0-9_.]+")
_LONGEST_NAME: Final = 40


def spool_root(config: Config) -> Path:
    """Return the folder of all spools of this user: the setting, else `e2edebug/spool` in the state directory.

    The state directory is $XDG_STATE_HOME, else ~/.local/state (XDG Base Directory Specification, 0.8).
    Raises RuntimeError where the user has no home.
    """
    if config.spool_dir:
        return Path(config.spool_dir).expanduser().absolute()
    state = os.environ.get("XDG_STATE_HOME", "")
    # "All paths set in these environment variables must be absolute": others are to be ignored.
    base = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    return base / "e2edebug" / "spool"


def is_spooling(config: Config) -> bool:
    """Whether rows go to disk when the store is away.

    A test run leaves nothing in its user's home: under pytest only a spool that somebody asked for is used.
    """
    if config.durability is Durability.MEMORY:
        return False
    is_asked_for = any(config.sources.get(name, DEFAULT) != DEFAULT for name in ("durability", "spool_dir"))
    return is_asked_for or not ("pytest" in sys.modules or "PYTEST_CURRENT_TEST" in os.environ)


def target_name(engine: Engine) -> str | None:
    """Return the database behind *engine* in one canonical line, without user and password; None for one in memory.

    The user is left out because rotating an account must not strand what waits.
    """
    url: URL = engine.url
    if url.get_backend_name() == "sqlite":
        path = url.database
        if not path or path == ":memory:" or path.startswith("file:"):
            return None
        return f"sqlite {Path(path).absolute()}"
    socket = url.query.get("unix_socket")
    hosts = [str(socket)] if socket else sorted(hosts_of(engine))
    return f"server {','.join(hosts)} {url.database}"


def folder_name(service: str, target: str) -> str:
    """Return the name of the folder for *service* and *target*: a readable part and a hash of each."""
    readable = _SERVICE.sub("-", service.lower()).strip("-.")[:_LONGEST_NAME] or "service"
    return f"{readable}-{_digest(service, 8)}-{_digest(target, 12)}"


def is_for_target(name: str, target: str) -> bool:
    """Whether the folder *name* belongs to *target*, whatever the service."""
    return name.endswith(f"-{_digest(target, 12)}")


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]
