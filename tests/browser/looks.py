"""What is wrong with the page that a visit has open."""

from pathlib import Path

import axe_playwright_python

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
# All rules of WCAG 2 up to AA, and what axe calls best practice.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Rules whose "needs a person's look" a person has judged: rule -> why it is no fault here. None is left: a page that axe
# cannot judge is made one that it can.
JUDGED = {}
# Phones, 400 % zoom (WCAG 1.4.10), tablets.
WIDTHS = (320, 360, 768)


def never_there(visit, never):
    """Nothing of a customer's or destination's text has become an element, an attribute or a script."""
    html = visit.page.content()
    for text in never:
        if text in html:
            visit.fault(f"foreign HTML is in the page: {text}")
    if not visit.where.startswith("/ui"):
        return  # the reference: nothing foreign, and a style that its policy names by its hash
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
    """One heading, one main part, a title, a language, no id twice, nothing wider than the window."""
    facts = visit.page.evaluate(
        """() => ({lang: document.documentElement.lang, title: document.title, h1: document.querySelectorAll('h1').length,
            main: document.querySelectorAll('main').length, ids: [...document.querySelectorAll('[id]')].map(e => e.id)})"""
    )
    twice = {one for one in facts["ids"] if facts["ids"].count(one) > 1}
    if facts["lang"] != "en" or not facts["title"].endswith("· Railhead") or (facts["h1"], facts["main"]) != (1, 1) or twice:
        visit.fault(f"its structure: {facts['title']!r} {facts['lang']} h1={facts['h1']} main={facts['main']} twice={twice}")
    fits(visit)


def fits(visit):
    wide = visit.page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    if wide > 0:
        visit.fault(f"it is {wide} pixels wider than a window of {visit.page.viewport_size['width']}")


def narrow(visit):
    """Nothing is wider than a small window; wide tables scroll within their own frame."""
    whole = visit.page.viewport_size
    for width in WIDTHS:
        visit.page.set_viewport_size({"width": width, "height": 700})
        fits(visit)
    visit.page.set_viewport_size(whole)


def axe(visit):
    """axe-core finds nothing, and leaves nothing open; how many rules passed."""
    visit.page.evaluate(AXE)
    result = visit.page.evaluate(
        "tags => axe.run(document, {runOnly: tags, resultTypes: ['violations', 'incomplete']})", TAGS
    )
    open_ones = [one for one in result["incomplete"] if one["id"] not in JUDGED]
    for word, found in (("axe", result["violations"]), ("axe cannot tell", open_ones)):
        for one in found:
            nodes = "; ".join(why(node) for node in one["nodes"][:3])
            visit.fault(f"{word} {one['id']} ({one['impact']}), {len(one['nodes'])} times: {nodes}")
    return len(result["passes"])


def why(node):
    messages = [check["message"] for check in node["any"] + node["all"] + node["none"]]
    return f"{node['html'][:160]} {'; '.join(messages)[:300]}"
