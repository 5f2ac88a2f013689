"""The API keeps what its OpenAPI document says: schemathesis tries, with every check that it has, on MariaDB.

Here a few examples of each endpoint; `make test-contract` tries the boundaries and sequences of calls as well.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rest.api_project import Site

EXAMPLES = os.environ.get("E2EDEBUG_TEST_CONTRACT_EXAMPLES", "3")
PHASES = os.environ.get("E2EDEBUG_TEST_CONTRACT_PHASES", "examples,fuzzing")
TIMEOUT_S = int(os.environ.get("E2EDEBUG_TEST_CONTRACT_TIMEOUT_S", "400"))
mariadb_only = pytest.mark.parametrize("dialect", ["mariadb"])
pytestmark = pytest.mark.slow


def tried(site: Site, document: Path, *options: str, examples: str = EXAMPLES) -> str:
    """Return what schemathesis says when it finds a fault, '' when it finds none."""
    host = site.client.base.removesuffix("/api/v1/debugging/")
    run = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")), "--no-color", "run", str(document), "--url", host,
            "--checks", "all", "--phases", PHASES, "--max-examples", examples, "--seed", "1",
            "--generation-database", "none", "--request-timeout", "60", "--header", "Accept: application/json", *options,
        ],
        capture_output=True, text=True, timeout=TIMEOUT_S, cwd=document.parent,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(Path(__file__).parent)},
    )  # fmt: skip
    return "" if run.returncode == 0 else run.stdout + run.stderr


@pytest.fixture
def document(site: Site, tmp_path: Path) -> Path:
    """The OpenAPI document as the project serves it."""
    path = tmp_path / "openapi.json"
    answer = site.client.get("schema/", Accept="application/vnd.oai.openapi+json")
    path.write_bytes(answer.body)
    return path


@mariadb_only
def test_what_the_document_says_holds_for_a_user_with_every_permission(site: Site, document: Path) -> None:
    assert tried(site, document, "--auth", "root:root", "--workers", "2") == ""


@mariadb_only
def test_what_the_document_says_holds_for_nobody(site: Site, document: Path) -> None:
    assert tried(site, document, examples="1") == ""
