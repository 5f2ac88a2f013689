"""Settings: precedence, strictness, what people are told, and what they are never shown."""

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2edebug.policy.config import (
    SETTINGS,
    Config,
    ConfigurationError,
    load_config,
    settings_table,
)
from e2edebug.policy.config_values import WorkflowRule

URL = "mysql+pymysql://shop:hunter2@db.internal:3306/shop"
README = Path(__file__).parents[2] / "README.md"


def problems_of(
    overrides: dict[str, object] | None = None,
    environ: dict[str, str] | None = None,
    django_settings: dict[str, object] | None = None,
) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        load_config(overrides, environ=environ or {}, django_settings=django_settings)
    return caught.value.problems


def test_without_any_setting_every_default_is_in_force() -> None:
    config = load_config(environ={})

    assert {setting.field: getattr(config, setting.field) for setting in SETTINGS} == {
        setting.field: setting.default for setting in SETTINGS
    }
    assert set(config.sources.values()) == {"default"}
    assert config.warnings == ()


def test_the_constructor_and_the_loader_agree_on_the_defaults() -> None:
    loaded, made = load_config(environ={}), Config()

    assert {one.name: getattr(loaded, one.name) for one in fields(Config) if one.name != "sources"} == {
        one.name: getattr(made, one.name) for one in fields(Config) if one.name != "sources"
    }


def test_an_argument_beats_the_environment_which_beats_django_which_beats_the_default() -> None:
    environ = {"E2EDEBUG_BATCH_MAX_ITEMS": "2", "E2EDEBUG_QUEUE_MAX_ITEMS": "2"}
    django_settings: dict[str, object] = {"BATCH_MAX_ITEMS": 3, "QUEUE_MAX_ITEMS": 3, "FLUSH_INTERVAL_S": 3}

    config = load_config({"batch_max_items": 1}, environ=environ, django_settings=django_settings)

    assert (config.batch_max_items, config.queue_max_items, config.flush_interval_s) == (1, 2, 3.0)
    assert [config.sources[name] for name in ("batch_max_items", "queue_max_items", "flush_interval_s", "enabled")] == [
        "argument",
        "environment",
        "django settings",
        "default",
    ]


def test_none_as_an_argument_or_in_django_says_nothing() -> None:
    config = load_config(
        {"database_url": None},
        environ={"E2EDEBUG_DATABASE_URL": URL},
        django_settings={"RELEASE": None},
    )

    assert (config.database_url, config.release, config.sources["release"]) == (URL, None, "default")


def test_a_blank_variable_counts_as_unset() -> None:
    config = load_config(environ={"E2EDEBUG_DATABASE_URL": "", "E2EDEBUG_FLUSH_INTERVAL_S": "  "})

    assert (config.database_url, config.flush_interval_s, config.sources["flush_interval_s"]) == (None, 1.0, "default")


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("E2EDEBUG_FLUSH_INTERVAL_S", "abc", "='abc' is not a number of seconds"),
        ("E2EDEBUG_FLUSH_INTERVAL_S", "nan", "='nan' is not a number of seconds"),
        ("E2EDEBUG_FLUSH_INTERVAL_S", "1_0", "='1_0' is not a number of seconds"),
        ("E2EDEBUG_FLUSH_INTERVAL_S", "-1", "='-1' is not a number of seconds"),
        ("E2EDEBUG_FLUSH_INTERVAL_S", "0", "='0' is not a number of seconds above 0 and up to 31536000"),
        ("E2EDEBUG_READ_TIMEOUT_S", "99999999", "='99999999' is not a number of seconds above 0 and up to 31536000"),
        ("E2EDEBUG_QUEUE_MAX_ITEMS", "1.5", "='1.5' is not a whole number of items"),
        ("E2EDEBUG_QUEUE_MAX_ITEMS", "٣", "='٣' is not a whole number of items"),
        ("E2EDEBUG_BATCH_MAX_ITEMS", "0", "='0' is not a whole number of items from 1 on"),
        ("E2EDEBUG_ENABLED", "maybe", "='maybe' is not true or false"),
        ("E2EDEBUG_QUEUE_MAX_BYTES", "64 TB", "='64 TB' is not a number of bytes such as 65536, 64KiB or 64MiB"),
        (
            "E2EDEBUG_VALUE_MAX_BYTES",
            "10",
            "='10' is not a number of bytes such as 65536, 64KiB or 64MiB, at least 256",
        ),
        (
            "E2EDEBUG_WORKFLOW_RULES",
            "POST /pay",
            "='POST /pay' is not a list of rules such as 'POST /api/checkout/=checkout; GET /login/*=login': "
            "'POST /pay' is no 'METHOD /route=type'",
        ),
        (
            "E2EDEBUG_PROPAGATE_TO",
            "https://payments.example.com/",
            "='https://payments.example.com/' is not a list of hosts, separated by commas, such as "
            "'payments.example.com, *.internal, 10.0.0.0/8'; or 'none'",
        ),
        (
            "E2EDEBUG_DATABASE_URL",
            "postgresql://shop:hunter2@db/shop",
            "='postgresql://shop:***@db/shop' is not a database URL such as "
            "mysql+pymysql://user:password@host:3306/database (several hosts: host1:3306,host2:3306) or sqlite:///file",
        ),
    ],
)
def test_a_wrong_value_names_variable_value_and_accepted_form(variable: str, value: str, problem: str) -> None:
    assert problems_of(environ={variable: value}) == (variable + problem,)


