"""The pages without a mouse."""

FOCUSABLE = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']"
# WCAG 1.4.11: what shows where the focus is stands out from what is around it.
MIN_CONTRAST = 3

# Numbers what can be used, in the order of the page, and fills what a form must have.
NUMBER = """selector => { let n = 0;
    for (const e of document.querySelectorAll(selector)) if (e.checkVisibility() && !e.disabled) e.dataset.stop = n++;
    for (const e of document.querySelectorAll('input:required')) e.value = 'x';
    return n; }"""

# Where the focus is, how it shows, and what Enter must do there.
STOP = """() => { const e = document.activeElement;
    if (!e || e === document.body || e === document.documentElement) return null;
    const parse = text => (text.match(/[0-9.]+/g) || [0, 0, 0, 0]).map(Number);
    const behind = e => { for (let p = e.parentElement; p; p = p.parentElement) {
        const c = parse(getComputedStyle(p).backgroundColor); if (c.length < 4 || c[3] === 1) return c; } return [255, 255, 255]; };
    const light = c => { const [r, g, b] = c.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
    const s = getComputedStyle(e), box = e.getBoundingClientRect();
    const outlined = s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2;
    return {n: Number(e.dataset.stop ?? -1), tag: e.tagName, type: e.type || '', html: e.outerHTML.slice(0, 120),
        shown: outlined ? contrast(parse(s.outlineColor), behind(e)) : 0,
        inside: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
        href: e.getAttribute('href'), to: e.tagName === 'A' ? e.href : e.form ? e.form.action : '',
        method: e.tagName === 'A' || !e.form ? 'GET' : e.form.method.toUpperCase()}; }"""


def walk(visit, used):
    """Tab reaches everything that can be used, in the order of the page, shows where it is, and leaves at the end. At each
    link, button and field Enter does what it is there for. `used` holds where Enter led; what is in it is not tried again.
    """
    page, went = visit.page, []
    count = page.evaluate(NUMBER, FOCUSABLE)
    page.route("**/*", lambda route: stay(route, went))
    from_the_top(page)
    reached, bare = [], []
    # A field for a time has several stops of its own.
    for _ in range(count * 8 + 5):
        page.keyboard.press("Tab")
        stop = page.evaluate(STOP)
        if stop is None or (len(reached) > 1 and stop["n"] == reached[0]):
            break
        if reached and reached[-1] == stop["n"]:
            continue
        reached.append(stop["n"])
        if stop["shown"] < MIN_CONTRAST or not stop["inside"]:
            bare.append(stop)
        enter(visit, stop, used)
    else:
        visit.fault("the keyboard does not come to the end of the page")
    page.unroute("**/*")
    if reached != list(range(count)):
        missing = sorted(set(range(count)) - set(reached))
        visit.fault(f"the keyboard reaches {len(reached)} of {count}, in the order {reached[:40]}; not {missing[:10]}")
    for stop in bare[:5]:
        visit.fault(f"focus cannot be seen (contrast {stop['shown']:.1f}, in the window: {stop['inside']}): {stop['html']}")
    return count


def stay(route, went):
    """A browser that gets 204 stays on its page: where it would have gone is seen, and the walk goes on."""
    if route.request.is_navigation_request():
        route.fulfill(status=204)
    else:
        route.continue_()


def enter(visit, stop, used):
    page = visit.page
    if stop["tag"] == "SUMMARY":
        is_open = lambda: page.evaluate("() => document.activeElement.parentElement.open")
        before = is_open()
        page.keyboard.press("Enter")
        if is_open() == before:
            visit.fault(f"Enter does not open {stop['html']}")
        page.keyboard.press("Enter")
        return
    leads = stop["tag"] == "A" and not stop["href"].startswith("#")
    sends = stop["tag"] in ("BUTTON", "INPUT") and stop["type"] in ("submit", "text", "password")
    aim = (stop["method"], stop["to"], stop["tag"])
    if not (leads or sends) or aim in used:
        return
    used.add(aim)
    try:
        with page.expect_request(lambda request: request.is_navigation_request()) as asked:
            page.keyboard.press("Enter")
    except Exception as error:  # the time that a visit waits is over
        visit.fault(f"Enter does nothing at {stop['html']}: {error}")
        return
    got, wanted = asked.value, stop["to"]
    same = got.url == wanted if leads else got.url.split("?")[0] == wanted.split("?")[0]
    if not same or got.method != stop["method"]:
        visit.fault(f"Enter leads to {got.method} {got.url} at {stop['html']}")


def from_the_top(page):
    """The next Tab begins at the top, wherever the focus or a click was."""
    page.evaluate(
        """() => { document.activeElement.blur(); getSelection().removeAllRanges(); scrollTo(0, 0);
            document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex'); }"""
    )


def tab_to(visit, selector):
    from_the_top(visit.page)
    for _ in range(400):
        visit.page.keyboard.press("Tab")
        if visit.page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise SystemExit(f"the keyboard does not reach {selector} at {visit.page.url}")


def press(visit, selector, url):
    """Presses Enter at an element, and arrives."""
    tab_to(visit, selector)
    with visit.page.expect_navigation(url=url):
        visit.page.keyboard.press("Enter")


def journey(visit, key, tenant):
    """Signs in, looks an event up, opens an attempt, filters, and signs out; no mouse."""
    page = visit.page
    visit.open("/ui")
    page.locator("#key:focus").wait_for()
    page.keyboard.type(key)
    with page.expect_navigation(url="**/ui"):
        page.keyboard.press("Enter")
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
    with page.expect_navigation(url="**/events/evt_*"):
        page.keyboard.press("Enter")
    press(visit, "a[href*='/deliveries/dlv_']", "**/deliveries/dlv_*")
    tab_to(visit, "summary")
    page.keyboard.press("Enter")
    if not page.evaluate("() => document.activeElement.parentElement.open"):
        visit.fault("Enter does not open the exact bytes")
    page.goto(f"{visit.base}/ui/tenants/{tenant}/deliveries")
    tab_to(visit, "#state")
    page.keyboard.press("d")
    press(visit, "form.fields button", "**/deliveries?*state=de*")
    press(visit, ".session button", "**/ui/sign-in")
    if visit.context.cookies(visit.base + "/ui"):
        visit.fault("signing out leaves a cookie")
