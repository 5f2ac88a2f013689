"""What is read of an environ in one go is what OpenTelemetry's own function reads of it, query strings left out."""

import itertools
from typing import Any

import pytest
from opentelemetry.instrumentation import wsgi
from opentelemetry.instrumentation._semconv import _StabilityMode

from e2edebug_instrumentation.django_requests.environ_attributes import environ_attributes

CLIENT = {"net.peer.ip", "net.peer.port", "net.peer.name", "client.address", "client.port"}
USUAL = {
    "REQUEST_METHOD": "GET",
    "SERVER_NAME": "shop.example",
    "SERVER_PORT": "8000",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "wsgi.url_scheme": "https",
    "HTTP_HOST": "shop.example:8000",
    "HTTP_USER_AGENT": "Mozilla/5.0",
    "PATH_INFO": "/orders/7/",
    "QUERY_STRING": "token=secret",
    "RAW_URI": "/orders/7/?token=secret",
    "REMOTE_ADDR": "192.0.2.7",
    "REMOTE_PORT": "50123",
}
CHANGES: list[dict[str, Any]] = [
    {},
    {"REQUEST_METHOD": "DELETE"},
    {"SERVER_NAME": None},
    {"SERVER_PORT": "0"},
    {"SERVER_PORT": ""},
    {"SERVER_PORT": None},
    {"SERVER_PROTOCOL": "http/2"},
    {"SERVER_PROTOCOL": "SPDY"},
    {"SERVER_PROTOCOL": ""},
    {"wsgi.url_scheme": None},
    {"HTTP_HOST": ""},
    {"HTTP_HOST": None},
    {"HTTP_USER_AGENT": "Googlebot/2.1"},
    {"HTTP_USER_AGENT": "AlwaysOn probe, bingbot"},
    {"HTTP_USER_AGENT": "x" * 1000 + "bingbot"},
    {"HTTP_USER_AGENT": ""},
    {"HTTP_USER_AGENT": None},
    {"QUERY_STRING": "", "RAW_URI": "/orders/7/"},
    {"RAW_URI": None, "REQUEST_URI": "/orders/7/?token=secret"},
    {"REMOTE_ADDR": ""},
    {"REMOTE_ADDR": None, "REMOTE_PORT": None},
    {"REMOTE_PORT": "none"},
    {"REMOTE_HOST": "client.example"},
    {"REMOTE_HOST": "192.0.2.7"},
    {"REMOTE_ADDR": None, "REMOTE_HOST": "client.example"},
]
MODES = [_StabilityMode.DEFAULT, _StabilityMode.HTTP, _StabilityMode.HTTP_DUP]


def changed(change: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**USUAL, **change}.items() if value is not None}


@pytest.mark.parametrize(("mode", "change"), list(itertools.product(MODES, CHANGES)))
def test_it_says_what_the_stock_function_says(mode: _StabilityMode, change: dict[str, Any]):
    environ = changed(change)
    expected = wsgi.collect_request_attributes(environ, mode)
    for name in ("url.path", "url.query"):  # the request says these itself, without values
        expected.pop(name, None)
    if "http.target" in expected:
        expected["http.target"] = expected["http.target"].partition("?")[0]

    found = environ_attributes(environ, mode, with_client_address=True)
    without_client = environ_attributes(environ, mode, with_client_address=False)

    assert found == expected
    assert without_client == {name: value for name, value in expected.items() if name not in CLIENT}


@pytest.mark.parametrize(
    "change",
    [
        {"REQUEST_METHOD": "BREW"},
        {"REQUEST_METHOD": "get"},
        {"RAW_URI": None},
        {"SERVER_PORT": 8000},
        {"HTTP_USER_AGENT": b"bytes"},
        {"SERVER_PROTOCOL": None},
    ],
)
def test_what_is_out_of_the_ordinary_is_left_to_the_stock_function(change: dict[str, Any]):
    assert environ_attributes(changed(change), _StabilityMode.DEFAULT, with_client_address=True) is None
