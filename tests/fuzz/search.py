"""Let atheris look for bytes that break a target: `python tests/fuzz/search.py redact --seconds 60`.

Without a target, each one in turn. Exit code 1 when something was found; the bytes are then in a file `crash-…` here.
"""

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

_LONGEST_INPUT = 4096


def search(target: str, seconds: int, corpus: Path) -> None:
    """Search in this process, which ends with it. Our packages are imported under atheris' eyes."""
    import atheris

    with atheris.instrument_imports(include=["e2edebug", "e2edebug_exporters", "fuzz"]):
        from fuzz.targets import TARGETS

    options = [f"-max_total_time={seconds}", f"-max_len={_LONGEST_INPUT}", "-timeout=10", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], TARGETS[target])
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("target", nargs="?")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--corpus", type=Path, default=Path(".fuzz"), help="where what was found interesting is kept")
    arguments = parser.parse_args()
    if arguments.target:
        corpus = arguments.corpus / arguments.target
        corpus.mkdir(parents=True, exist_ok=True)
        search(arguments.target, arguments.seconds, corpus)
        return 0
    from fuzz.targets import TARGETS

    broken = []
    for target in TARGETS:
        print(f"--- {target}", flush=True)
        command = [sys.executable, __file__, target, "--seconds", str(arguments.seconds)]
        if subprocess.run([*command, "--corpus", str(arguments.corpus)], check=False).returncode:
            broken.append(target)
    print(f"broken: {', '.join(broken)}" if broken else "nothing was found")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
