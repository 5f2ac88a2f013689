"""How the benchmark of requests judges its own noise, and what it says of where a request's share goes."""

from typing import Any

import pytest
from benchmarks.request_overhead.measure import Measured, control
from benchmarks.request_overhead.report import report


def case(title: str, who: str, cpu_us: list[float], *, flush_us: float = 0.0) -> Measured:
    blocks: list[dict[str, Any]] = [
        {"round": number, "cpu_us": one, "caller_cpu_us": one * 0.9, "p50_us": one, "peak_rss_bytes": 50e6}
        for number, one in enumerate(cpu_us)
    ]
    return Measured(title, who, blocks, walls_us=cpu_us * 4, flush_us=[flush_us])


BARE = [1000.0, 1010.0, 990.0, 1000.0, 1005.0]


def test_the_control_is_the_middle_difference_with_its_doubt() -> None:
    found = {"bare": case("bare", "base", BARE), "bare_again": case("again", "base", [one * 1.02 for one in BARE])}

    share, doubt = control(found)

    assert share == pytest.approx(0.02, abs=0.001)
    assert doubt < 0.001


def test_rounds_that_scatter_leave_doubt_whatever_their_middle_is() -> None:
    found = {"bare": case("bare", "base", BARE), "bare_again": case("again", "base", [600, 1400, 990, 1300, 700])}

    share, doubt = control(found)

    assert abs(share) < 0.01
    assert doubt > 0.03


def test_a_case_that_missed_rounds_is_compared_with_the_bare_site_in_its_own() -> None:
    silk = case("silk", "peer", [one + 9000 for one in BARE])
    silk.blocks = silk.blocks[1::3]
    found = {"bare": case("bare", "base", BARE), "bare_again": case("again", "base", BARE), "silk": silk}

    added = report(found, {}, "").cases[2].figures["CPU added"]

    assert (added.low, added.median, added.high) == (9000, 9000, 9000)


def test_what_is_sent_once_an_interval_is_in_our_cpu_by_its_share() -> None:
    found = {
        "bare": case("bare", "base", BARE),
        "bare_again": case("again", "base", BARE),
        "otel_noop": case("stock", "peer", [one + 800 for one in BARE]),
        "e2edebug_complete": case("e2edebug", "ours", [one + 400 for one in BARE], flush_us=6000 * 80),
    }

    result = report(found, {}, "")

    assert result.targets[0].value == pytest.approx(480 / 800)
    assert [one.name for one in result.cases] == ["bare", "again", "stock", "e2edebug"]
