"""Both reports in a real browser, light and dark, at 600 pixels and on a phone."""

from __future__ import annotations

import io
import os
import shutil
from dataclasses import replace

import pytest

from lms_assets.reports.config import contrast
from lms_assets.reports.figures.executive import build_executive_report
from lms_assets.reports.figures.pam import build_pam_report
from lms_assets.reports.rendering.render import Renderer
from lms_assets_tests.reports.scenarios import show_scenario

pytestmark = pytest.mark.slow
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip
WIDTHS = {"mail": 616, "phone": 375}

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


@pytest.fixture(params=["pam", "executive"])
def html(request, pages):
    return pages[request.param]


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.fixture(params=list(WIDTHS))
def page(request, browser, html, scheme):
    context = browser.new_context(
        viewport={"width": WIDTHS[request.param], "height": 900}, color_scheme=scheme, offline=True
    )
    opened = context.new_page()
    opened.said = []
    opened.on("dialog", lambda dialog: (opened.said.append(dialog.message), dialog.dismiss()))
    opened.set_content(html)
    yield opened
    context.close()


def _hex(colour: str) -> str:
    numbers = [int(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    return "#" + "".join(f"{number:02x}" for number in numbers)


def test_it_is_legible_fits_and_shows_the_picture_made_for_its_ground(page, scheme):
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
    assert page.said == []


def test_a_screen_reader_finds_headings_tables_and_pictures(page):
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("heading", level=2).count() >= 4
    table = page.get_by_role("table").first
    assert table.get_by_role("columnheader").count() >= 3
    assert table.get_by_role("rowheader").count() >= 1
    assert page.get_by_role("img").count() >= 2


def test_a_dark_page_is_dark_and_a_light_one_light(page, scheme):
    image_module = pytest.importorskip("PIL.Image")
    picture = image_module.open(io.BytesIO(page.screenshot())).convert("L")
    width, height = picture.size
    middle = picture.crop((0, height // 4, width, height))
    grey = sorted(middle.tobytes())[middle.size[0] * middle.size[1] // 2]

    assert grey < 60 if scheme == "dark" else grey > 220
