"""`e2edebug run`: programs that nobody edited are captured, and are otherwise as they were."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from cli.command import CLEAN_ENVIRONMENT, CommandLine, run_process
from support.mariadb import free_port
from support.site import Site

PROGRAM = """\
import json, sqlite3, sys
sqlite3.connect(":memory:").execute("SELECT 1 WHERE 2 = ?", (3,))
print(json.dumps([sys.argv[1:], "e2edebug.auto" in sys.modules]))
sys.exit(7)
"""

PATIENT = {"E2EDEBUG_EXIT_TIMEOUT_S": "30"}
"""A program that ends at once writes its rows while it ends, and a busy machine may need longer than two seconds."""


def operations(work: Path, store_url: str) -> set[str]:
    shown = json.loads(run_process("sessions", "--json", "--database", store_url, cwd=work).stdout)
    return {one["root_operation"].split()[0] for one in shown["sessions"]}


def test_a_program_is_captured_and_keeps_its_arguments_and_exit_code(store_url: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)

    done = run_process(
        "run",
        "--database",
        store_url,
        "python",
        "program.py",
        "--database",
        "of its own",
        cwd=tmp_path,
        environ=PATIENT,
    )

    assert (done.returncode, json.loads(done.stdout)) == (7, [["--database", "of its own"], True])
    assert "SELECT" in operations(tmp_path, store_url)


@pytest.mark.parametrize("program", [["python", "-m", "program"], ["--", "python", "program.py"], ["./script"]])
def test_modules_and_scripts_run_as_well(tmp_path: Path, program: list[str]) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "script").write_text(f"#!{sys.executable}\n{PROGRAM}")
    (tmp_path / "script").chmod(0o755)

    done = run_process("run", "--database", "sqlite:///x.sqlite3", *program, cwd=tmp_path)

    assert (done.returncode, json.loads(done.stdout)) == (7, [[], True])


def test_a_django_project_is_captured_without_an_edit(store_url: str, tmp_path: Path) -> None:
    site = Site(tmp_path / "site")

    done = run_process(
        "run",
        "python",
        "manage.py",
        "count_users",
        cwd=site.folder,
        environ=PATIENT | {"E2EDEBUG_DATABASE_URL": store_url},
    )

    assert done.returncode == 0, done.stderr
    assert operations(site.folder, store_url)


def test_the_environments_own_sitecustomize_still_runs(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "sitecustomize.py").write_text("MARK = 'theirs'")
    (tmp_path / "program.py").write_text(
        "import sitecustomize, sys; print(sitecustomize.MARK, 'e2edebug.auto' in sys.modules)"
    )

    done = run_process(
        "run", "python", "program.py", cwd=tmp_path,
        environ={"PYTHONPATH": str(tmp_path / "theirs"), "E2EDEBUG_ENABLED": "0"},
    )  # fmt: skip

    assert done.stdout == "theirs True\n"


def test_a_broken_sitecustomize_of_theirs_does_not_switch_us_off(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "sitecustomize.py").write_text("raise OSError('theirs is broken')")
    (tmp_path / "program.py").write_text("import sys; print('e2edebug.auto' in sys.modules)")

    done = run_process(
        "run", "python", "program.py", cwd=tmp_path,
        environ={"PYTHONPATH": str(tmp_path / "theirs"), "E2EDEBUG_ENABLED": "0"},
    )  # fmt: skip

    assert (done.stdout, "theirs is broken" in done.stderr) == ("True\n", True)


def test_python_programs_started_by_the_program_are_captured_too(tmp_path: Path) -> None:
    child = "import sys; print('e2edebug.auto' in sys.modules)"
    (tmp_path / "program.py").write_text(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])")

    done = run_process("run", "python", "program.py", cwd=tmp_path, environ={"E2EDEBUG_ENABLED": "0"})

    assert done.stdout == "True\n"


def test_a_signal_reaches_the_program_itself(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import os, signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(42))\n"
        "print(os.getpid(), flush=True)\n"
        "signal.pause()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "e2edebug.cli", "run", "python", "program.py"],
        cwd=tmp_path, env=CLEAN_ENVIRONMENT | {"E2EDEBUG_ENABLED": "0"}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    pid = int(process.stdout.readline())

    os.kill(process.pid, signal.SIGTERM)

    assert (pid, process.wait(120)) == (process.pid, 42)
    process.stdout.close()


def test_an_interpreter_without_e2edebug_says_so_and_runs_the_program(tmp_path: Path) -> None:
    bare = tmp_path / "bare" / "bin"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare.parent)], check=True)

    done = run_process("run", str(bare / "python"), "-c", "print('runs')", cwd=tmp_path)

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (0, "runs\n", 1)
    assert "runs without capture: e2edebug is not installed for it" in done.stderr


@pytest.mark.parametrize(
    ("program", "complaint"),
    [
        ([], "run needs a command, such as `e2edebug run python manage.py runserver`"),
        (["no-such-program"], "command not found: 'no-such-program'; give a program on PATH or the path of an "),
        (
            ["program.py"],
            "'program.py' is a file, but not executable; try `e2edebug run python program.py` or chmod +x",
        ),
        (["./no_interpreter"], "'./no_interpreter' cannot be started: it has no #! line"),
    ],
)
def test_a_program_that_cannot_be_started_is_said_in_one_line(
    e2edebug: CommandLine, program: list[str], complaint: str
) -> None:
    Path("program.py").write_text(PROGRAM)
    Path("no_interpreter").write_text("nothing")
    Path("no_interpreter").chmod(0o755)

    outcome = e2edebug("run", *program)

    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert outcome.err.startswith(f"e2edebug: {complaint}")


def test_a_wrong_setting_stops_before_the_program(e2edebug: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2EDEBUG_FLUSH_INTERVAL_S", "abc")

    outcome = e2edebug("run", "python", "-c", "print('ran')")

    assert (outcome.code, outcome.out) == (2, "")


def test_gunicorn_and_its_workers_are_captured(tmp_path: Path) -> None:
    site, port = Site(tmp_path / "site"), free_port()
    store_url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    argv = ["run", "gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{port}", "site_project.wsgi"]
    process = subprocess.Popen(
        [sys.executable, "-m", "e2edebug.cli", *argv],
        cwd=site.folder, env=CLEAN_ENVIRONMENT | PATIENT | {"E2EDEBUG_DATABASE_URL": store_url},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    while "Listening at" not in process.stderr.readline():
        assert process.poll() is None

    # The port is open: a request waits in its queue until a worker has started.
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/users/", timeout=90) as response:
        assert response.status == 200
    process.terminate()
    process.communicate(timeout=120)

    assert process.returncode == 0
    assert "GET" in operations(tmp_path, store_url)
