"""Which faults are switched on: one small file that every process of the shop reads.

A file and not a table: the payment provider has no database, and asking for a switch must not add a query
to the very requests that the faults are there to spoil.
"""

import json
import os
from pathlib import Path
from typing import Final

FAULTS: Final = {
    "n_plus_one": "the product list asks for the category and the reviews of each product one by one",
    "slow_query": "the search also reads the text of every review",
    "missing_index": "the index behind 'latest reviews' is gone",
    "cold_cache": "the cache forgets everything at once, so the recommendations are worked out each time",
    "payment_timeout": "the payment provider takes the order and never answers",
    "mail_failure": "the mail server takes no mail, so the task after each checkout fails, twice",
    "serializer_crash": "one product has dimensions that its serializer cannot read",
    "lock_wait": "a stocktake in another process keeps the best-selling product locked",
}

_FOLDER = Path(os.environ.get("SHOP_WORK_FOLDER", Path(__file__).resolve().parent.parent / ".demo"))
FILE: Final = _FOLDER / "faults.json"

_last_read: tuple[int, frozenset[str]] = (0, frozenset())


class UnknownFaultError(ValueError):
    """There is no fault of that name."""


def is_on(name: str) -> bool:
    """Return whether the fault *name* is switched on now."""
    return name in switched_on()


def switched_on() -> frozenset[str]:
    """Return the names of all faults that are on; the file is read again only when it has changed."""
    global _last_read
    try:
        changed_unix_ns = FILE.stat().st_mtime_ns
    except FileNotFoundError:
        return frozenset()
    if changed_unix_ns != _last_read[0]:
        _last_read = (changed_unix_ns, frozenset(json.loads(FILE.read_text())))
    return _last_read[1]


def write(name: str, *, on: bool) -> None:
    """Note in the file that *name* is on or off. Raises UnknownFaultError for any other name."""
    if name not in FAULTS:
        raise UnknownFaultError(f"{name!r} is not a fault of the shop; there are {', '.join(FAULTS)}")
    names = switched_on() | {name} if on else switched_on() - {name}
    FILE.parent.mkdir(parents=True, exist_ok=True)
    # Written beside and renamed: a request must never read half a file.
    beside = FILE.with_suffix(f".{os.getpid()}")
    beside.write_text(json.dumps(sorted(names)))
    beside.replace(FILE)
