"""Rows survive the way to disk and back; what is not ours is refused in one way only."""

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2edebug_exporters.rows import RowBatch, SessionFacts
from e2edebug_exporters.spool.row_payload import (
    NewerPayloadError,
    UnreadablePayloadError,
    decode_batch,
    encode_batch,
)
from e2edebug_schema.tables import trace_step

from ..writing.rows_by_hand import error, root, snapshot, step
from .batches import batch


def changed(payload: bytes, **members: object) -> bytes:
    document = json.loads(zlib.decompress(payload)) | members
    return zlib.compress(json.dumps(document).encode())


@given(st.text(max_size=50), st.floats(allow_nan=False), st.none() | st.text(max_size=20))
def test_rows_come_back_as_they_were(text: str, number: float, name: str | None) -> None:
    facts = SessionFacts(is_root=True, status="failed", is_explicit=True, user_label=name, metadata=text)
    written = RowBatch(
        steps=[step(1, metadata=text, duration_ms=number), root(2, session_facts=facts)],
        errors=[error(1, error_message=text, user_id=name)],
        snapshots=[snapshot(1, metric_value=number, count=1 << 62)],
    )

    assert decode_batch(encode_batch(written, schema_revision="0007")) == (written, "0007")


def test_a_lone_surrogate_survives() -> None:
    written = RowBatch(steps=[step(1, metadata="\ud83d")])

    assert decode_batch(encode_batch(written, schema_revision="1")).batch == written


def test_columns_are_found_by_name_and_lacking_ones_get_their_default() -> None:
    """A frame of a version whose rows had another order, and no group_title."""
    payload = encode_batch(RowBatch(errors=[error(1)]), schema_revision="1")
    document = json.loads(zlib.decompress(payload))
    columns = document["columns"]["errors"][:-1]
    document["columns"]["errors"] = columns[::-1]
    document["errors"] = [row[:-1][::-1] for row in document["errors"]]

    read = decode_batch(zlib.compress(json.dumps(document).encode())).batch

    assert read.errors == [error(1, group_title="")]


def test_steps_of_a_version_that_wrote_them_in_the_order_of_the_table_are_read() -> None:
    rows = [step(1), root(2)]
    document = json.loads(zlib.decompress(encode_batch(RowBatch(steps=rows), schema_revision="1")))
    columns = document["columns"]["steps"]
    before = [*(column.name for column in trace_step.columns if column.name != "id"), "session_facts"]
    assert before != columns
    document["columns"]["steps"] = before
    document["steps"] = [[row[columns.index(name)] for name in before] for row in document["steps"]]

    assert decode_batch(zlib.compress(json.dumps(document).encode())).batch.steps == rows


def test_a_frame_of_a_newer_version_is_told_from_a_broken_one() -> None:
    payload = encode_batch(batch(), schema_revision="1")
    document = json.loads(zlib.decompress(payload))

    with pytest.raises(NewerPayloadError, match="format is 2"):
        decode_batch(changed(payload, format=2))
    with pytest.raises(NewerPayloadError, match="shoe_size"):
        decode_batch(
            changed(payload, columns=document["columns"] | {"steps": [*document["columns"]["steps"], "shoe_size"]})
        )
    with pytest.raises(UnreadablePayloadError, match="lacks trace_id"):
        decode_batch(changed(payload, columns=document["columns"] | {"steps": ["correlation_id"]}))


@pytest.mark.parametrize("rows", [None, 7, "text", [None], [{}], [[]], [[1] * 99], [[["nested"]] * 19]])
def test_rows_of_the_wrong_shape_are_refused(rows: object) -> None:
    with pytest.raises(UnreadablePayloadError):
        decode_batch(changed(encode_batch(batch(), schema_revision="1"), steps=rows))


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    ).map(lambda value: zlib.compress(json.dumps(value).encode()))
)
def test_anything_else_is_unreadable(payload: bytes) -> None:
    with pytest.raises((UnreadablePayloadError, NewerPayloadError)):
        decode_batch(payload)


def test_a_small_frame_that_unpacks_to_gigabytes_is_refused() -> None:
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(300)) + packer.flush()

    with pytest.raises(UnreadablePayloadError):
        decode_batch(bomb)
