"""Looks at the pages as people do: with and without JavaScript, light and dark, by keyboard, on a phone, with axe-core.

Standard input: {"base": "http://…", "key": "…", "admin": "…", "few": "…", "tenant": "…", "never": ["…"]}: a running host with
data of every kind, whose every link below /ui is followed, and three keys: one of the environment, the administrator's, and one
with the scopes `tenants` and `events:read` alone. `never` are texts that would stand in a page only if foreign HTML had become
HTML. Prints one line of JSON with what was looked at; exits with 1 and the list of faults if there is any.
"""

import json
import re
import sys
import urllib.request

from browser import Visit, chromium
from keyboard import journey, press, tab_to, walk
from looks import axe, narrow, never_there, structure

# Every kind of page: its address, and what a key of few scopes gets there.
KINDS = {
    "overview": (r"/ui", 403),
    "tenants": (r"/ui/tenants(\?.*)?", 200),
    "tenant": (r"/ui/tenants/[^/?]+(\?.*)?", 403),
    "destination": (r"/ui/tenants/[^/]+/destinations/[^/?]+", 403),
    "events": (r"/ui/tenants/[^/]+/events(\?.*)?", 200),
    "event": (r"/ui/tenants/[^/]+/events/[^/?]+", 200),
    "deliveries": (r"/ui/tenants/[^/]+/deliveries(\?.*)?", 403),
    "delivery": (r"/ui/tenants/[^/]+/deliveries/[^/?]+(\?.*)?", 403),
    "environment": (r"/ui/environment", 403),
}
# Links lead the administrator alone to it.
ADMINISTRATORS = {"environment"}
# How many of each kind are looked at: the first ones that links lead to.
EACH = 2
# Pages for who has no key, or a wrong one.
OPEN = ["/ui/sign-in", "/docs", "/problems", "/problems/missing-scope"]


def kind_of(path):
    return next((kind for kind, (shape, _) in KINDS.items() if re.fullmatch(shape, path)), None)


def crawl(visit, each, kinds):
    """Follows every link; the pages to look at, by kind. A link to a page of no known kind, or of none of `kinds`, is a fault."""
    found, waiting, seen = {kind: [] for kind in kinds}, ["/ui"], set()
    while waiting:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        kind = kind_of(path)
        if kind not in found:
            visit.fault(f"a link leads to {path}, a page of {'no known kind' if kind is None else f'the kind {kind}'}")
            continue
        if len(found[kind]) >= each:
            continue
        visit.open(path)
        found[kind].append(path)
        waiting += visit.page.eval_on_selector_all("a[href^='/ui']", "links => links.map(a => a.getAttribute('href'))")
    for kind, paths in found.items():
        if not paths:
            visit.fault(f"no link leads to a page of the kind {kind}")
    return found


def odd_pages(tenant):
    """Pages that no link leads to, with the status that each has."""
    return {
        f"/ui/tenants/{tenant}/events?id=%22%3E%3Cscript%3Ealert(1)%3C/script%3E": 200,
        f"/ui/tenants/{tenant}/deliveries?state=dead&code=%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E": 200,
        f"/ui/tenants/{tenant}/deliveries?state=nonsense": 400,
        "/ui/tenants/no-such-tenant": 404,
        "/ui/no/such/page": 404,
    }


class Tour:
    """What all looks together found."""

    def __init__(self, browser, ask):
        self.browser, self.ask, self.faults = browser, ask, []
        self.counts = {"pages": 0, "looks": 0, "rules_passed": 0, "stops": 0, "used": 0}

    def look(self, key, pages, status=200, rules=True, keys=True, **how):
        """Opens pages, each with the status that it has, and looks at them: with axe-core (`rules`), by keyboard (`keys`)."""
        visit, used = Visit(self.browser, self.ask["base"], **how), set()
        if key:
            visit.sign_in(key, status)
        for path, expected in pages.items():
            visit.open(path, expected)
            visit.still()
            self.counts["looks"] += 1
            never_there(visit, self.ask["never"])
            structure(visit)
            has_script = how.get("javascript", True)
            if has_script and rules:
                self.counts["rules_passed"] += axe(visit)
            if not has_script and expected == 200 and visit.page.locator("[data-live]").count() > visit.page.locator("[data-reload]").count():
                visit.fault("without JavaScript there is no link to reload")
            if keys:
                narrow(visit)
                self.counts["stops"] += walk(visit, used)
        self.counts["used"] += len(used)
        self.leads_somewhere(visit, used)
        self.end(visit)

    def leads_somewhere(self, visit, used):
        """Whatever link Enter followed, there is a page."""
        for method, url, tag in sorted(used):
            if tag == "A" and method == "GET":
                status = visit.context.request.get(url).status
                # What a key may not see is said so, where it leads.
                if status not in (200, 403):
                    visit.fault(f"a link leads to {status}: {url}")

    def end(self, visit):
        visit.close()
        self.faults += visit.faults


