"""A real browser: Debian's chromium, driven by selenium.

Out: Browser, which opens pages, waits for what scripts do, and tells what went wrong in it.
Never: reaches beyond loopback; no driver or browser is fetched.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from servers import program_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from selenium.webdriver.remote.webelement import WebElement

ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars")
WAIT_SECONDS = 20.0  # a busy machine with two cores took 3 for a page
GONE = "Node with given id does not belong to the document"
"""What chromedriver says of an element, instead of that it is stale, if the next page comes while it is asked for."""
WIDE, NARROW = (1200, 900), (360, 740)
ENTER, ESCAPE, TAB = Keys.ENTER, Keys.ESCAPE, Keys.TAB


class Browser:
    """One window."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        """Open a page; returns when it is loaded."""
        self.driver.get(url)

    def all(self, selector: str) -> list[WebElement]:
        """The elements that a CSS selector finds now."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        """The first element that a CSS selector finds."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """The texts of these elements as they are shown."""
        return [each.text for each in self.all(selector)]

    def click(self, selector: str) -> None:
        """Click the first such element."""
        self.one(selector).click()

    def write(self, selector: str, text: str) -> None:
        """Type a text into a field instead of what is there."""
        field = self.one(selector)
        field.clear()
        field.send_keys(text)

    def press(self, *keys: str) -> None:
        """Press keys wherever the focus is."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def run(self, script: str, *arguments: object) -> Any:  # noqa: ANN401  what JavaScript returns
        """Run a script in the page; what it returns."""
        return self.driver.execute_script(script, *arguments)

    def command(self, name: str, **parameters: object) -> None:
        """Send a command of the DevTools protocol."""
        self.driver.execute_cdp_cmd(name, parameters)

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait until something is so; an element that is of the page before says nothing."""

        def is_so(_driver: object) -> object:
            try:
                return condition()
            except WebDriverException as error:
                if isinstance(error, StaleElementReferenceException) or GONE in str(error):
                    return False
                raise

        WebDriverWait(self.driver, WAIT_SECONDS, 0.05).until(is_so, what)

    def size(self, width: int, height: int) -> None:
        """Make the window so large."""
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    def prefer(self, scheme: str) -> None:
        """Let the reader prefer `light` or `dark`."""
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def complaints(self) -> list[str]:
        """What the browser has complained of since this was asked before; a refused script is among it."""
        return [each["message"] for each in self.driver.get_log("browser") if each["level"] == "SEVERE"]  # type: ignore[no-untyped-call]


@contextmanager
def running_browser() -> Iterator[Browser]:
    """A browser, as long as the context lasts."""
    options = webdriver.ChromeOptions()
    options.binary_location = program_path("chromium", "chromium")
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(program_path("chromedriver", "chromium-driver")))
    try:
        browser = Browser(driver)
        browser.size(*WIDE)
        yield browser
    finally:
        driver.quit()
