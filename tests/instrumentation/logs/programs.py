"""Programs that are run in processes of their own, because hooks and log records belong to a whole process."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa


def run(
    source: str, folder: Path, *, url: str = "", environ: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run *source* as the file shop.py below *folder*, with e2edebug begun first if there is a *url* to store into."""
    path = folder / "shop.py"
    begin = "import e2edebug\ne2edebug.init()\n" if url else ""
    path.write_text(begin + textwrap.dedent(source))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("E2EDEBUG_", "OTEL_"))}
    settings = (
        {"E2EDEBUG_DATABASE_URL": url, "E2EDEBUG_RAISE_ERRORS": "1", "E2EDEBUG_EXIT_TIMEOUT_S": "30"} if url else {}
    )
    return subprocess.run(
        [sys.executable, str(path)], cwd=folder, env={**inherited, **settings, **(environ or {})},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def rows(engine: sa.Engine, query: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]
