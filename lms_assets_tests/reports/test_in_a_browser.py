"""Both reports in a real browser, light and dark, at 600 pixels and on a phone."""

from __future__ import annotations

import io
import os
import re
import shutil
from dataclasses import replace

import pytest

from lms_assets.reports.config import contrast
from lms_assets.reports.figures.executive import build_executive_report
from lms_assets.reports.figures.pam import build_pam_report
from lms_assets.reports.rendering.evidence import EvidenceData, EvidenceRow, render_evidence
from lms_assets.reports.rendering.render import Renderer
from lms_assets_tests.reports.scenarios import show_scenario

pytestmark = pytest.mark.slow
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip
WIDTHS = (616, 375)

COLOURS = """() => {
  const shown = [];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some(each => each.nodeType === 3 && each.textContent.trim());
    if (!own || !node.getClientRects().length || node.closest('.preheader')) continue;
    let ground = node;
    while (ground && getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
    shown.push([getComputedStyle(node).color, ground ? getComputedStyle(ground).backgroundColor : 'rgb(255, 255, 255)',
                node.textContent.trim().slice(0, 40), parseFloat(getComputedStyle(node).fontSize)]);
  }
  return shown;
}"""


BROKEN_DATES = """() => {
  const broken = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (const found of node.data.matchAll(/\\d{1,2}\\u00a0[A-Z][a-z]+\\u00a0\\d{4}/g)) {
      const range = document.createRange();
      range.setStart(node, found.index);
      range.setEnd(node, found.index + found[0].length);
      if (new Set([...range.getClientRects()].map(each => each.top)).size > 1) broken.push(found[0]);
    }
  }
  return broken;
}"""


@pytest.fixture(scope="module")
def pages():
    scenario = show_scenario(partners=24, seed=11)
    scenario = replace(
        scenario, frame=replace(scenario.frame, banner="A part of last night's update did not come through.")
    )
    renderer = Renderer(scenario.config)
    return {
        "pam": renderer.render(build_pam_report(scenario, ["Owner 1"])).standalone_html,
        "executive": renderer.render(build_executive_report(scenario)).standalone_html,
    }


@pytest.fixture(scope="module")
def browser():
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is not installed (apt-get install chromium): no report was looked at")
        pytest.skip("Chromium is not installed (apt-get install chromium): no report was looked at")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.fixture(params=["pam", "executive"])
def html(request, pages):
    return pages[request.param]


@pytest.fixture
def page(browser, html, scheme):
    context = browser.new_context(color_scheme=scheme, offline=True)
    opened = context.new_page()
    opened.said = []
    opened.on("dialog", lambda dialog: (opened.said.append(dialog.message), dialog.dismiss()))
    opened.set_content(html)
    yield opened
    context.close()


def evidence_data(rows: int) -> EvidenceData:
    """A page of many rows, half of them counted, most of which expire at once."""
    person = "03ee9ef6-4faf-40d4-ac9c-e187fda432b9"
    texts = ("nintex_ce", 2, "2026-08-19T17:00:00+00:00", "2028-08-18T17:00:00+00:00", "group ptr_Acorn")
    counted = EvidenceRow(person, "Automation Cloud Expert", *texts, "counted", "counted", "held", "e", "f", True)
    other = replace(counted, status="other", verdict="not_completed", reason="not completed", completed=None)
    return EvidenceData(
        "1", "2026-11-23T08:00:00+00:00", 1, "Acorn Österreich Consulting and Implementation Services GmbH", "Select",
        "2026-11-23T02:00:00+00:00", True, 10, 2 * rows, {"nintex_ce": rows, "go_to_market": 0}, 0, rows,
        ("People, courses or enrollments changed since.",), (*[counted] * rows, *[other] * rows),
        ("members of group 9ae72f58-19e0-4be2-830c-17e251c91424 were never read completely",) * 3,
    )  # fmt: skip


@pytest.mark.parametrize("width", [1200, 375])
def test_the_evidence_page_is_legible_on_screens(browser, scheme, width):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
    page = context.new_page()
    page.set_content(render_evidence(evidence_data(3)))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    texts = page.evaluate(COLOURS)
    assert len(texts) > 60
    assert not {text for color, ground, text, _ in texts if contrast(_hex(color), _hex(ground)) < 4.5}
    assert min(size for *_, size in texts) >= 12
    context.close()