def test_a_wrong_regular_expression_says_what_is_wrong_with_it() -> None:
    (problem,) = problems_of(environ={"E2EDEBUG_EXCLUDED_URLS": "/health,/a("})

    assert problem.startswith("E2EDEBUG_EXCLUDED_URLS='/health,/a(' is not a list of regular expressions")
    assert "'/a(' is wrong (missing ), unterminated subpattern" in problem


def test_all_problems_of_a_load_are_reported_at_once() -> None:
    assert problems_of(
        {"flush_interval_s": "soon", "databse_url": URL},
        environ={"E2EDEBUG_ENABLED": "perhaps"},
        django_settings={"FLUSH_INTERVAL": 3, "BATCH_MAX_ITEMS": []},
    ) == (
        "flush_interval_s='soon' is not a number of seconds",
        "databse_url is not a setting; did you mean database_url?",
        "E2EDEBUG_ENABLED='perhaps' is not true or false",
        "E2EDEBUG['FLUSH_INTERVAL'] is not a setting; did you mean FLUSH_INTERVAL_S?",
        "E2EDEBUG['BATCH_MAX_ITEMS']=[] is not a whole number of items",
    )


def test_a_wrong_value_is_reported_even_where_a_stronger_source_has_a_right_one() -> None:
    assert problems_of({"enabled": True}, environ={"E2EDEBUG_ENABLED": "perhaps"}) == (
        "E2EDEBUG_ENABLED='perhaps' is not true or false",
    )


def test_django_settings_that_are_no_dictionary_are_refused() -> None:
    assert problems_of(django_settings=["DATABASE_URL"]) == (  # type: ignore[arg-type]  # what the test is about
        "E2EDEBUG=['DATABASE_URL'] in Django's settings is not a dictionary",
    )


def test_an_unknown_variable_of_ours_is_a_warning_that_names_the_nearest() -> None:
    config = load_config(environ={"E2EDEBUG_FLUSH_INTERVALS": "1", "E2EDEBUG_TEST_DATABASE_URL": URL})

    assert config.warnings == (
        "E2EDEBUG_FLUSH_INTERVALS is not a setting and is ignored; did you mean E2EDEBUG_FLUSH_INTERVAL_S?",
    )


def test_a_very_long_value_is_cut_in_the_message() -> None:
    (problem,) = problems_of(environ={"E2EDEBUG_ENABLED": "x" * 100_000})

    assert len(problem) < 200


