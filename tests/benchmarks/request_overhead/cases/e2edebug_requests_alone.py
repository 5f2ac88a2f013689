"""e2edebug without its spans of queries: what is left of its cost is that of the request itself."""

import os
from typing import Any

from benchmarks.request_overhead.cases import e2edebug_complete

TITLE = "e2edebug, its queries switched off"
WHO = "ours"
EVERY = 3


def configure(settings: dict[str, Any]) -> None:
    os.environ["E2EDEBUG_DISABLED_INSTRUMENTATIONS"] = "django_database,dbapi,sqlalchemy"


begin = e2edebug_complete.begin
settle = e2edebug_complete.settle
flush = e2edebug_complete.flush
stand_still = e2edebug_complete.stand_still
