"""Writes batches of 100 steps every 20 ms, as a busy application does, and says how long each took."""

import json
import secrets
import sys
import time
from datetime import UTC, datetime

from e2edebug_schema.bulk_rows import BulkRows
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.sample_sessions import STEP_FIELDS
from e2edebug_schema.tables import trace_step

ROWS = 100
INTERVAL_S = 0.02


def main(url: str, seconds: float) -> None:
    """Print `[[monotonic time at the start, milliseconds], …]`."""
    engine, bulk, taken = create_store_engine(url, read_timeout_s=60), BulkRows(), []
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        rows = [
            (secrets.token_hex(16), secrets.token_hex(16), secrets.token_hex(8), None, "database", "shop_cart", "SELECT",
             "client", "shop", moment, moment, 1.5, "completed", "", "SELECT id FROM shop_cart WHERE id = ?",
             "0" * 32, "shop/views.py:1", "{}")
            for _ in range(ROWS)
        ]  # fmt: skip
        began_s = time.monotonic()
        with engine.begin() as connection:
            bulk.prepare(engine.dialect, trace_step, STEP_FIELDS, rows).send(connection)
        took_s = time.monotonic() - began_s
        taken.append((began_s, took_s * 1000))
        time.sleep(max(INTERVAL_S - took_s, 0))
    engine.dispose()
    print(json.dumps(taken))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
