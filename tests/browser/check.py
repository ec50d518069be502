"""Looks at the pages as people do: with and without JavaScript, light and dark, by keyboard, on a phone, with axe-core.

Standard input: {"base": "http://…", "key": "…", "tenant": "…", "never": ["…"]}: a running host with data of every kind,
whose every link below /ui is followed. `never` are texts that would stand in a page only if foreign HTML had become HTML.
Prints one line of JSON with what was looked at; exits with 1 and the list of faults if there is any.
"""

import json
import re
import sys
import urllib.request
from pathlib import Path

import axe_playwright_python
from browser import Visit, chromium

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
# All rules of WCAG 2 up to AA, and what axe calls best practice.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

# Every kind of page, and how many of each are looked at: the first ones that links lead to.
KINDS = {
    "overview": r"/ui",
    "tenants": r"/ui/tenants(\?.*)?",
    "tenant": r"/ui/tenants/[^/?]+",
    "destination": r"/ui/tenants/[^/]+/destinations/[^/?]+",
    "events": r"/ui/tenants/[^/]+/events(\?.*)?",
    "event": r"/ui/tenants/[^/]+/events/[^/?]+",
    "deliveries": r"/ui/tenants/[^/]+/deliveries(\?.*)?",
    "delivery": r"/ui/tenants/[^/]+/deliveries/[^/?]+",
}
EACH = 4
FOCUSABLE = (
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']"
)


def kind_of(path):
    return next((kind for kind, shape in KINDS.items() if re.fullmatch(shape, path)), None)


def crawl(visit):
    """Follows every link; the pages to look at, by kind."""
    found, waiting, seen = {kind: [] for kind in KINDS}, ["/ui"], set()
    while waiting:
        path = waiting.pop(0)
        kind = kind_of(path)
        if path in seen or kind is None or len(found[kind]) >= EACH:
            continue
        seen.add(path)
        answer = visit.open(path)
        if answer.status != 200:
            visit.fault(f"a link leads to {answer.status}")
        found[kind].append(path)
        waiting += visit.page.eval_on_selector_all("a[href^='/ui']", "links => links.map(a => a.getAttribute('href'))")
    for kind, paths in found.items():
        if not paths:
            visit.fault(f"no link leads to a page of the kind {kind}")
    return [path for paths in found.values() for path in paths]


def odd_pages(tenant):
    """Pages that no link leads to, with the status that each has."""
    return {
        f"/ui/tenants/{tenant}/events?id=%22%3E%3Cscript%3Ealert(1)%3C/script%3E": 200,
        f"/ui/tenants/{tenant}/deliveries?state=dead&code=%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E": 200,
        f"/ui/tenants/{tenant}/deliveries?state=nonsense": 400,
        "/ui/tenants/no-such-tenant": 404,
        "/ui/no/such/page": 404,
    }


def never_there(visit, never):
    """Nothing of a customer's or destination's text has become an element, an attribute or a script."""
    html = visit.page.content()
    for text in never:
        if text in html:
            visit.fault(f"foreign HTML is in the page: {text}")
    stray = visit.page.evaluate(
        """() => [...document.querySelectorAll('script, img, iframe, object, embed, style, base, meta[http-equiv], svg script, [style], [srcdoc]')]
            .filter(e => !(e.tagName === 'SCRIPT' && e.src.startsWith(location.origin + '/ui/assets/'))).map(e => e.outerHTML.slice(0, 200))
            .concat([...document.querySelectorAll('*')].flatMap(e => [...e.attributes])
                .filter(a => a.name.startsWith('on') || /^\\s*javascript:/i.test(a.value)).map(a => a.name + '=' + a.value.slice(0, 100)))"""
    )
    for one in stray:
        visit.fault(f"it does not belong into a page: {one}")
    if visit.page.evaluate("() => 'pwned' in window"):
        visit.fault("a foreign script ran")


