"""The process that runs one benchmark: `python -m benchmarks.harness.one NAME FILE [--quick]`."""

import argparse
import importlib
import json
import sys
import traceback
from pathlib import Path


def main() -> int:
    """Measure and write the results, or what went wrong, to the file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("file", type=Path)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    try:
        found = importlib.import_module(f"benchmarks.{given.name}").measure(quick=given.quick)
        if not found:
            raise RuntimeError(f"the benchmark {given.name} returned no result")
        answer = {"results": [result.as_json() for result in found], "error": ""}
    except Exception as error:
        traceback.print_exc()
        answer = {"results": [], "error": "".join(traceback.format_exception_only(error)).strip()}
    given.file.write_text(json.dumps(answer), encoding="utf-8")
    return 1 if answer["error"] else 0


if __name__ == "__main__":
    sys.exit(main())