def test_control_characters_of_a_wrong_value_are_shown_escaped() -> None:
    assert problems_of(environ={"E2EDEBUG_ENABLED": "\x1b[31mno"}) == (
        r"E2EDEBUG_ENABLED='\x1b[31mno' is not true or false",
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [("64KiB", 65_536), ("64k", 65_536), ("64 KB", 65_536), ("1MiB", 1 << 20), ("65537", 65_537), ("300b", 300)],
)
def test_a_size_takes_units(text: str, value: int) -> None:
    assert load_config(environ={"E2EDEBUG_VALUE_MAX_BYTES": text}).value_max_bytes == value


@pytest.mark.parametrize(("text", "value"), [("1", True), ("YES", True), ("on", True), ("0", False), ("False", False)])
def test_a_boolean_takes_the_usual_words(text: str, value: bool) -> None:
    assert load_config(environ={"E2EDEBUG_RESPONSE_HEADER": text}).response_header is value


def test_the_exit_need_not_wait_at_all() -> None:
    assert load_config(environ={"E2EDEBUG_EXIT_TIMEOUT_S": "0"}).exit_timeout_s == 0.0


def test_lists_come_as_text_or_as_python_lists() -> None:
    from_text = load_config(environ={"E2EDEBUG_REDACT_KEYS": "iban, ,tax_id"})
    from_list = load_config(
        environ={}, django_settings={"REDACT_KEYS": ["iban", "tax_id"], "EXCLUDED_URLS": [r"a{1,2}"]}
    )

    assert from_text.redact_keys == from_list.redact_keys == ("iban", "tax_id")
    assert from_list.excluded_urls == (r"a{1,2}",)


def test_workflow_rules_are_parsed_in_order() -> None:
    config = load_config(
        environ={"E2EDEBUG_WORKFLOW_RULES": "post /api/checkout/=checkout; * /login/*=sign in ;"},
    )

    assert config.workflow_rules == (
        WorkflowRule("POST", "/api/checkout/", "checkout"),
        WorkflowRule("*", "/login/*", "sign in"),
    )


@pytest.mark.parametrize(
    ("rule", "method", "route", "matches"),
    [
        (WorkflowRule("POST", "/api/checkout/", "checkout"), "POST", "api/checkout/", True),
        (WorkflowRule("POST", "/api/checkout/", "checkout"), "GET", "api/checkout/", False),
        (WorkflowRule("POST", "/api/checkout/", "checkout"), "POST", "api/checkout/pay/", False),
        (WorkflowRule("*", "/api/*/pay/", "pay"), "PUT", "/api/orders/<int:pk>/pay/", True),
        (WorkflowRule("*", "/api/(.)", "x"), "GET", "/api/(a)", False),
    ],
)
def test_a_workflow_rule_matches_method_and_route(rule: WorkflowRule, method: str, route: str, matches: bool) -> None:
    assert rule.matches(method, route) is matches


def test_otel_names_service_and_release_in_its_resource_attributes() -> None:
    environ = {"OTEL_RESOURCE_ATTRIBUTES": "service.name=web%20shop, service.version=1.2.3,deployment=x"}

    config = load_config(environ=environ)

    assert (config.service_name, config.release) == ("web shop", "1.2.3")
    assert (config.sources["service_name"], config.sources["release"]) == ("environment", "environment")


def test_the_more_particular_variable_beats_the_resource_attributes() -> None:
    environ = {
        "OTEL_RESOURCE_ATTRIBUTES": "service.name=a,service.version=1",
        "OTEL_SERVICE_NAME": "b",
        "E2EDEBUG_RELEASE": "2",
    }

    config = load_config(environ=environ)

    assert (config.service_name, config.release) == ("b", "2")


def test_otels_metric_interval_is_milliseconds_and_ours_wins() -> None:
    otel = {"OTEL_METRIC_EXPORT_INTERVAL": "1500"}

    assert load_config(environ=otel).metric_interval_s == 1.5
    assert load_config(environ=otel | {"E2EDEBUG_METRIC_INTERVAL_S": "7"}).metric_interval_s == 7.0