def everybody(tour):
    """Who has no key yet, and who has a wrong one."""
    for theme in ("light", "dark"):
        tour.look(None, {path: 200 for path in OPEN}, theme=theme, keys=False)
    tour.look(None, {"/ui/sign-in": 200, "/problems/missing-scope": 200}, javascript=False)
    visit = Visit(tour.browser, tour.ask["base"])
    visit.open("/ui/sign-in")
    walk(visit, set())
    visit.page.fill("#key", "rk_live_wrong")
    noted = len(visit.faults)
    visit.page.keyboard.press("Enter")
    visit.page.get_by_role("alert").wait_for()
    visit.forgive(noted, 401)
    axe(visit)
    structure(visit)
    narrow(visit)
    tour.end(visit)


def holder(tour):
    """The holder of a key of the environment: all pages in all ways; the pages by kind."""
    ask = tour.ask
    visit = Visit(tour.browser, ask["base"])
    visit.sign_in(ask["key"])
    found = crawl(visit, EACH, KINDS.keys() - ADMINISTRATORS)
    tour.end(visit)
    every = {path: 200 for paths in found.values() for path in paths}
    first = {paths[0]: 200 for paths in found.values() if paths}
    tour.counts["pages"] += len(every)
    tour.look(ask["key"], every | odd_pages(ask["tenant"]))
    tour.look(ask["key"], first | odd_pages(ask["tenant"]), javascript=False, theme="dark")
    tour.look(ask["key"], first, script=False, theme="dark", keys=False)
    return first


def administrator(tour):
    """The administrator: all kinds of pages, and an environment where nothing is yet, chosen by keyboard."""
    ask = tour.ask
    for how in ({"javascript": True}, {"javascript": False, "theme": "dark"}):
        visit = Visit(tour.browser, ask["base"], **how)
        visit.sign_in(ask["admin"])
        found = crawl(visit, 1, KINDS)
        visit.open("/ui/environment")
        press(visit, "button[value=sandbox]", "**/ui")
        for path in ("/ui", "/ui/tenants", "/ui/environment"):
            visit.open(path)
            visit.still()
            if "sandbox" not in visit.page.locator(".chip").inner_text():
                visit.fault("the chosen environment is not the one that is shown")
            structure(visit)
            if how["javascript"]:
                axe(visit)
            walk(visit, set())
        tour.end(visit)
        # Anybody's pages, but for the link to choose an environment.
        pages = {path: 200 for paths in found.values() for path in paths}
        tour.look(ask["admin"], pages, rules=False, keys=False, **how)


def few_scopes(tour, first):
    """A key that may see next to nothing is told so, page by page."""
    pages = {path: KINDS[kind_of(path)][1] for path in [*first, "/ui/environment"]}
    for how in ({"keys": False}, {"javascript": False, "theme": "dark"}):
        tour.look(tour.ask["few"], pages, status=403, **how)


def publish(base, key, tenant, event):
    body = json.dumps({"tenant": tenant, "type": "order.live", "id": event, "data": {}}).encode()
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{base}/v1/events", body, headers)) as answer:
        assert answer.status == 202


def live(visit, key, tenant):
    """The overview follows what happens, keeps the focus where it is, and can be paused."""
    page = visit.page
    visit.open("/ui")
    visit.where = "live"
    link = f"a[href='/ui/tenants/{tenant}']"
    page.focus(link)
    page.evaluate("() => { window.stayed = true; }")
    before = page.locator("#live").inner_html()
    publish(visit.base, key, tenant, "live-1")
    page.wait_for_function("before => document.querySelector('#live').innerHTML !== before", arg=before)
    if not page.evaluate("link => window.stayed && document.activeElement.matches(link)", link):
        visit.fault("an update moves the focus, or loads the page anew")
    tab_to(visit, ".live-bar button")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Resume updates").wait_for()
    asked = []
    visit.context.on("request", lambda request: asked.append(request.url))
    publish(visit.base, key, tenant, "live-2")
    page.wait_for_timeout(5_000)  # two updates would have come: what is shown is that none does
    if asked:
        visit.fault(f"a paused page asks for {asked}")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Pause updates").wait_for()


def main():
    ask = json.load(sys.stdin)
    key, tenant = ask["key"], ask["tenant"]
    with chromium() as browser:
        tour = Tour(browser, ask)
        everybody(tour)
        first = holder(tour)
        administrator(tour)
        few_scopes(tour, first)
        for javascript in (True, False):
            person = Visit(browser, ask["base"], javascript=javascript)
            journey(person, key, tenant)
            if javascript:
                person.sign_in(key)
                live(person, key, tenant)
            tour.end(person)
    print(json.dumps(tour.counts | {"faults": len(tour.faults)}))
    for fault in tour.faults[:60]:
        print(fault, file=sys.stderr)
    return 1 if tour.faults else 0


if __name__ == "__main__":
    sys.exit(main())
