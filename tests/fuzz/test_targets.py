"""Every target of the fuzzer holds for what hypothesis makes up."""

import random

import pytest
from fuzz.targets import TARGETS
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=600))
def test_a_target_holds_for_any_bytes(target: str, data: bytes) -> None:
    TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_holds_for_long_inputs(target: str) -> None:
    source = random.Random(7)
    for _ in range(15):
        TARGETS[target](source.randbytes(4096))
