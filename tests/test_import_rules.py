"""Import rules that import-linter cannot express."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CAPTURE = sorted((ROOT / "instrumentation" / "e2edebug_instrumentation").rglob("*.py"))


def imported_modules(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize("path", CAPTURE, ids=lambda path: str(path.relative_to(ROOT)))
def test_capture_speaks_the_api_of_opentelemetry_and_never_its_sdk(path):
    assert not {name for name in imported_modules(path) if name.startswith("opentelemetry.sdk")}


def modules_after(statement: str) -> set[str]:
    """Return what a fresh interpreter has imported after *statement*."""
    code = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_importing_the_package_imports_nothing_heavy():
    loaded = modules_after("import e2edebug")

    assert not {name for name in loaded if name.split(".")[0] in {"opentelemetry", "sqlalchemy", "django", "alembic"}}


def test_the_whole_start_imports_neither_django_nor_alembic_nor_rich(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    loaded = modules_after("import e2edebug.auto")

    assert not {name for name in loaded if name.split(".")[0] in {"django", "alembic", "rich"}}


def test_switched_off_the_start_imports_neither_the_sdk_nor_sqlalchemy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("E2EDEBUG_ENABLED", "0")

    loaded = modules_after("import e2edebug.auto, e2edebug\ne2edebug.workflow('x'); e2edebug.WorkflowTracer")

    assert not {name for name in loaded if name.startswith(("opentelemetry.sdk", "sqlalchemy"))}
