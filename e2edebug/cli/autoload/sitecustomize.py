"""Imported by Python before any program that `e2edebug run` starts: switches capture on.

It stands in front of the environment's own sitecustomize, so it runs that one first, as if it were not here.
"""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path


def _run_the_one_behind() -> None:
    here = Path(__file__).resolve().parent
    elsewhere = [entry for entry in sys.path if Path(entry or ".").resolve() != here]
    spec = PathFinder.find_spec("sitecustomize", elsewhere)
    if spec is None or spec.loader is None:
        return
    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module  # whoever asks for it means that one
    spec.loader.exec_module(module)


def _switch_on() -> None:
    try:
        import e2edebug.auto  # noqa: F401  # importing is what switches capture on
    except ModuleNotFoundError as error:
        why = "e2edebug is not installed for it" if error.name == "e2edebug" else str(error)
        sys.stderr.write(f"e2edebug: {sys.executable} runs without capture: {why}\n")
    except Exception as error:  # noqa: BLE001  # the program has to start whatever happens here
        sys.stderr.write(f"e2edebug: {sys.executable} runs without capture: {type(error).__name__}: {error}\n")


try:
    _run_the_one_behind()
finally:
    _switch_on()
