"""Whatever happens to the bytes of a file of frames, every frame that is whole is read, and the rest is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2edebug_exporters.spool.frames import HEADER_BYTES, MAGIC, Damage, Frame, encode_frame, read_frames

PAYLOADS = st.lists(
    st.binary(max_size=60) | st.binary(max_size=8).map(lambda data: data + MAGIC + data), min_size=1, max_size=6
)


def encoded(payloads: list[bytes]) -> bytes:
    return b"".join(encode_frame(payload, rows=number + 1) for number, payload in enumerate(payloads))


def read(data: bytes) -> tuple[list[bytes], list[Damage]]:
    """Return the payloads and the damage; together they are all of *data*, once."""
    position, payloads, damage = 0, [], []
    for found in read_frames(data):
        assert found.start == position
        assert found.end > found.start
        position = found.end
        if isinstance(found, Frame):
            payloads.append(found.payload)
        else:
            damage.append(found)
    assert position == len(data)
    return payloads, damage


@given(PAYLOADS)
def test_what_was_written_is_read_in_order(payloads: list[bytes]) -> None:
    assert read(encoded(payloads)) == (payloads, [])


@pytest.mark.fault(16)
@given(PAYLOADS)
def test_a_file_torn_at_any_offset_costs_the_torn_frame_alone(payloads: list[bytes]) -> None:
    data = encoded(payloads)
    ends = [0]
    for payload in payloads:
        ends.append(ends[-1] + HEADER_BYTES + len(payload))

    for length in range(len(data) + 1):
        whole, damage = read(data[:length])

        assert whole == payloads[: sum(end <= length for end in ends) - 1]
        assert bool(damage) is (length not in ends)


@pytest.mark.fault(16)
@given(PAYLOADS, st.data())
def test_a_flipped_byte_costs_its_frame_alone_and_is_told(payloads: list[bytes], choose: st.DataObject) -> None:
    data = bytearray(encoded(payloads))
    offset = choose.draw(st.integers(0, len(data) - 1))
    data[offset] ^= choose.draw(st.integers(1, 255))

    whole, damage = read(bytes(data))

    struck = next(number for number, (start, end) in enumerate(spans(payloads)) if start <= offset < end)
    assert whole == payloads[:struck] + payloads[struck + 1 :]
    assert damage
    if offset - spans(payloads)[struck][0] >= HEADER_BYTES:
        assert [one.rows for one in damage] == [struck + 1]


@pytest.mark.fault(16)
@given(PAYLOADS, st.binary(min_size=1, max_size=40), st.data())
def test_bytes_written_between_frames_cost_no_frame(payloads: list[bytes], noise: bytes, choose: st.DataObject) -> None:
    before = choose.draw(st.integers(0, len(payloads)))
    data = encoded(payloads[:before]) + noise + encoded(payloads[before:])

    whole, damage = read(data)

    assert whole == payloads
    assert damage


@pytest.mark.fault(16)
@given(PAYLOADS, st.data())
def test_bytes_lost_from_a_frame_cost_no_other(payloads: list[bytes], choose: st.DataObject) -> None:
    data = encoded(payloads)
    start = choose.draw(st.integers(0, len(data) - 1))
    end = choose.draw(st.integers(start + 1, len(data)))

    whole, _ = read(data[:start] + data[end:])

    untouched = [
        payload
        for payload, (begin, stop) in zip(payloads, spans(payloads), strict=True)
        if stop <= start or begin >= end
    ]
    rest = iter(whole)  # cut at a lucky place, the halves of two frames make one of them
    assert all(payload in rest for payload in untouched)
    assert len(whole) <= len(payloads)


@pytest.mark.fault(16)
@given(st.binary(max_size=400))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    read(data)


def spans(payloads: list[bytes]) -> list[tuple[int, int]]:
    found, position = [], 0
    for payload in payloads:
        end = position + HEADER_BYTES + len(payload)
        found.append((position, end))
        position = end
    return found
