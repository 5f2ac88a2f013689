"""Lines for a reader to paste: each works in the directory in which the demo was started, none holds a password."""

import shlex
import sys
from pathlib import Path

from sqlalchemy import URL, make_url

from terminal import short

PASSWORD = "<password>"


def program() -> str:
    """Return `e2edebug` as it can be called here: the one of this interpreter's environment, which PATH may not know."""
    return short(Path(sys.executable).parent / "e2edebug")


def show(correlation_id: str) -> str:
    """Return the command that draws one workflow."""
    return f"{program()} show {correlation_id}"


def export(variable: str, url: str) -> str:
    """Return the line that sets *variable* to *url*, with <password> where one has to be filled in."""
    return f"export {variable}={shlex.quote(_without_password(make_url(url)))}"


def what_to_fill_in(url: str) -> str:
    """Return what is to be said beside a line that names *url*: something if it has a password, else nothing."""
    return " (with your password)" if make_url(url).password else ""


def database_client(url: str) -> str:
    """Return the command that opens the database at *url* for SQL typed by hand."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return f"sqlite3 {shlex.quote(short(Path(parsed.database or '')))}"
    # The client takes `localhost` for a socket, and then ignores the port (MariaDB manual, "mariadb client", --host).
    host = "127.0.0.1" if parsed.host in (None, "localhost") else parsed.host
    where = ["mysql", f"--host={host}", f"--port={parsed.port or 3306}"]
    who = [f"--user={parsed.username or 'root'}", *(["--password"] if parsed.password else [])]
    return shlex.join([*where, *who, parsed.database or ""])


def _without_password(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{short(Path(url.database or ''))}"
    shown = url.render_as_string(hide_password=True)
    return shown.replace(":***@", f":{PASSWORD}@", 1) if url.password else shown
