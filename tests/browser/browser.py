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
    """One person's browser at one host. `faults` is everything that must not happen."""

    def __init__(self, browser, base, javascript=True, theme="light", width=1280, height=900, scale=1):
        self.base, self.origin, self.faults, self.where = base, urlsplit(base)[:2], [], ""
        self.context = browser.new_context(
            java_script_enabled=javascript,
            color_scheme=theme,
            viewport={"width": width, "height": height},
            device_scale_factor=scale,
        )
        self.context.set_default_timeout(20_000)
        # Seen by the page's own scripts only, so where they run: a violation of the policy, whatever the console says.
        self.context.add_init_script(
            "addEventListener('securitypolicyviolation', e => console.error('policy: ' + e.violatedDirective + ' ' + e.blockedURI))"
        )
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

    def open(self, path):
        self.where = path
        return self.page.goto(self.base + path, wait_until="load")

    def sign_in(self, key):
        self.open("/ui/sign-in")
        self.page.fill("#key", key)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url("**/ui")
        self.where = "/ui"

    def close(self):
        self.context.close()