def test_the_evidence_page_is_whole_on_paper(browser, scheme):
    """White, a table's head on each page, no row over two pages, and each page says which of how many it is."""
    context = browser.new_context(viewport={"width": 688, "height": 900}, color_scheme=scheme, offline=True)
    page = context.new_page()
    page.set_content(render_evidence(evidence_data(60)))
    page.emulate_media(media="print", color_scheme=scheme)
    grounds = {ground for _, ground, *_ in page.evaluate(COLOURS)}
    assert {min(int(each) for each in re.findall(r"\d+", ground)) > 240 for ground in grounds} == {True}
    assert page.evaluate("[...document.querySelectorAll('thead')].every(each => getComputedStyle(each).display == "
                         "'table-header-group')")  # fmt: skip
    rows = page.evaluate("[...document.querySelectorAll('tr')].map(each => [each.offsetHeight, "
                         "getComputedStyle(each).breakInside])")  # fmt: skip
    assert {kept for _, kept in rows} == {"avoid"}
    assert max(height for height, _ in rows) < 200, "a row that is taller than what is left of a page moves to the next"
    pages = len(re.findall(rb"/Type /Page\b", page.pdf(format="A4")))
    assert 5 < pages < 15
    assert "counter(page)" in page.content()
    context.close()


def test_a_report_is_whole_on_paper(browser, html, scheme):
    """White whatever the screen is, dark letters, and no row, picture or heading apart from what follows."""
    context = browser.new_context(viewport={"width": 688, "height": 900}, color_scheme=scheme, offline=True)
    page = context.new_page()
    page.set_content(html)
    page.emulate_media(media="print", color_scheme=scheme)
    texts = page.evaluate(COLOURS)
    assert {min(int(each) for each in re.findall(r"\d+", ground)[:3]) > 200 for _, ground, *_ in texts} == {True}
    assert not {text for color, _, text, _ in texts if contrast(_hex(color), "#ffffff") < 4.5}
    kept = "[...document.querySelectorAll('.data tr, img')].map(each => getComputedStyle(each).breakInside)"
    assert set(page.evaluate(kept)) == {"avoid"}
    after = "[...document.querySelectorAll('h2, h3')].map(each => getComputedStyle(each).breakAfter)"
    assert set(page.evaluate(after)) == {"avoid"}
    assert len(re.findall(rb"/Type /Page\b", page.pdf(format="A4"))) < 10
    context.close()


def _hex(colour: str) -> str:
    numbers = [int(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    return "#" + "".join(f"{number:02x}" for number in numbers)


def test_it_is_legible_fits_and_is_found_by_a_screen_reader_at_each_width(page, scheme):
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        refuse_what_cannot_be_read(page, scheme)
        is_of_its_scheme(page, scheme)
    found_by_a_screen_reader(page)
    assert page.said == []


def refuse_what_cannot_be_read(page, scheme):
    """Nothing to scroll sideways, every text with enough contrast and of a size that can be read, no script run."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    texts = page.evaluate(COLOURS)
    assert len(texts) > 80
    faint = {(text, color, ground) for color, ground, text, _ in texts if contrast(_hex(color), _hex(ground)) < 4.5}
    assert not faint
    assert min(size for *_, size in texts) >= 12
    shown = page.evaluate(
        "[...document.images].map(each => [each.className, each.getClientRects().length > 0, each.naturalWidth > 0])"
    )
    assert {name for name, visible, _ in shown if visible} == {f"on-{scheme}"}
    assert all(loaded for _, _, loaded in shown)
    assert page.evaluate(BROKEN_DATES) == []


def found_by_a_screen_reader(page):
    """Headings, tables and pictures."""
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("heading", level=2).count() >= 4
    table = page.get_by_role("table").first
    assert table.get_by_role("columnheader").count() >= 3
    assert table.get_by_role("rowheader").count() >= 1
    assert page.get_by_role("img").count() >= 2


def is_of_its_scheme(page, scheme):
    """A dark page is dark, and a light one light."""
    image_module = pytest.importorskip("PIL.Image")
    picture = image_module.open(io.BytesIO(page.screenshot())).convert("L")
    width, height = picture.size
    middle = picture.crop((0, height // 4, width, height))
    grey = sorted(middle.tobytes())[middle.size[0] * middle.size[1] // 2]

    assert grey < 60 if scheme == "dark" else grey > 220
