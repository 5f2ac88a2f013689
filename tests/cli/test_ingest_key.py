"""`e2edebug ingest-key create`: what it prints is what the settings and the senders need."""

import pytest

from e2edebug.cli import main
from e2edebug.policy.config import load_config
from e2edebug.policy.ingest_keys import find_key


def create(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, str]:
    assert main(["ingest-key", "create", *arguments]) == 0
    return dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())


def test_the_entry_lets_the_token_in(capsys: pytest.CaptureFixture[str]) -> None:
    printed = create(capsys)

    keys = load_config(environ={"E2EDEBUG_INGEST_KEYS": printed["entry"]}).ingest_keys
    found = find_key(printed["token"], keys)
    assert found is not None
    assert (found.kind, found.origins) == ("server", ())


def test_a_browsers_key_is_for_the_origins_of_its_pages(capsys: pytest.CaptureFixture[str]) -> None:
    printed = create(
        capsys, "--browser-origin", "https://shop.example.com", "--browser-origin", "http://localhost:3000"
    )

    keys = load_config(environ={"E2EDEBUG_INGEST_KEYS": printed["entry"]}).ingest_keys
    assert [(key.kind, key.origins) for key in keys] == [
        ("browser", ("https://shop.example.com", "http://localhost:3000"))
    ]
    assert find_key(printed["token"], keys) is keys[0]


def test_every_token_is_another(capsys: pytest.CaptureFixture[str]) -> None:
    assert create(capsys)["token"] != create(capsys)["token"]


def test_an_origin_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ingest-key", "create", "--browser-origin", "shop.example.com/page"]) == 2

    assert capsys.readouterr().err == (
        "e2edebug: --browser-origin: 'shop.example.com/page' is no origin such as https://shop.example.com\n"
    )
