"""A Celery application whose broker is a folder, for workers and producers in processes of their own."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from celery import Celery, chain, chord, group

import e2edebug.auto  # noqa: F401 # what a project adds

FOLDER = Path(os.environ["CELERY_TEST_FOLDER"])
for name in ("queue", "done", "control"):
    (FOLDER / name).mkdir(exist_ok=True)

app = Celery("shop", broker="filesystem://", backend=f"file://{FOLDER / 'done'}")
app.conf.update(
    broker_transport_options={
        "data_folder_in": str(FOLDER / "queue"),
        "data_folder_out": str(FOLDER / "queue"),
        "control_folder": str(FOLDER / "control"),
    },
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=1,
    result_expires=None,
    beat_schedule={"tidy": {"task": "shop.tidy", "schedule": 0.5}},
    beat_schedule_filename=str(FOLDER / "beat-schedule"),
)


@app.task(name="shop.add")
def add(one: int, other: int) -> int:
    return one + other


@app.task(name="shop.double")
def double(number: int) -> int:
    return 2 * number


@app.task(name="shop.fail")
def fail() -> None:
    raise ValueError("the mail server is away")


@app.task(name="shop.flaky", bind=True, max_retries=3)
def flaky(self: Any) -> str:
    if self.request.retries < 2:
        raise self.retry(exc=ConnectionError("not yet"), countdown=0)
    return "at last"


@app.task(name="shop.hang", time_limit=1)
def hang() -> None:
    time.sleep(60)


@app.task(name="shop.total")
def total(numbers: list[int]) -> int:
    return sum(numbers)


@app.task(name="shop.die")
def die() -> None:
    """As the kernel does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="shop.die_in_workflow")
def die_in_workflow() -> None:
    from e2edebug import flush, workflow

    with workflow("mailing"):
        flush()
        os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="shop.die_once", acks_late=True, reject_on_worker_lost=True)
def die_once() -> None:
    mark = FOLDER / "died"
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="shop.tidy")
def tidy() -> None:
    """Nothing to do."""


def order() -> None:
    """Queue one task of each kind, each within a workflow of its own."""
    from e2edebug import workflow

    with workflow("plain"):
        add.delay(1, 2)
    with workflow("chained"):
        chain(add.s(1, 2), double.s())()
    with workflow("grouped"):
        group(add.s(1, 2), add.s(3, 4))()
    with workflow("chorded"):
        chord([add.s(1, 2), add.s(3, 4)])(total.s())
    with workflow("failing"):
        fail.delay()
    with workflow("retried"):
        flaky.delay()
    with workflow("killed"):
        hang.delay()
    with workflow("by_name"):
        app.send_task("shop.double", (4,))
    add.delay(3, 4)


def order_deaths() -> None:
    """Queue tasks whose processes are killed from outside, and one that is none of them."""
    from e2edebug import workflow

    with workflow("dying"):
        die.delay()
    die.delay()
    die_in_workflow.delay()
    with workflow("dying_once"):
        die_once.delay()
    with workflow("plain"):
        add.delay(1, 2)


if __name__ == "__main__":
    order_deaths() if "deaths" in sys.argv else order()