def test_what_otel_would_ignore_is_ignored_with_a_warning() -> None:
    config = load_config(environ={"OTEL_METRIC_EXPORT_INTERVAL": "often", "OTEL_SDK_DISABLED": "1"})

    assert (config.metric_interval_s, config.sdk_disabled) == (60.0, False)
    assert config.warnings == (
        "OTEL_SDK_DISABLED='1' counts as false: only 'true' is true",
        "OTEL_METRIC_EXPORT_INTERVAL='often' is ignored: it is not a whole number of milliseconds",
    )


def test_the_sdk_is_disabled_by_true_in_any_case() -> None:
    assert load_config(environ={"OTEL_SDK_DISABLED": "True"}).sdk_disabled is True


def test_a_password_is_in_no_view_meant_for_people() -> None:
    config = load_config(environ={"E2EDEBUG_DATABASE_URL": URL})

    assert config.database_url == URL
    assert config.masked()["database_url"] == "mysql+pymysql://shop:***@db.internal:3306/shop"
    assert "hunter2" not in repr(config)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql+pymysql://u:p@127.0.0.1:notaport/x", "its port is not a number from 1 to 65535"),
        ("mysql+pymysql://u:p@h:33:06/x", "its port is not a number from 1 to 65535"),
        ("mysql+pymysql://u:p@h:99999/x", "its port is not a number from 1 to 65535"),
        ("mysql+pymysql://u:p@[::1/x", "its host cannot be read"),
        ("mysql+pymysql://u:p@[nine]:3306/x", "its host is no IPv6 address"),
    ],
)
def test_a_database_url_that_cannot_be_parsed_is_a_wrong_setting(url: str, reason: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_config(environ={"E2EDEBUG_DATABASE_URL": url})

    assert str(caught.value) == (
        f"E2EDEBUG_DATABASE_URL={url.replace(':p@', ':***@')!r} is not a database URL such as "
        f"mysql+pymysql://user:password@host:3306/database (several hosts: host1:3306,host2:3306) or sqlite:///file: {reason}"
    )
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "url",
    [
        "mysql://db/x", "mysql://u@db/x", "mysql://u:p/q#r?s'@db:3306/x", "mysql://[::1]:3306/x", "mariadb://u:p@/x?unix_socket=/a:b",
        "mysql://db?read_default_file=/x", "sqlite:///a:b", "sqlite://", "mysql+mysqldb://u:p@db:/x", "mysql://[fe80::1%eth0]/x",
    ],
)  # fmt: skip
def test_every_database_url_that_sqlalchemy_can_parse_is_taken(url: str) -> None:
    assert load_config(environ={"E2EDEBUG_DATABASE_URL": url}).database_url == url


PASSWORDS = st.text(st.sampled_from("abc:@/?&=#%é"), max_size=12).map(lambda middle: f"SECRET{middle}SECRET")


@given(password=PASSWORDS, scheme=st.sampled_from(["mysql+pymysql://", "mysql:", "postgres://", "//", ""]))
def test_no_password_survives_masking_however_odd_the_url(password: str, scheme: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_config({"enabled": "wrong", "database_url": f"{scheme}user:{password}@host/db"}, environ={})

    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    "query",
    ["password=SECRET", "charset=utf8&PassWd=SECRET", "p%61ssword=SECRET", "ssl_key=SECRET", "password=a@SECRET"],
)
def test_no_password_in_the_query_of_a_url_survives_masking(query: str) -> None:
    for server in ("host", "host:3306", "u:p@host:3306"):
        config = load_config({"database_url": f"mysql://{server}/db?{query}"}, environ={})

        assert "SECRET" not in str(config.masked()["database_url"])


def test_the_readme_has_the_settings_table() -> None:
    _, _, rest = README.read_text(encoding="utf-8").partition("<!-- settings -->")
    table, end, _ = rest.partition("<!-- /settings -->")

    assert end, "README.md has no <!-- settings --> … <!-- /settings -->"
    assert table.strip() == settings_table()
