"""Which of two releases is the later one."""

import pytest

from e2edebug.policy.release_order import is_later_release

IN_ORDER = [
    ["1.4.0-dev1", "1.4.0-alpha", "1.4.0-beta2", "1.4.0rc1", "1.4.0-rc.2", "1.4", "1.4.1", "1.10", "v2", "10.0"],
    ["2026-09-30", "2026-11-25"],
    ["2026.9.30", "2026.11.25"],
    ["41", "v42", "release-100"],
]


@pytest.mark.parametrize("releases", IN_ORDER, ids=lambda releases: releases[0])
def test_versions_are_compared_by_their_numbers(releases: list[str]) -> None:
    pairs = [(one, other) for place, one in enumerate(releases) for other in releases[place + 1 :]]

    assert [(one, other) for one, other in pairs if not is_later_release(other, than=one)] == []
    assert [(one, other) for one, other in pairs if is_later_release(one, than=other)] == []


def test_names_without_an_order_are_later_unless_they_are_equal() -> None:
    assert is_later_release("3f2a8c1", than="91bc04d")
    assert is_later_release("91bc04d", than="3f2a8c1")
    assert not is_later_release("91bc04d", than="91bc04d")
    assert not is_later_release("1.4.0+build.7", than="1.4")


def test_what_is_not_known_counts_as_later() -> None:
    assert is_later_release(None, than="1.4")
    assert is_later_release("1.4", than=None)
