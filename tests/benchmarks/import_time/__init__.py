"""What it takes to import e2edebug and to switch it on, beside its peers: time, instructions, modules, memory.

A case is a module in the folder `cases`, found by being there: TITLE, WHO, WHERE (`alone`, without Django;
`project`, in one) and `switch_on()`.
"""

import importlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.callgrind import can_count, instructions_of
from benchmarks.harness.listing import modules_in
from benchmarks.result import Case, Figure, Result, Target

HERE = Path(__file__).parent
BASE, FACADE = "nothing", "e2edebug_facade"

_METHOD = """\
Processes are started one after the other, in a new order each round. *Added* is the difference to the process of the same
round without anything; *wall* is how long it takes, *instructions* are callgrind's, *memory* is what the process has in
RAM afterwards. {why_not}"""

_ALONE = """\
A program that imports one thing and switches it on, without Django. `import e2edebug` binds the public names and imports
nothing until one is used. `import e2edebug.auto` switches everything on: it reads the settings, sets up OpenTelemetry, and
prepares the instrumentations, each of which waits for its library to be imported.

"""
_PROJECT = """\
A Django project with REST framework is started up to where it could take its first request, alone and with each of them
switched on before. What a project imports anyway (Django itself, the database's driver) is in nobody's figures.

"""


def measure(*, quick: bool) -> list[Result]:
    """Return what starting takes, without a Django project and in one."""
    return [_result(surroundings, quick=quick) for surroundings in ("alone", "project")]


def _result(surroundings: str, *, quick: bool) -> Result:
    cases = {
        name: importlib.import_module(f"benchmarks.import_time.cases.{name}") for name in modules_in(HERE / "cases")
    }
    cases = {name: case for name, case in cases.items() if surroundings in case.WHERE}
    runs: dict[str, list[tuple[float, ...]]] = {name: [] for name in cases}
    failures: dict[str, str] = {}
    order = random.Random(1)  # an order, not a secret
    with _a_place_of_its_own(surroundings) as environment:
        for number in range(2 if quick else 8):
            for name in order.sample(list(cases), len(cases)):
                try:
                    found = _run(name, surroundings, environment)
                except subprocess.CalledProcessError as error:
                    failures[name] = error.stderr.strip()[-500:] or str(error)
                    continue
                if number:  # the first round writes the byte code and fills the page cache
                    runs[name].append(found)
        # Minutes: of the imports alone, which are what the projects' processes add as well.
        counts, why_not = (
            ({}, "") if surroundings == "project" else _instructions(list(cases), environment, quick=quick)
        )
    measured = {name: _figures(runs[name], runs[BASE], counts, name) for name in cases if name not in failures}
    return Result(
        name="import_time",
        title="Starting, in a Django project" if surroundings == "project" else "Importing",
        explanation=(_PROJECT if surroundings == "project" else _ALONE) + _METHOD.format(why_not=why_not),
        cases=[Case(cases[name].TITLE, cases[name].WHO, figures) for name, figures in measured.items()],
        targets=_goals(measured),
        failures=failures,
    )


@contextmanager
def _a_place_of_its_own(surroundings: str) -> Iterator[dict[str, str]]:
    """Give the environment of the processes: their files are in a folder that is gone afterwards."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        yield {
            "HOME": folder,
            "XDG_STATE_HOME": folder,
            "E2EDEBUG_DATABASE_URL": f"sqlite:///{folder}/e2edebug.sqlite3",
            **({"DJANGO_SETTINGS_MODULE": "project_settings"} if surroundings == "project" else {}),
        }


def _command(name: str, surroundings: str) -> list[str]:
    return [sys.executable, str(HERE / "worker.py"), name, surroundings]


def _run(name: str, surroundings: str, environment: dict[str, str]) -> tuple[float, ...]:
    run = subprocess.run(
        _command(name, surroundings), env={**os.environ, **environment}, check=True, capture_output=True, text=True
    )
    return tuple(float(word) for word in run.stdout.split())


def _instructions(names: list[str], environment: dict[str, str], *, quick: bool) -> tuple[dict[str, int], str]:
    if quick:
        return {}, "Instructions were not counted: that takes minutes."
    if not can_count():
        return {}, "Instructions were not counted: valgrind is not installed."
    with ThreadPoolExecutor(2) as pool:  # counts do not change when something else runs
        waiting = {n: pool.submit(instructions_of, _command(n, "alone"), environment) for n in names}
        try:
            return {name: one.result() for name, one in waiting.items()}, ""
        except (subprocess.CalledProcessError, RuntimeError) as error:
            return {}, f"Instructions could not be counted: {error}"


def _figures(
    runs: list[tuple[float, ...]], base: list[tuple[float, ...]], counts: dict[str, int], name: str
) -> dict[str, Figure]:
    if name == BASE:
        return {"wall": Figure.of([run[0] * 1000 for run in runs], "ms")} if any(run[0] > 0.001 for run in runs) else {}
    added = [
        [mine - other for mine, other in zip(run, bare, strict=True)] for run, bare in zip(runs, base, strict=True)
    ]
    figures = {
        "wall added": Figure.of([one[0] * 1000 for one in added], "ms"),
        "CPU added": Figure.of([one[1] * 1000 for one in added], "ms"),
        "modules added": Figure.of([median(one[2] for one in added)], ""),
        "memory added": Figure.of([one[3] for one in added], "By"),
    }
    if name in counts:
        figures["instructions added"] = Figure.of([(counts[name] - counts[BASE]) / 1e6], "million")
    return figures


def _goals(measured: dict[str, dict[str, Figure]]) -> list[Target]:
    if FACADE not in measured:
        return []
    return [Target("CPU time of `import e2edebug`", measured[FACADE]["CPU added"].median, 50, unit="ms")]
