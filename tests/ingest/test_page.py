"""docs/ingest.md: its curl example is received, and its environment is what the exporter of OpenTelemetry takes."""

import os
import re
import subprocess
import sys
from pathlib import Path

from ingest.test_over_http import EXPORT, Site, project, site  # noqa: F401 # fixtures, found by name
from support.otlp import TOKEN, wait_until

PAGE = (Path(__file__).parents[2] / "docs" / "ingest.md").read_text(encoding="utf-8")
ENVIRONMENT, CURL = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_examples_are_received(site: Site, tmp_path: Path) -> None:  # noqa: F811 # the fixture
    here = f"http://127.0.0.1:{site.port}/"
    curl = CURL.replace("http://127.0.0.1:8000/", here)
    lines = ENVIRONMENT.replace("http://127.0.0.1:8000/", here).replace("e2es_your-token", TOKEN).splitlines()
    environment = dict(line.split("=", 1) for line in lines) | {"OTEL_EXPORTER_OTLP_TIMEOUT": "60"}

    told = subprocess.run(
        ["bash", "-euc", curl], env=os.environ | {"E2EDEBUG_TOKEN": TOKEN}, capture_output=True, text=True, check=True
    )
    sent = subprocess.run(
        [sys.executable, "-c", EXPORT], env=os.environ | environment, cwd=tmp_path, capture_output=True, text=True
    )

    assert (told.stdout, told.stderr) == ("{}", "")
    assert (sent.returncode, sent.stderr) == (0, "")
    wait_until(lambda: len(site.rows("SELECT id FROM debugging_trace_step WHERE service = 'payments'")) == 3)
    (session,) = site.rows("SELECT * FROM debugging_workflow_session WHERE correlation_id = 'order-4711'")
    assert (session["root_operation"], session["status"]) == ("POST /charges", "completed")


def test_the_page_names_each_status_that_is_answered() -> None:
    source = Path(__file__).parents[2] / "e2edebug" / "ingest"
    answered = {
        status for file in source.glob("*.py") for status in re.findall(r"Refusal\(\s*(\d{3})", file.read_text())
    }

    assert answered
    assert {status for status in answered if status not in PAGE.split("| Answer |")[1].split("429 and 503")[0]} == set()
