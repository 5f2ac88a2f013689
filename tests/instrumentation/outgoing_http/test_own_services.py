"""Which hosts are ours."""

import pytest

from e2edebug_instrumentation.outgoing_http.own_services import OwnServices


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000/", "http://127.0.0.1/", "http://[::1]:9/", "http://payments/charge", "http://10.1.2.3/",
        "http://192.168.0.7:81/", "https://stock.shop.svc.cluster.local/", "http://stock.internal/", "http://nas.local./",
    ],
)  # fmt: skip
def test_without_a_setting_ours_is_what_only_our_network_knows(url: str) -> None:
    assert OwnServices().is_ours(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.stripe.com/v1/charges", "http://8.8.8.8/", "http://169.254.169.254/latest/meta-data/",
        "http://internal.example.com/", "http://localhost.example.com/", "http://localhost@evil.example.com/", "", "http://",
        "http://[::1/", "file:///etc/hosts",
    ],
)  # fmt: skip
def test_everybody_else_is_a_third_party(url: str) -> None:
    assert not OwnServices().is_ours(url)


def test_a_setting_says_exactly_who_is_ours() -> None:
    own = OwnServices(("payments.example.com", "*.shop.example", "10.0.0.0/8", "stock:8080"))

    ours = ["https://payments.example.com/x", "https://eu.shop.example/", "http://10.9.9.9/", "http://stock:8080/"]
    others = [
        "https://shop.example/",
        "https://evilshop.example/",
        "http://11.0.0.1/",
        "http://stock/",
        "http://localhost/",
    ]
    assert [own.is_ours(url) for url in ours] == [True] * 4
    assert [own.is_ours(url) for url in others] == [False] * 5


def test_a_star_is_everybody_and_none_is_nobody() -> None:
    assert OwnServices(("*",)).is_ours("https://api.stripe.com/")
    assert not OwnServices(("none",)).is_ours("http://localhost/")