def structure(visit):
    facts = visit.page.evaluate(
        """() => ({lang: document.documentElement.lang, title: document.title, h1: document.querySelectorAll('h1').length,
            main: document.querySelectorAll('main').length, wide: document.documentElement.scrollWidth - innerWidth,
            ids: [...document.querySelectorAll('[id]')].map(e => e.id)})"""
    )
    twice = {one for one in facts["ids"] if facts["ids"].count(one) > 1}
    if facts["lang"] != "en" or not facts["title"].endswith("· Railhead") or (facts["h1"], facts["main"]) != (1, 1) or twice:
        visit.fault(f"its structure: {facts['title']!r} {facts['lang']} h1={facts['h1']} main={facts['main']} twice={twice}")
    if facts["wide"] > 0:
        visit.fault(f"it is {facts['wide']} pixels wider than the window")


def axe(visit):
    visit.page.evaluate(AXE)
    result = visit.page.evaluate(
        "tags => axe.run(document, {runOnly: tags, resultTypes: ['violations', 'incomplete']})", TAGS
    )
    for one in result["violations"]:
        nodes = "; ".join(node["html"][:160] + " " + node["failureSummary"][:300] for node in one["nodes"][:3])
        visit.fault(f"axe {one['id']} ({one['impact']}): {nodes}")
    return len(result["passes"])


def keyboard(visit):
    """Tab reaches everything that can be used, in the order of the page, shows where it is, and leaves at the end."""
    page = visit.page
    count = page.evaluate(
        """selector => { let n = 0; for (const e of document.querySelectorAll(selector))
            if (e.checkVisibility() && !e.disabled) e.dataset.stop = n++; return n; }""",
        FOCUSABLE,
    )
    from_the_top(page)
    reached, bare = [], []
    # A field for a time has several stops of its own.
    for _ in range(count * 8 + 5):
        page.keyboard.press("Tab")
        stop = page.evaluate(
            """() => { const e = document.activeElement; if (!e || e === document.body || e === document.documentElement) return null;
                const s = getComputedStyle(e); const box = e.getBoundingClientRect();
                return [Number(e.dataset.stop ?? -1), s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 1 || s.boxShadow !== 'none',
                    box.bottom > 0 && box.top < innerHeight, e.outerHTML.slice(0, 120)]; }"""
        )
        if stop is None or (len(reached) > 1 and stop[0] == reached[0]):
            break
        if not reached or reached[-1] != stop[0]:
            reached.append(stop[0])
            if not stop[1] or not stop[2]:
                bare.append(stop[3])
    else:
        visit.fault("the keyboard does not come to the end of the page")
    if reached != list(range(count)):
        missing = sorted(set(range(count)) - set(reached))
        visit.fault(f"the keyboard reaches {len(reached)} of {count}, in the order {reached[:40]}; not {missing[:10]}")
    for one in bare[:5]:
        visit.fault(f"focus cannot be seen: {one}")
    return count


def from_the_top(page):
    """The next Tab begins at the top, wherever the focus or a click was."""
    page.evaluate(
        """() => { document.activeElement.blur(); getSelection().removeAllRanges(); scrollTo(0, 0);
            document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex'); }"""
    )


def by_keyboard_alone(visit, key, tenant):
    """Signs in, looks an event up, opens an attempt, and signs out; no mouse."""
    page = visit.page
    visit.open("/ui")
    page.keyboard.type(key)  # the field has the focus
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui")
    visit.where = "by keyboard"
    page.keyboard.press("Tab")
    if page.evaluate("() => document.activeElement.className") != "skip":
        visit.fault("the first stop is not the link that skips the head")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    if not page.evaluate("() => document.querySelector('main').contains(document.activeElement)"):
        visit.fault("skipping the head does not lead into the content")
    page.goto(f"{visit.base}/ui/tenants/{tenant}/events")
    tab_to(visit, "#id")
    page.keyboard.type("ord-1")
    page.keyboard.press("Enter")
    page.wait_for_url("**/events/evt_*")
    tab_to(visit, "a[href*='/deliveries/dlv_']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/deliveries/dlv_*")
    tab_to(visit, "summary")
    page.keyboard.press("Enter")
    if not page.evaluate("() => document.activeElement.parentElement.open"):
        visit.fault("Enter does not open the exact bytes")
    page.goto(f"{visit.base}/ui/tenants/{tenant}/deliveries")
    tab_to(visit, "#state")
    page.keyboard.press("d")
    page.keyboard.press("Tab")
    tab_to(visit, "form.fields button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/deliveries?*state=de*")
    tab_to(visit, ".session button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/sign-in")
    if visit.context.cookies(visit.base + "/ui"):
        visit.fault("signing out leaves a cookie")


