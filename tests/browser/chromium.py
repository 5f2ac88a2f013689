"""A headless Chromium that says of each page which dialogs it opened and what its policy refused."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from selenium import webdriver
from selenium.common.exceptions import NoAlertPresentException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

# Without the background flags Chromium talks to hosts of its own all the time.
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--window-size=1400,1000",
)  # fmt: skip
_SETTLE_S = 0.05
"""For what a page does after it has loaded: error handlers of images, timers."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a page did."""

    dialogs: list[str]
    violations: list[str]
    is_admin_page: bool


class Browser:
    """One Chromium."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self._driver = driver
        self.version = f"Chromium {driver.capabilities['browserVersion']}"

    def log_in(self, url: str, name: str, password: str) -> None:
        """Log in to Django's admin."""
        self._driver.get(url)
        self._driver.find_element("name", "username").send_keys(name)
        self._driver.find_element("name", "password").send_keys(password)
        self._driver.find_element("css selector", "[type=submit]").click()

    def visit(self, url: str) -> Seen:
        """Open a page and everything on it that can be unfolded."""
        self._driver.get_log("browser")
        self._driver.get(url)
        time.sleep(_SETTLE_S)
        dialogs = self._dialogs()
        self._driver.execute_script("document.querySelectorAll('details').forEach(function (one) { one.open = true })")
        time.sleep(_SETTLE_S)
        dialogs += self._dialogs()
        messages = [entry["message"] for entry in self._driver.get_log("browser")]
        refused = [message for message in messages if "Content Security Policy" in message]
        return Seen(dialogs, refused, bool(self._driver.find_elements("id", "content")))

    def _dialogs(self) -> list[str]:
        found = []
        while True:
            try:
                alert = self._driver.switch_to.alert
                found.append(str(alert.text))
                alert.accept()
            except NoAlertPresentException:
                return found


@contextmanager
def chromium() -> Iterator[Browser]:
    """Give a browser of Debian's chromium and chromium-driver."""
    options = Options()
    options.binary_location = shutil.which("chromium") or "/usr/bin/chromium"
    options.unhandled_prompt_behavior = "ignore"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = webdriver.Chrome(
            options=options, service=Service(shutil.which("chromedriver") or "/usr/bin/chromedriver")
        )
        try:
            yield Browser(driver)
        finally:
            driver.quit()
