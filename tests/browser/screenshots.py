"""Makes the pictures of README.md: `screenshots.py RAILHEAD FOLDER` runs the demo of that binary and looks at its pages.

The pages take the fonts that the machine has: with Debian's fonts-inter and fonts-jetbrains-mono the pictures come out as they
are. Nothing is staged: the data is the demo's own.
"""

import re
import subprocess
import sys
from pathlib import Path

from browser import Visit, chromium

# Wide enough for a table, small enough for a page of README.
WIDTH, HEIGHT = 1180, 760


def started(demo):
    """Reads the demo's words up to the way in."""
    for line in demo.stdout:
        found = re.search(r"Pages: (\S+)/ui +sign in with the key (\S+)", line)
        if found:
            return found.groups()
    raise SystemExit("the demo ended before it said where its pages are")


def wait_for(demo, words):
    for line in demo.stdout:
        if words in line:
            return
    raise SystemExit(f"the demo ended before it said: {words}")


def shoot(visit, folder, name, height=HEIGHT):
    visit.page.set_viewport_size({"width": WIDTH, "height": height})
    visit.page.screenshot(path=str(folder / f"{name}.png"))


def whole(visit, most):
    """How high the page is, up to a bound."""
    return min(most, visit.page.evaluate("() => Math.ceil(document.body.getBoundingClientRect().height)"))


def main():
    binary, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    demo = subprocess.Popen([binary, "demo", "--keep"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        base, key = started(demo)
        with chromium() as browser:
            visit = Visit(browser, base, width=WIDTH, height=HEIGHT)
            visit.sign_in(key)
            # A neighbour holds every request: there is something to see.
            wait_for(demo, "A dead neighbour")
            visit.page.get_by_text("waiting, 0 not").first.wait_for()
            visit.page.wait_for_function("() => [...document.querySelectorAll('td.number')].some(cell => cell.textContent === '2,000')")
            shoot(visit, folder, "overview")
            visit.open("/ui/tenants/acme/deliveries?state=dead")
            rows = visit.page.locator("tbody tr").first
            event, delivery = rows.locator("a.id").get_attribute("href"), rows.locator("a").first.get_attribute("href")
            visit.open(event)
            shoot(visit, folder, "event", whole(visit, 940))
            visit.open(delivery)
            shoot(visit, folder, "delivery")
            visit.open("/ui/tenants/acme")
            shoot(visit, folder, "tenant", whole(visit, HEIGHT))
            if visit.faults:
                raise SystemExit("\n".join(visit.faults))
    finally:
        demo.terminate()
        demo.wait()


if __name__ == "__main__":
    main()
