"""e2edebug as it comes, with a SQLite file as the store: what a project has that sets no database."""

import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.request_overhead.cases import e2edebug_complete

TITLE = "e2edebug, stored in a SQLite file"
WHO = "ours"
EVERY = 3

_folder = tempfile.TemporaryDirectory(prefix="benchmark-")


def configure(settings: dict[str, Any]) -> None:
    os.environ["E2EDEBUG_DATABASE_URL"] = f"sqlite:///{Path(_folder.name) / 'e2edebug.sqlite3'}"


begin = e2edebug_complete.begin
settle = e2edebug_complete.settle
flush = e2edebug_complete.flush
stand_still = e2edebug_complete.stand_still
