"""What tests of stored alerts share."""

from datetime import UTC, datetime

import pytest

from e2edebug.policy.config import Config, load_config


@pytest.fixture
def noon() -> datetime:
    """A moment for stories."""
    return datetime(2026, 3, 2, 12, 0, 5, tzinfo=UTC)


@pytest.fixture
def config() -> Config:
    return load_config({}, environ={})
