"""Draws docs/trace-tree.svg: what `e2edebug show` prints for the slowest failed checkout of the demo's last run.

make demo ARGS=--once && .venv/bin/python docs/draw_trace_tree.py
"""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import sqlalchemy as sa
from rich._export_format import CONSOLE_SVG_FORMAT  # private, and the only way to a picture without a web font
from rich.console import Console
from rich.text import Text

HERE = Path(__file__).parent
STORE = HERE.parent / "examples" / "shop" / ".demo" / "e2edebug.sqlite3"
COLUMNS = 100


def worst_checkout() -> str:
    """Return the correlation id of the slowest checkout that failed."""
    engine = sa.create_engine(f"sqlite:///{STORE}")
    query = sa.text(
        "SELECT correlation_id FROM debugging_workflow_session WHERE workflow_type = 'checkout' AND status = 'failed'"
        " AND step_count > 15 ORDER BY duration_ms DESC LIMIT 1"
    )
    with engine.connect() as connection:
        return str(connection.execute(query).scalar_one())


def shown_on_a_terminal(correlation_id: str) -> str:
    """Return what the command prints to a terminal, with its colours."""
    reading, writing = pty.openpty()
    command = subprocess.Popen(  # noqa: S603 - our own command
        [Path(sys.executable).with_name("e2edebug"), "show", correlation_id, "--database", f"sqlite:///{STORE}"],
        stdout=writing,
        env={**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "TZ": "UTC"},
    )
    os.close(writing)
    chunks = []
    while True:
        try:
            chunk = os.read(reading, 65536)
        except OSError:  # the other end of a pseudo-terminal is closed: EIO
            break
        if not chunk:
            break
        chunks.append(chunk)
    command.wait()
    return b"".join(chunks).decode().replace("\r\n", "\n")


def main() -> None:
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"), force_terminal=True)  # noqa: PTH123, SIM115
    console.print(Text.from_ansi(shown_on_a_terminal(worst_checkout())))
    # The format asks a CDN for its font; a picture in a README has to stand by itself.
    code_format = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    console.save_svg(str(HERE / "trace-tree.svg"), title="e2edebug show", code_format=code_format)


if __name__ == "__main__":
    main()
