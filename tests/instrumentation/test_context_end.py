"""A time limit that strikes exactly while a context is left reaches the application, and the context is left."""

import contextvars
import logging
from contextvars import Token

import pytest
from opentelemetry import context as otel_context
from opentelemetry.context import Context

from e2edebug.decorators import step
from e2edebug_instrumentation.context_end import detach


class TimeIsUpError(Exception):
    """As Celery's SoftTimeLimitExceeded."""


class Interrupted:
    """OpenTelemetry's own runtime context, in which a signal strikes once before or after the work is done."""

    def __init__(self, *, strikes_after: bool) -> None:
        self._inner = otel_context._RUNTIME_CONTEXT
        self._strikes_after = strikes_after
        self._is_due = True

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def detach(self, token: "Token[Context]") -> None:
        if self._is_due:
            self._is_due = False
            if self._strikes_after:
                self._inner.detach(token)
            raise TimeIsUpError
        self._inner.detach(token)


@pytest.mark.parametrize("strikes_after", [False, True])
def test_what_a_signal_handler_raises_passes_and_the_context_is_left(
    strikes_after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otel_context, "_RUNTIME_CONTEXT", Interrupted(strikes_after=strikes_after))
    token = otel_context.attach(otel_context.set_value("ours", 1))

    with pytest.raises(TimeIsUpError):
        detach(token)

    assert otel_context.get_value("ours") is None


def test_a_time_limit_at_the_end_of_a_step_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    @step
    def work() -> str:
        return "done"

    monkeypatch.setattr(otel_context, "_RUNTIME_CONTEXT", Interrupted(strikes_after=False))

    with pytest.raises(TimeIsUpError):
        work()


def test_a_token_of_another_context_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = contextvars.copy_context().run(lambda: otel_context.attach(otel_context.set_value("ours", 1)))

    detach(token)

    assert "belongs elsewhere" in caplog.text
