"""The portal and report pages in a browser: finding a report, marking it, and going on from a chart with the keyboard."""

import json
import pathlib

import browser
import pytest

AXE = pathlib.Path(__file__).resolve().parent / "npm" / "node_modules" / "axe-core" / "axe.min.js"
OVERVIEW = "/reports/executive_overview"
PAGES = [
    "/",
    "/?q=deposits",
    "/reports?q=nothing+like+it",
    OVERVIEW,
    f"{OVERVIEW}/blocks/risk",
    f"{OVERVIEW}/blocks/branches",
    f"{OVERVIEW}/data/branches",
    f"{OVERVIEW}/evidence",
    f"{OVERVIEW}/definition",
]


@pytest.fixture(scope="module")
def tool():
    if not browser.PROGRAM:
        pytest.skip("Chromium is missing")
    with browser.running() as tool:
        yield tool


@pytest.fixture
def page(server, tool):
    """A page of the head office's analyst."""
    with tool.page() as page:
        login = server.logins["head_office"]
        page.go(f"{server.http}/login")
        fill = f"""
          document.querySelector('main [name=name]').value = {json.dumps(login.name)};
          document.querySelector('main [name=password]').value = {json.dumps(login.password)};
          document.querySelector('main form button').click()"""
        assert page.submit(fill) == 200
        yield page


def press(page, key, code):
    for kind in ["rawKeyDown", "keyUp"]:
        page.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)


@pytest.mark.parametrize(("width", "scheme", "lang"), [(1280, "light", "zh-CN"), (390, "dark", "en")])
def test_pages_are_accessible(server, page, width, scheme, lang):
    """No page has a fault that axe finds, and none is wider than the screen. What is folded is looked at unfolded."""
    if not AXE.is_file():
        pytest.skip("run `npm ci --prefix tests/clients/npm`")
    axe, faults = AXE.read_text(), {}
    page.look(width, scheme=scheme)
    for path in PAGES:
        mark = "&" if "?" in path else "?"
        assert page.go(f"{server.http}{path}{mark}lang={lang}") == 200, path
        page.evaluate("document.querySelectorAll('main details').forEach(fold => fold.open = true)")
        page.evaluate(axe)
        found = page.evaluate("axe.run(document)")
        assert len(found["passes"]) > 10, f"{path}: axe looked at nothing"
        broken = [f"{rule['id']}: {[node['html'][:120] for node in rule['nodes']]}" for rule in found["violations"]]
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            broken.append(f"{wide} px wide")
        # A message that has no words stands there as its key.
        text = page.evaluate("document.querySelector('main').innerText")
        if bare := [word for word in text.split() if word.startswith(("portal-", "report-", "edition-"))]:
            broken.append(f"without words: {bare}")
        if broken:
            faults[path] = broken
    assert not faults, json.dumps(faults, indent=1, ensure_ascii=False)


def test_a_bar_is_reached_and_followed_by_keyboard(server, page):
    page.look(1280)
    page.go(f"{server.http}{OVERVIEW}?lang=en")
    marks = "[...document.querySelectorAll('#risk .wide svg.chart a')]"
    names = page.evaluate(f"{marks}.map(mark => mark.getAttribute('aria-label'))")
    rows = page.evaluate("[...document.querySelectorAll('#risk details tbody tr')].map(row => [...row.children].map(cell => cell.textContent))")
    assert len(names) == len(rows) == 10
    # The name says which bar it is and what it is worth.
    assert all(branch in name and value in name for name, (branch, value) in zip(names, rows, strict=True)), names
    page.evaluate(f"{marks}[0].focus()")
    reached = []
    for _ in range(3):
        reached.append(page.evaluate("document.activeElement.getAttribute('aria-label')"))
        press(page, "Tab", 9)
    assert reached == names[:3]
    # What has the focus can be seen.
    page.evaluate(f"{marks}[1].focus()")
    assert page.evaluate("getComputedStyle(document.activeElement.querySelector('.mark')).fillOpacity") != "0"
    href = page.evaluate("document.activeElement.getAttribute('href')")
    page.browser.events.clear()
    page.call("Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
    page.call("Input.dispatchKeyEvent", type="keyUp", key="Enter", code="Enter", windowsVirtualKeyCode=13)
    assert page._loaded("the report of a branch") == 200
    assert page.evaluate("location.pathname + location.search") == href
    assert href.startswith("/reports/credit_quality?") and "snapshot=" in href


def test_a_favourite_stands_first_and_works_without_scripts(server, page):
    page.scripts(on=False)
    first = "document.querySelector('.cards .card a').getAttribute('href')"
    page.go(f"{server.http}/reports?lang=en")
    before = page.evaluate(first)
    last = page.evaluate("[...document.querySelectorAll('.cards .card a')].at(-1).getAttribute('href')")
    assert last != before
    star = f"document.querySelector('form.star[action=\"{last}/favourite\"] button').click()"
    assert page.submit(star) == 200
    assert page.evaluate(first) == last
    assert page.submit(star) == 200
    assert page.evaluate(first) == before


def test_charts_keep_to_the_paper(server, page):
    """Printed on A4, no chart is wider than the page or cut at its edge."""
    page.go(f"{server.http}{OVERVIEW}?lang=zh-CN")
    page.look(718, 1000)
    page.call("Emulation.setEmulatedMedia", media="print")
    sizes = page.evaluate("""[...document.querySelectorAll('svg.chart')]
      .map(chart => chart.getBoundingClientRect()).filter(box => box.width > 0)
      .map(box => [Math.round(box.left), Math.round(box.right), Math.round(box.height)])""")
    assert len(sizes) >= 5
    assert all(left >= 0 and right <= 718 and height <= 1000 for left, right, height in sizes), sizes
    avoided = """[...document.querySelectorAll('.card.chart')].every(card => getComputedStyle(card).breakInside === 'avoid')"""
    assert page.evaluate(avoided)
