"""The newest revision of the schema that this version knows, without importing Alembic (0.1 s)."""

from functools import cache
from pathlib import Path


@cache
def newest_revision() -> str:
    """Return it, such as `0003`: migrations are files named by their revision, which counts up."""
    folder = Path(__file__).parent / "migrations" / "versions"
    return max(path.name[:4] for path in folder.glob("[0-9][0-9][0-9][0-9]_*.py"))
