"""One database URL that names several hosts: `mysql+pymysql://user:password@db1:3306,db2,db3:3307/telemetry`.

Each host has the same user, password, database and parameters. They are tried in the order in which they stand there.
"""

import re
from typing import Final

# The parts as SQLAlchemy's make_url finds them: the host begins behind the first @.
_PARTS: Final = re.compile(
    r"(?P<head>[a-z][a-z0-9+.\-]*://(?:[^:/]*(?::[^@]*)?@)?)(?P<hosts>[^/?]*)(?P<tail>.*)", re.DOTALL | re.IGNORECASE
)


def url_per_host(url: str) -> list[str]:
    """Return one URL for each host that *url* names, in order; a URL of one host or of SQLite is returned as it is."""
    found = _PARTS.fullmatch(url)
    if found is None or url.lower().startswith("sqlite") or "," not in found["hosts"]:
        return [url]
    return [f"{found['head']}{host.strip()}{found['tail']}" for host in found["hosts"].split(",")]
