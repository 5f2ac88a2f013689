"""Keys: made once, kept as digests, shown nowhere."""

import pytest

from e2edebug.policy.config import ConfigurationError, load_config
from e2edebug.policy.ingest_keys import find_key, key_of, new_token, parse_key


def test_a_token_is_found_by_its_digest_and_no_other_is() -> None:
    tokens = [new_token("server"), new_token("browser")]
    keys = (key_of(tokens[0], "server"), key_of(tokens[1], "browser", ["https://shop.example.com"]))

    assert [find_key(token, keys) for token in tokens] == list(keys)
    assert find_key(new_token("server"), keys) is None
    assert find_key("", keys) is None
    assert not any(token in str(key) for token in tokens for key in keys)


def test_a_token_cannot_be_guessed() -> None:
    tokens = {new_token("server") for _ in range(100)}

    assert len(tokens) == 100
    assert all(len(token) >= 5 + 43 for token in tokens)


def test_an_entry_reads_back_as_it_was_written() -> None:
    for key in (key_of("a", "server"), key_of("b", "browser", ["https://a.example.com", "http://localhost:3000"])):
        assert parse_key(str(key)) == key


def test_keys_come_from_the_environment_and_are_masked() -> None:
    key = key_of("a", "server")

    config = load_config(environ={"E2EDEBUG_INGEST_KEYS": f"{key}\n {key_of('b', 'browser', ['https://x.example'])}"})

    assert config.ingest_keys[0] == key
    assert config.ingest_keys[1].origins == ("https://x.example",)
    assert key.sha256 not in repr(config)
    assert config.masked()["ingest_keys"] == ("server:***", "browser:***")


@pytest.mark.parametrize(
    "entry",
    [
        "e2es_a-token", "server:abc", f"server:{'0' * 64}:https://x.example", f"browser:{'0' * 64}",
        f"browser:{'0' * 64}:*", f"browser:{'0' * 64}:https://x.example/path", f"admin:{'0' * 64}",
        f"browser:{'0' * 64}:javascript://x", f"server:{'g' * 64}",
    ],
)  # fmt: skip
def test_a_wrong_entry_is_refused_at_start_without_being_shown(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="E2EDEBUG_INGEST_KEYS") as failure:
        load_config(environ={"E2EDEBUG_INGEST_KEYS": entry})

    assert "a-token" not in str(failure.value)
    assert "0" * 64 not in str(failure.value)
