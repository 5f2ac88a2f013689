"""The Sentry SDK with every request traced, to a sink on this machine."""

import os
from typing import Any
from urllib.parse import urlsplit

TITLE = "Sentry SDK, every request traced, to a sink"
WHO = "peer"
EVERY = 3


def configure(settings: dict[str, Any]) -> None:
    """Its Django integration patches Django itself."""


def begin() -> None:
    import sentry_sdk

    sink = urlsplit(os.environ["BENCHMARK_SINK_URL"])
    sentry_sdk.init(dsn=f"http://key@{sink.netloc}/1", traces_sample_rate=1.0)


def flush() -> None:
    import sentry_sdk

    sentry_sdk.flush(60)
