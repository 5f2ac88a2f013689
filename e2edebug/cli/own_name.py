"""How this command line is called from where the user is: the next command that is shown has to work when pasted."""

import shlex
import shutil
import sys
from pathlib import Path
from typing import Final

_NAME: Final = "e2edebug"


def own_name() -> str:
    """Return `e2edebug` when the shell finds it, else its path, else the interpreter with `-m e2edebug.cli`."""
    found = shutil.which(_NAME)
    # Not resolved: in a virtual environment the interpreter is a link to one that has other packages.
    beside = Path(sys.executable).parent / _NAME
    if found is not None and Path(found) == beside:
        return _NAME
    if beside.is_file():
        return shlex.quote(_as_typed(beside))
    return _NAME if found is not None else f"{shlex.quote(_as_typed(Path(sys.executable)))} -m e2edebug.cli"


def _as_typed(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):  # elsewhere, or the working directory is gone
        return str(path)
