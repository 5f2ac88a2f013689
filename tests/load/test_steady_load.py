"""The load run itself, for some seconds: `make test-load` runs it for longer."""

from pathlib import Path

import pytest
from load.steady_load import LoadResult, run_load

BOOKS = {"emitted": 100, "stored": 100, "already_there": 0, "queued": 0, "spooled": 0, "dropped": {}}
HELD = {
    "spans": 1000, "elapsed_s": 10.0, "cpu_s": 0.5, "host_thread_cpu_s": 0.2, "is_flushed": True, "is_balanced": True,
    "books": BOOKS, "rss_at_start_bytes": 50 << 20, "rss_peak_bytes": 60 << 20, "queue_peak_bytes": 1000,
}  # fmt: skip


def test_every_id_that_was_emitted_is_stored(empty_store_url: str, tmp_path: Path) -> None:
    result = run_load(empty_store_url, tmp_path, seconds=3.0, rate=200)

    assert (result.missing, result.strange, result.host["books"]["dropped"]) == (0, 0, {})
    assert result.host["is_balanced"]
    assert result.host["spans"] >= 100
    assert result.growth_mb < 100


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"books": BOOKS | {"dropped": {"queue_full": 3}}}, "dropped"),
        ({"spans": 100}, "spans/s instead of 100"),
        ({"rss_peak_bytes": 500 << 20}, "the memory grew by 450 MB"),
        ({"is_balanced": False}, "the books do not balance"),
    ],
)
def test_what_was_not_held_is_said(changed: dict[str, object], complaint: str) -> None:
    result = LoadResult(asked_rate=100, host=HELD | changed, missing=0, strange=0, growth_limit_mb=100)

    (said,) = result.complaints
    assert complaint in said


def test_a_difference_between_the_ids_is_said() -> None:
    result = LoadResult(asked_rate=100, host=HELD, missing=2, strange=1, growth_limit_mb=100)

    assert result.complaints == ["2 ids are missing and 1 are too many"]
