"""Which benchmarks there are: every module or package in this folder that defines `measure(*, quick)`.

Told from the source, not by importing: a benchmark may need a peer that is not installed here.
"""

import ast
from pathlib import Path

FOLDER = Path(__file__).parents[1]


def benchmark_names(folder: Path = FOLDER) -> list[str]:
    """Return the names of the benchmarks, in alphabetical order."""
    sources = [*folder.glob("*.py"), *folder.glob("*/__init__.py")]
    return sorted(_name(source) for source in sources if _defines_measure(source))


def _name(source: Path) -> str:
    return source.parent.name if source.name == "__init__.py" else source.stem


def _defines_measure(source: Path) -> bool:
    tree = ast.parse(source.read_text(encoding="utf-8"), str(source))
    return any(
        isinstance(node, ast.FunctionDef)
        and node.name == "measure"
        and [argument.arg for argument in node.args.kwonlyargs] == ["quick"]
        for node in tree.body
    )


def modules_in(folder: Path) -> list[str]:
    """Return the names of the modules in a folder of peers or cases, in alphabetical order.

    A newcomer adds a case by adding a file to such a folder.
    """
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
