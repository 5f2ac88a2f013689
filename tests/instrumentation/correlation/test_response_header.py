"""What the browser is told."""

import pytest

from e2edebug_instrumentation.correlation.response_header import set_correlation_id_header


@pytest.mark.parametrize(
    ("exposed", "expected"),
    [
        (None, "X-Correlation-ID"),
        ("", "X-Correlation-ID"),
        ("X-Total, ETag", "X-Total, ETag, X-Correlation-ID"),
        ("x-correlation-id", "x-correlation-id"),
        ("X-Total,X-CORRELATION-ID", "X-Total,X-CORRELATION-ID"),
        ("X-Correlation-ID-Old", "X-Correlation-ID-Old, X-Correlation-ID"),
    ],
)
def test_the_header_is_exposed_beside_what_was_exposed(exposed: str | None, expected: str) -> None:
    headers = {} if exposed is None else {"Access-Control-Expose-Headers": exposed}

    set_correlation_id_header(headers, "order-1")

    assert headers == {"X-Correlation-ID": "order-1", "Access-Control-Expose-Headers": expected}


def test_an_id_that_the_application_sends_itself_stays() -> None:
    headers = {"X-Correlation-ID": "its own"}

    set_correlation_id_header(headers, "order-1")

    assert headers["X-Correlation-ID"] == "its own"
