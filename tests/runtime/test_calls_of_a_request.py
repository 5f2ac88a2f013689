"""How much Python runs on the application's thread for a request and for a query: counted, since times are not to be had.

Each call of a function costs about as much as any other, so their number tells what tracing adds. The counts are the
same on Python 3.11, 3.12 and 3.13.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

CALLS_OF_A_REQUEST = 58
"""It takes 53; before each step of a request was looked at, it took 159."""
CALLS_OF_A_QUERY = 17
"""It takes 16; it took 48."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("counted")


def calls(folder: Path, *, queries: int) -> Counter[str]:
    finished = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name("counting_program.py")),
            str(folder / "site.sqlite3"),
            str(queries),
        ],
        env={
            **os.environ,
            "E2EDEBUG_DATABASE_URL": f"sqlite:///{folder}/store.sqlite3",
            "E2EDEBUG_FLUSH_INTERVAL_S": "60",
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    return Counter(json.loads(finished.stdout))


def test_a_request_takes_few_calls(folder: Path) -> None:
    found = calls(folder, queries=0)

    assert 0 < found.total() <= CALLS_OF_A_REQUEST, found.most_common()


def test_a_query_takes_few_calls(folder: Path) -> None:
    one, many = calls(folder, queries=1), calls(folder, queries=11)

    assert 0 < (many.total() - one.total()) / 10 <= CALLS_OF_A_QUERY, (many - one).most_common()


def test_the_context_changes_once_for_a_request_and_not_for_a_query(folder: Path) -> None:
    """Nothing that runs within a query looks for its span: the routes below keep silent."""
    found = calls(folder, queries=3)

    assert sum(count for name, count in found.items() if name.endswith("RuntimeContext.attach")) == 1
