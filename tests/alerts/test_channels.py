"""Where messages go: public addresses, signed, without redirects, and everything apprise knows."""

import hashlib
import hmac
import json
from collections.abc import Iterator

import pytest
from support.mailbox import Mailbox, open_mailbox

from e2edebug.alerts.channels.addresses import AddressPolicy
from e2edebug.alerts.channels.channel import DeliveryError, OutgoingMessage, PermanentDeliveryError
from e2edebug.alerts.channels.opening import open_channel
from e2edebug.alerts.routes import read_route

MESSAGE = OutgoingMessage(
    notification_id=7, subject="[critical] Checkout", text="It is slow.\n", level="critical", payload={"kind": "firing"}
)
PUBLIC = AddressPolicy()
LOOPBACK = AddressPolicy(["127.0.0.0/8", "::1/128"])


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with open_mailbox() as opened:
        yield opened


def send(url: str, policy: AddressPolicy, secret: str = "") -> None:
    (route,) = read_route("ops", {"url": url, "secret": secret})
    open_channel(route, policy).send(MESSAGE)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
        "ff02::1", "not an address",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not PUBLIC.allows(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"])
def test_a_public_address_is_allowed(address: str) -> None:
    assert PUBLIC.allows(address)


def test_a_network_that_is_named_is_allowed() -> None:
    closed = AddressPolicy(["10.0.0.0/8"])

    assert closed.allows("10.1.2.3")
    assert not closed.allows("192.168.1.1")


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f.1"])
def test_a_webhook_does_not_knock_on_its_own_network_however_it_is_written(host: str) -> None:
    with pytest.raises(DeliveryError, match=r"not a public address|cannot be resolved"):
        send(f"webhook+https://{host}/in", PUBLIC)


def test_a_webhook_goes_over_https_unless_a_network_is_allowed() -> None:
    with pytest.raises(PermanentDeliveryError, match="over https"):
        send("webhook+http://example.com/in", PUBLIC)


def test_a_webhook_is_signed_with_its_time(mailbox: Mailbox) -> None:
    send(mailbox.url, LOOPBACK, secret="s3cret")

    (body,), (headers,) = mailbox.bodies, mailbox.headers
    parts = dict(part.split("=", 1) for part in headers["X-E2Edebug-Signature"].split(","))
    assert parts["v1"] == hmac.new(b"s3cret", parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert json.loads(body) == {"kind": "firing", "id": 7, "possible_repeat": False}
    assert headers["X-E2Edebug-Delivery"] == "7"


@pytest.mark.parametrize(
    ("status", "is_permanent"), [(500, False), (503, False), (429, False), (400, True), (404, True), (302, True)]
)
def test_an_answer_says_whether_trying_again_helps(mailbox: Mailbox, status: int, is_permanent: bool) -> None:
    mailbox.status = status

    with pytest.raises(DeliveryError) as raised:
        send(mailbox.url, LOOPBACK)

    assert raised.value.is_permanent is is_permanent
    assert len(mailbox.bodies) == 1  # no redirect is followed


def test_nobody_at_home_is_tried_again() -> None:
    with pytest.raises(DeliveryError) as raised:
        send("webhook+http://127.0.0.1:9/in", LOOPBACK)

    assert not raised.value.is_permanent


def test_apprise_is_held_to_the_same_addresses(mailbox: Mailbox) -> None:
    address = f"json://127.0.0.1:{mailbox.server_port}/in"

    with pytest.raises(PermanentDeliveryError, match=r"leads to 127\.0\.0\.1, which is not a public address"):
        send(address, PUBLIC)
    assert mailbox.bodies == []

    send(address, LOOPBACK)
    assert json.loads(mailbox.bodies[0])["message"].startswith("It is slow.")


@pytest.mark.parametrize("url", ["file:///tmp/x", "nosuch://x", "webhook+https://", "django-email:nobody"])
def test_an_address_that_cannot_be_used_is_refused_for_good(url: str) -> None:
    with pytest.raises(PermanentDeliveryError):
        send(url, PUBLIC)


def test_a_token_is_read_from_the_environment(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_HOOK", mailbox.url)

    send("${OPS_HOOK}", LOOPBACK)

    assert len(mailbox.bodies) == 1
    with pytest.raises(PermanentDeliveryError, match="NO_SUCH_HOOK of this address is not set"):
        send("${NO_SUCH_HOOK}", LOOPBACK)
