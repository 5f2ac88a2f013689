"""docs/rest-api.md: its examples run, its table has every endpoint, and the OpenAPI document is made without a warning."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from django_app.project import Project
from rest.api_project import Client

PAGE = (Path(__file__).parents[2] / "docs" / "rest-api.md").read_text()
EXAMPLES = re.findall(r"^```bash\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_the_examples_answer_as_they_stand_there(client: Client) -> None:
    script = "".join(EXAMPLES).replace("http://localhost:8000/api/v1/debugging", client.base.rstrip("/"))
    lines = re.sub(r"^curl -s ", 'curl -s -w "\\\\n%{http_code}\\\\n" ', script, flags=re.MULTILINE)

    run = subprocess.run(["bash", "-eu", "-c", lines], capture_output=True, text=True, timeout=60)

    answers = run.stdout.strip().split("\n")
    codes = answers[1::2]
    assert len(codes) == script.count("curl -s ") == 10
    assert [code for code in codes if code not in ("200", "201")] == [], run.stdout + run.stderr
    assert all(json.loads(body) for body in answers[0::2])


def test_the_table_has_every_endpoint(rest_project: Project) -> None:
    paths = rest_project.python("""
        from django.urls import URLPattern
        from e2edebug.django.urls import urlpatterns
        print(json.dumps([str(one.pattern) for one in urlpatterns]))
    """)
    table = PAGE.split("## Endpoints")[1].split("## Ids")[0]
    ends = {re.sub(r"\(\?P<pk>[^)]*\)", "{id}", path).strip("^$").rsplit("{id}/")[-1] for path in paths}

    missing = [
        end
        for end in ends
        if end
        and "rest>" not in end
        and "<str:name>" not in end
        and f"{end.rstrip('/')}/" not in table
        and f"`{end}`" not in table
    ]
    assert missing == []


def test_the_openapi_document_is_made_without_a_warning(rest_project: Project) -> None:
    run = rest_project.run(
        "manage.py", "spectacular", "--fail-on-warn", "--validate", "--format", "openapi-json",
        "--custom-settings", "e2edebug.django.api.openapi.SETTINGS",
    )  # fmt: skip

    assert run.returncode == 0, run.stderr
    document = json.loads(run.stdout)
    assert document["openapi"].startswith("3.1")
    assert {path.split("/debugging/")[1] for path in document["paths"]} >= {
        "workflow-sessions/", "workflow-sessions/{id}/complete/", "error-logs/{id}/resolve/", "system-health/", "health/ready/",
    }  # fmt: skip