def tab_to(visit, selector):
    from_the_top(visit.page)
    for _ in range(400):
        visit.page.keyboard.press("Tab")
        if visit.page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise SystemExit(f"the keyboard does not reach {selector} at {visit.page.url}")


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
    page.get_by_role("button", name="Pause updates").click()
    page.get_by_role("button", name="Resume updates").wait_for()
    asked = []
    visit.context.on("request", lambda request: asked.append(request.url))
    publish(visit.base, key, tenant, "live-2")
    page.wait_for_timeout(5_000)  # two updates would have come: what is shown is that none does
    if asked:
        visit.fault(f"a paused page asks for {asked}")


def look(browser, base, key, tenant, never, javascript, theme, paths):
    visit = Visit(browser, base, javascript=javascript, theme=theme)
    visit.sign_in(key)
    paths = paths or crawl(visit)
    axe_rules, stops = 0, 0
    for path, status in {**{path: 200 for path in paths}, **odd_pages(tenant)}.items():
        # Chromium notes every answer of 400 and more in the console: that is the point of these pages.
        noted = len(visit.faults)
        if visit.open(path).status != status:
            visit.fault(f"it does not answer {status}")
        if status != 200:
            visit.faults[noted:] = [fault for fault in visit.faults[noted:] if f"status of {status}" not in fault]
        pause = visit.page.get_by_role("button", name="Pause updates")
        if pause.count():
            pause.click()  # what is looked at must not be replaced meanwhile
        never_there(visit, never)
        structure(visit)
        if javascript:
            axe_rules += axe(visit)
        elif visit.page.locator("[data-reload]").count() == 0 and status == 200 and visit.page.locator("[data-live]").count():
            visit.fault("without JavaScript there is no link to reload")
        if javascript and theme == "light":
            stops += keyboard(visit)
    visit.close()
    return paths, axe_rules, stops, visit.faults


def narrow(browser, base, key, paths):
    """At 320 pixels nothing is wider than the window: a phone, or 400 % zoom."""
    visit = Visit(browser, base, width=320, height=640)
    visit.sign_in(key)
    for path in paths:
        visit.open(path)
        structure(visit)
    visit.close()
    return visit.faults


def door(browser, base):
    """The sign-in page, with a wrong key too."""
    visit = Visit(browser, base)
    visit.open("/ui/sign-in")
    axe(visit)
    structure(visit)
    keyboard(visit)
    visit.page.fill("#key", "rk_live_wrong")
    noted = len(visit.faults)
    visit.page.keyboard.press("Enter")
    visit.page.get_by_role("alert").wait_for()
    visit.faults[noted:] = [fault for fault in visit.faults[noted:] if "status of 401" not in fault]
    axe(visit)
    structure(visit)
    visit.close()
    return visit.faults


def main():
    ask = json.load(sys.stdin)
    base, key, tenant, never = ask["base"], ask["key"], ask["tenant"], ask["never"]
    faults, paths, rules, stops, looked = [], None, 0, 0, 0
    with chromium() as browser:
        faults += door(browser, base)
        for javascript, theme in [(True, "light"), (True, "dark"), (False, "light")]:
            paths, passed, reached, found = look(browser, base, key, tenant, never, javascript, theme, paths)
            rules, stops, looked, faults = rules + passed, stops + reached, looked + len(paths), faults + found
        faults += narrow(browser, base, key, paths)
        person = Visit(browser, base)
        by_keyboard_alone(person, key, tenant)
        person.sign_in(key)
        live(person, key, tenant)
        faults += person.faults
    print(json.dumps({"pages": len(paths), "looks": looked, "rules_passed": rules, "stops": stops, "faults": len(faults)}))
    for fault in faults[:60]:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
