"""Debian's chromium under Playwright, watched: whatever a page does beside showing itself is noted."""

import os
from contextlib import contextmanager
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

CHROMIUM = os.environ.get("RAILHEAD_TEST_CHROMIUM", "/usr/bin/chromium")


@contextmanager
def chromium():
    with sync_playwright() as playwright:
        # --no-sandbox: tests run as root, where chromium refuses its own sandbox.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """One person's browser at one host. `faults` is everything that must not happen.

    `script=False` leaves JavaScript on and gives the pages an empty script instead of their own: they are as they are without
    JavaScript, and a checker that is a script itself can look at them.
    """

    def __init__(self, browser, base, javascript=True, script=True, theme="light", width=1280, height=900, scale=1):
        self.base, self.origin, self.faults, self.where = base, urlsplit(base)[:2], [], ""
        self.context = browser.new_context(
            java_script_enabled=javascript,
            color_scheme=theme,
            viewport={"width": width, "height": height},
            device_scale_factor=scale,
        )
        self.context.set_default_timeout(60_000)
        # Seen by the page's own scripts only, so where they run: a violation of the policy, whatever the console says.
        self.context.add_init_script(
            "addEventListener('securitypolicyviolation', e => console.error('policy: ' + e.violatedDirective + ' ' + e.blockedURI))"
        )
        if not script:
            empty = lambda route: route.fulfill(status=200, content_type="text/javascript", body="")
            self.context.route("**/portal-*.js", empty)
        self.page = self.context.new_page()
        self.page.on("console", self.on_console)
        self.page.on("pageerror", lambda error: self.fault(f"error of a script: {error}"))
        self.page.on("dialog", self.on_dialog)
        self.page.on("download", lambda download: self.fault(f"download of {download.url}"))
        self.context.on("request", self.on_request)
        self.context.on("requestfailed", self.on_failed)
        self.context.on("page", lambda page: self.fault(f"a window opened: {page.url}"))

    def fault(self, what):
        self.faults.append(f"{self.where}: {what}")

    def on_console(self, message):
        # What chromium suggests about a form with one field is no error of the page.
        if message.type in ("error", "warning", "assert"):
            self.fault(f"console {message.type}: {message.text}")

    def on_dialog(self, dialog):
        self.fault(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def on_request(self, request):
        parts = urlsplit(request.url)
        if parts.scheme != "data" and parts[:2] != self.origin:
            self.fault(f"a request to {request.url}")

    def on_failed(self, request):
        # A page that is left gives its requests up.
        if request.failure != "net::ERR_ABORTED":
            self.fault(f"a failed request: {request.url} {request.failure}")

    def open(self, path, status=200):
        """Opens a page that answers with this status."""
        self.where, noted = path, len(self.faults)
        answer = self.page.goto(self.base + path, wait_until="load")
        if answer.status != status:
            self.fault(f"it answers {answer.status} instead of {status}")
        self.forgive(noted, status)
        return answer

    def forgive(self, noted, status):
        """Chromium notes every answer of 400 and more in the console: that is the point of some pages."""
        if status >= 400:
            self.faults[noted:] = [fault for fault in self.faults[noted:] if f"status of {status}" not in fault]

    def sign_in(self, key, status=200):
        self.open("/ui/sign-in")
        self.page.fill("#key", key)
        noted = len(self.faults)
        with self.page.expect_navigation(url="**/ui"):
            self.page.keyboard.press("Enter")
        self.forgive(noted, status)
        self.where = "/ui"

    def still(self):
        """Stops updates: what is looked at must not be replaced meanwhile."""
        pause = self.page.get_by_role("button", name="Pause updates")
        if pause.count():
            pause.click()

    def close(self):
        self.context.close()
