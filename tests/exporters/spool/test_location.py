"""Where the spool is, and when there is none."""

import sys
from pathlib import Path

import pytest

from e2edebug.policy.config import ConfigurationError, load_config
from e2edebug.policy.durability import Durability
from e2edebug_exporters.spool.location import folder_name, is_for_target, is_spooling, spool_root, target_name
from e2edebug_schema.engine import create_store_engine


def target_of(url: str) -> str | None:
    engine = create_store_engine(url)
    try:
        return target_name(engine)
    finally:
        engine.dispose()


def test_it_is_in_the_state_directory_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(environ={})
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert spool_root(config) == Path("/state/e2edebug/spool")

    for ignored in ("", "relative/state"):
        monkeypatch.setenv("XDG_STATE_HOME", ignored)
        assert spool_root(config) == Path("/home/ada/.local/state/e2edebug/spool")


def test_the_setting_names_another_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")

    assert spool_root(load_config({"spool_dir": "~/spool"}, environ={})) == Path("/home/ada/spool")
    with pytest.raises(ConfigurationError, match="E2EDEBUG_SPOOL_DIR='spool' is not an absolute path"):
        load_config(environ={"E2EDEBUG_SPOOL_DIR": "spool"})


def test_under_pytest_only_a_spool_that_was_asked_for_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_spooling(load_config(environ={}))
    assert is_spooling(load_config({"spool_dir": "/spool"}, environ={}))
    assert is_spooling(load_config({"durability": "spool"}, environ={}))

    monkeypatch.delitem(sys.modules, "pytest")
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    assert is_spooling(load_config(environ={}))
    assert not is_spooling(load_config({"durability": "memory", "spool_dir": "/spool"}, environ={}))


def test_a_wrong_durability_names_the_right_ones() -> None:
    with pytest.raises(
        ConfigurationError, match="E2EDEBUG_DURABILITY='disk' is not one of memory, spool and spool-first"
    ):
        load_config(environ={"E2EDEBUG_DURABILITY": "disk"})
    assert load_config(environ={"E2EDEBUG_DURABILITY": "Spool-First"}).durability is Durability.SPOOL_FIRST


def test_a_folder_is_of_one_service_and_one_database() -> None:
    urls = ("mysql://u:p@db/one", "mysql://u:p@db/two", "mysql://u:p@other/one", "sqlite:////one", "sqlite:////two")
    targets = [str(target_of(url)) for url in urls]
    names = {folder_name(service, target) for service in ("shop", "bank", "Shop", "sh op") for target in targets}

    assert len(names) == 4 * len(urls)
    assert all(sum(is_for_target(name, target) for name in names) == 4 for target in targets)


def test_the_same_database_is_known_under_another_account_or_order_of_hosts() -> None:
    assert target_of("mysql://u:p@db1,db2:3307/one") == target_of("mariadb+pymysql://v:q@db2:3307,db1:3306/one")


def test_a_database_in_memory_has_no_spool() -> None:
    assert target_of("sqlite://") is None


@pytest.mark.parametrize("service", ["../../etc", "", "a" * 500, "läden/ß", "\x1b[31m", "."])
def test_a_service_s_name_cannot_lead_elsewhere(service: str) -> None:
    name = folder_name(service, "server db:3306 one")

    assert Path(name).name == name
    assert len(name) < 100
    assert name.isascii()
    assert name.isprintable()
    assert not name.startswith(".")
