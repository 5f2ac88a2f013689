"""What switching a fault on does, beyond noting it in the file of switches."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from django.db import OperationalError, connection

from catalogue.models import Product, Review
from shop import fault_switches

BROKEN_PRODUCT_ID = 4
BESTSELLER_ID = 1
LOCK_HELD = fault_switches.FILE.with_name("stocktake.holds-the-lock")
_START_LIMIT_S = 15.0


class FaultError(Exception):
    """The fault could not be switched."""


def switch(name: str, *, on: bool) -> None:
    """Switch the fault *name* on or off and return once that can be felt.

    Raises UnknownFaultError for a name that is not a fault, FaultError when it could not be done.
    """
    fault_switches.write(name, on=on)
    try:
        if name in _EFFECTS:
            _EFFECTS[name](on)
    except OperationalError as refused:
        fault_switches.write(name, on=not on)
        raise FaultError(f"the database says: {refused} (is lock_wait on? switch that off first)") from refused


def _serializer_crash(on: bool) -> None:
    product = Product.objects.get(pk=BROKEN_PRODUCT_ID)
    # As an import from a supplier's spreadsheet would leave it.
    product.dimensions = "300 x 200" if on else "300x200x100"
    product.save(update_fields=["dimensions"])


def _missing_index(on: bool) -> None:
    (index,) = Review._meta.indexes
    with connection.cursor() as cursor:
        is_there = index.name in connection.introspection.get_constraints(cursor, Review._meta.db_table)
    if is_there is not on:
        return
    with connection.schema_editor() as editor:
        (editor.remove_index if on else editor.add_index)(Review, index)


def _lock_wait(on: bool) -> None:
    if on and not _is_running(LOCK_HELD):
        script = Path(__file__).resolve().parent.parent / "stocktake.py"
        # Its output goes to a file: an inherited pipe would keep whoever reads it waiting until the lock is let go.
        with LOCK_HELD.with_name("stocktake.log").open("a") as log:
            process = subprocess.Popen([sys.executable, str(script)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        _wait_until(LOCK_HELD.exists, "the stocktake to lock the product", process)
    elif not on:
        _wait_until(lambda: not _is_running(LOCK_HELD), "the stocktake to let go")


def _is_running(pid_file: Path) -> bool:
    try:
        os.kill(int(pid_file.read_text()), 0)
    except (FileNotFoundError, ProcessLookupError):
        pid_file.unlink(missing_ok=True)
        return False
    return True


def _wait_until(is_so: Callable[[], bool], what: str, process: subprocess.Popen[bytes] | None = None) -> None:
    deadline = time.monotonic() + _START_LIMIT_S
    while not is_so():
        if time.monotonic() > deadline or (process is not None and process.poll() is not None):
            raise FaultError(f"waited for {what} in vain")
        time.sleep(0.05)


_EFFECTS: dict[str, Callable[[bool], None]] = {
    "serializer_crash": _serializer_crash,
    "missing_index": _missing_index,
    "lock_wait": _lock_wait,
}
