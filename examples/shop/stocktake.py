#!/usr/bin/env python
"""A stocktake that forgets to commit: it holds the lock on the best-selling product while the fault is on.

On MySQL and MariaDB other connections that want this row fail with error 1205 after innodb_lock_wait_timeout.
SQLite has one lock for the whole file: there every write of the shop fails with "database is locked".
"""

import os
import time

import django

LONGEST_S = 600.0


def main() -> None:
    """Hold the lock until the fault is switched off, or for ten minutes."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    os.environ["E2EDEBUG_ENABLED"] = "0"  # it plays another company's program, which nobody watches
    django.setup()

    from django.db import transaction

    from catalogue.models import Product
    from shop import fault_switches
    from shop.fault_effects import BESTSELLER_ID, LOCK_HELD

    give_up = time.monotonic() + LONGEST_S
    try:
        with transaction.atomic():
            product = Product.objects.select_for_update().get(pk=BESTSELLER_ID)
            product.save(update_fields=["stock"])
            LOCK_HELD.write_text(str(os.getpid()))
            while fault_switches.is_on("lock_wait") and time.monotonic() < give_up:
                time.sleep(0.1)
            transaction.set_rollback(True)
    finally:
        LOCK_HELD.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
