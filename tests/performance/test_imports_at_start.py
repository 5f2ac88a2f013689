"""What is imported at start: counts, which hold on any machine, where times do not."""

import json
import os
import subprocess
import sys
from pathlib import Path

_WHAT_IS_NEW = """
import json, sys
before = set(sys.modules)
import {module}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def imported_by(module: str, folder: Path) -> list[str]:
    """Return the modules that a new process has after `import` of *module*, with a SQLite file as the store."""
    run = subprocess.run(
        [sys.executable, "-c", _WHAT_IS_NEW.format(module=module)],
        env={
            **os.environ,
            "XDG_STATE_HOME": str(folder),
            "E2EDEBUG_DATABASE_URL": f"sqlite:///{folder / 'e2edebug.sqlite3'}",
        },
        check=True,
        capture_output=True,
        text=True,
    )
    found: list[str] = json.loads(run.stdout)
    return found


def packages_of_others(modules: list[str]) -> set[str]:
    """Return the top-level packages that come neither from us nor with Python; what compilers leave behind left out."""
    tops = {module.partition(".")[0] for module in modules if not module.startswith("_")}
    ours = {top for top in tops if top.startswith("e2edebug")}
    return tops - ours - set(sys.stdlib_module_names) - {"cython_runtime"}


def test_the_facade_imports_nothing_of_others_and_little_of_ours(tmp_path: Path) -> None:
    modules = imported_by("e2edebug", tmp_path)

    assert packages_of_others(modules) == set()
    # 29 in November 2026: the facade, what binds its names, and what of the standard library these need.
    assert len(modules) <= 35


def test_switching_everything_on_imports_what_capture_and_store_need_and_no_more(tmp_path: Path) -> None:
    """Not Django, not Alembic (but for an empty database), not the server's driver for a SQLite file, no exporter of others."""
    imported_by("e2edebug.auto", tmp_path)  # makes the tables
    modules = imported_by("e2edebug.auto", tmp_path)

    assert packages_of_others(modules) <= {
        "opentelemetry", "sqlalchemy", "wrapt", "psutil", "packaging", "typing_extensions", "greenlet",
        "importlib_metadata", "zipp",
    }  # fmt: skip
    # 664 in November 2026, some 100 each of OpenTelemetry and SQLAlchemy and 200 of ours. A further package shows here.
    assert len(modules) <= 700
