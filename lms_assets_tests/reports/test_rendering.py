"""What a reader's mail program gets: escaped, small enough, the same in HTML and in text, readable by ear."""

from __future__ import annotations

import io
import itertools
import re
import tomllib
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from lms_assets.domain.safety.withheld import WithheldReason, in_plain_words
from lms_assets.reports.config import MINIMUM_CONTRAST, contrast, report_config
from lms_assets.reports.figures.executive import build_executive_report
from lms_assets.reports.figures.pam import build_pam_report
from lms_assets.reports.rendering import charts
from lms_assets.reports.rendering import formatting as words
from lms_assets.reports.rendering.document import Cell, Column, Document, Row, Section, Table
from lms_assets.reports.rendering.pam_document import pam_document
from lms_assets.reports.rendering.render import MAX_HTML_BYTES, Renderer
from lms_assets_tests.reports.scenarios import FORMULA_NAME, SCRIPT_NAME, show_scenario


class Page(HTMLParser):
    """The tags, attributes and texts of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._in_style = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._in_style = tag in {"style", "title"}

    def handle_data(self, data):
        if not self._in_style:
            self.texts.append(data)

    def handle_endtag(self, tag):
        self._in_style = False

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def scenario():
    return show_scenario(partners=24, seed=11)


@pytest.fixture(scope="module")
def rendered(scenario):
    renderer = Renderer(scenario.config)
    return {
        "pam": renderer.render(build_pam_report(scenario, ["Owner 1"])),
        "executive": renderer.render(build_executive_report(scenario)),
    }


@pytest.fixture(params=["pam", "executive"])
def report(request, rendered):
    return rendered[request.param]


def test_a_partner_named_like_a_script_appears_as_text_and_runs_nothing(report):
    page = Page(report.html)

    assert SCRIPT_NAME in page.text
    assert not page.all("script")
    assert SCRIPT_NAME in " ".join(report.text.split())


def test_a_person_named_like_a_formula_appears_as_text(rendered):
    assert FORMULA_NAME in Page(rendered["pam"].html).text
    assert FORMULA_NAME in " ".join(rendered["pam"].text.split())


@pytest.mark.parametrize(
    "name",
    [
        '"><img src=x onerror=alert(1)>',
        "{{ 7 * 7 }}{% raw %}",
        "line\nbreak\r\nBcc: someone@example.com",
        "\u202eevil\u0000",
        "x" * 5000,
        "$\\frac{1}{0}$",
    ],
)
def test_no_name_breaks_out_of_its_place(scenario, name):
    """Names of partners and regions also get into charts, captions and alternative texts."""
    partners = tuple(replace(each, name=name, region=name, tier=name, owner="Owner 1") for each in scenario.partners)
    hostile = replace(scenario, partners=partners, names=dict.fromkeys(scenario.names, name))
    for built in (build_pam_report(hostile, ["Owner 1"]), build_executive_report(hostile)):
        rendered = Renderer(hostile.config).render(built)
        page = Page(rendered.html)
        assert not any("onerror" in attributes for _, attributes in page.tags)
        assert {attributes.get("src", "")[:4] for attributes in page.all("img")} == {"cid:"}
        assert not name.isprintable() or name[:20] in page.text
        assert not set("\r\u202e\u0000") & set(rendered.text + rendered.html)
        assert not set("\r\n") & set(rendered.subject)


def test_the_html_is_small_enough_for_gmail_whatever_the_number_of_partners():
    many = show_scenario(partners=400, people_each=8)
    renderer = Renderer(many.config)
    for built in (build_pam_report(many, ["Owner 1"]), build_executive_report(many)):
        rendered = renderer.render(built)
        assert len(rendered.html.encode()) <= MAX_HTML_BYTES
        more = re.findall(r"and (\d+) more", rendered.text)
        assert more
        assert re.findall(r"and (\d+) more", Page(rendered.html).text) == more


def test_what_is_left_out_is_counted():
    rows = tuple(Row((Cell(str(number)), Cell("x"))) for number in range(10))
    table = Table("t", (Column("a"), Column("b")), (Row((Cell("group"),)), *rows))
    document = Document("t", "s", "s", None, (Section("x", (table,)),), ())

    shortened = document.shortened(4).sections[0].blocks[0]

    assert [row.cells[0].text for row in shortened.rows] == ["group", "0", "1", "2", "3"]
    assert shortened.more == 6
    assert document.shortened(10).sections[0].blocks[0] == table


def test_the_text_part_says_what_the_html_says(report):
    """Every text of a cell, tile, heading and paragraph of the one is in the other."""
    plain = " ".join(report.text.split())
    page = Page(report.html)
    visible = [" ".join(text.replace("\N{NO-BREAK SPACE}", " ").split()) for text in page.texts]
    folded = plain.casefold()
    missing = [text for text in visible if text and text.casefold() not in folded and text not in _ONLY_IN_HTML]
    headings = {" ".join(column.split()) for column in missing}

    assert headings <= _FIRST_COLUMNS, headings - _FIRST_COLUMNS


_ONLY_IN_HTML = {"Please note."}
# In a line of text the first cell speaks for itself.
_FIRST_COLUMNS = {"Partner", "On", "Expired", "Expires", "Held", "Period", "Tier", "Region", "PAM", "When", "Since"}


def test_every_table_of_data_has_headings_with_a_scope_and_a_name(report):
    page = Page(report.html)
    data = [each for each in page.all("table") if each.get("role") != "presentation"]

    assert data
    assert all(each.get("aria-label") for each in data)
    assert all(each.get("scope") in {"col", "row", "rowgroup"} for each in page.all("th"))
    assert len(page.all("h1")) == 1
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_every_picture_is_in_the_mail_and_says_what_it_shows(report):
    page = Page(report.html)
    referred = [each["src"].removeprefix("cid:") for each in page.all("img")]

    assert sorted(referred) == sorted(image.cid for image in report.images)
    for each in page.all("img"):
        assert each.get("alt")
        assert each.get("width")
    assert all(re.search(r"\d", image.alt) for image in report.images)


def test_pictures_are_small_files(report):
    for image in report.images:
        assert image.png.startswith(b"\x89PNG")
        assert len(image.png) < 60_000
    assert len({image.png for image in report.images}) == len(report.images)


def test_styles_stand_in_the_tags_since_mail_programs_drop_style_sheets(report):
    page = Page(report.html)

    for attributes in page.all("td") + page.all("th"):
        assert attributes.get("style") or attributes.get("class") is None, attributes
    # Two, since a mail program may drop a whole one for a rule of paper that it does not know.
    _, screens, paper = report.html.split("<style")
    assert "prefers-color-scheme: dark" in screens
    assert "@page" not in screens
    assert "@page" in paper
    assert 'content="light dark"' in report.html
    assert "<link" not in report.html
    assert not re.search(r'(src|href)="http(?!s://portal\.example\.com)', report.html)


def test_colours_of_text_have_enough_contrast_on_their_ground():
    light = ["#1c2330", "#5a6472", "#1a7034", "#b3261e", "#855200"]
    dark = ["#e8ecf1", "#a9b3bf", "#6fd695", "#ff9a92", "#f2c063"]
    for colour in light:
        assert contrast(colour, "#ffffff") >= MINIMUM_CONTRAST
        assert contrast(colour, "#f4f6f9") >= MINIMUM_CONTRAST
    for colour in dark:
        assert contrast(colour, "#1e2329") >= MINIMUM_CONTRAST
        assert contrast(colour, "#28303a") >= MINIMUM_CONTRAST
    assert contrast("#6b4400", "#fff3d6") >= MINIMUM_CONTRAST
    assert contrast("#ffe6ad", "#4a3a10") >= MINIMUM_CONTRAST
    assert contrast("#000000", "#ffffff") == 21.0


def test_the_colours_of_the_style_sheet_are_the_ones_that_were_measured(report):
    used = set(re.findall(r"(?<!-)color: ?(#[0-9a-f]{6})", report.html))

    assert used <= {
        *("#1c2330", "#5a6472", "#1a7034", "#b3261e", "#855200", "#6b4400", "#ffffff"),
        *("#e8ecf1", "#a9b3bf", "#6fd695", "#ff9a92", "#f2c063", "#ffe6ad"),
        *("#1f4f8f", "#8ab8f5"),
    }


def test_a_partial_chain_is_told_at_the_top_of_both_parts(scenario):
    told = replace(scenario, frame=replace(scenario.frame, banner="A part did not come through."))
    for built in (build_pam_report(told, ["Owner 1"]), build_executive_report(told)):
        rendered = Renderer(told.config).render(built)
        assert rendered.text.index("A part did not come through.") < rendered.text.index("NPCU:")
        page = Page(rendered.html).text
        assert page.index("A part did not come through.") < page.index("What changed")


def test_a_released_report_says_in_its_subject_that_its_figures_are_old(scenario):
    for built in (build_pam_report, lambda inputs, _: build_executive_report(inputs)):
        fresh = Renderer(scenario.config).render(built(scenario, ["Owner 1"])).subject
        frame = replace(scenario.frame, released=True)
        old = Renderer(scenario.config).render(built(replace(scenario, frame=frame), ["Owner 1"])).subject
        assert old == f"Old figures, as of {words.day(scenario.frame.as_of)}: {fresh}"


def test_what_changed_comes_before_every_other_table(scenario):
    titles = [
        section.title for section in pam_document(build_pam_report(scenario, ["Owner 1"])).sections if section.title
    ]

    assert titles[0] == "What changed this week"
    assert titles.index("All your partners") > titles.index("Certifications that expire") > 1


def test_brand_colours_and_templates_are_configuration(scenario, tmp_path):
    (tmp_path / "blocks.html.j2").write_text(
        '{% macro show(block) %}<p class="muted">own {{ block.kind }}</p>{% endmacro %}', encoding="utf-8"
    )
    config = report_config(
        tomllib.loads(
            f'brand = "Söhne & Co"\naccent = "#5b1f8f"\ntemplates = "{tmp_path}"\n[tier_requirements]\nSelect = 1\n'
        )
    )
    rendered = Renderer(config).render(build_pam_report(replace(scenario, config=config), ["Owner 1"]))

    assert "Söhne &amp; Co" in rendered.html
    assert "#5b1f8f" in rendered.html
    assert "own table" in rendered.html
    assert rendered.subject.startswith("Söhne & Co: ")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('accent = "#ffff00"', "accent"),
        ('accent = "blue"', "accent"),
        ("colour = 1", "colour"),
        ("brand = 3", "brand"),
        ('tier_requirements = "many"', "tier_requirements"),
        ("[tier_requirements]\nSelect = -1", "Select"),
        ("messages_per_minute = 0", "messages_per_minute"),
    ],
)
def test_a_wrong_configuration_is_refused_by_its_key(text, named):
    with pytest.raises(ValueError, match=named):
        report_config(tomllib.loads(text))


def test_the_standalone_page_needs_no_other_file(report):
    page = Page(report.standalone_html)

    assert all(each["src"].startswith("data:image/png;base64,") for each in page.all("img"))


def test_charts_have_the_size_that_the_page_gives_them(report):
    image_module = pytest.importorskip("PIL.Image")
    sizes = {each["src"].removeprefix("cid:"): (each["width"], each["height"]) for each in Page(report.html).all("img")}
    for image in report.images:
        width, height = image_module.open(io.BytesIO(image.png)).size
        assert (str(width // 2), str(height // 2)) == sizes[image.cid]


@pytest.mark.parametrize("lowest", [1, 4_000])
def test_trends_begin_at_0_and_show_it(scenario, monkeypatch, lowest):
    """A chart that begins elsewhere makes a small fall look like a collapse."""
    report = build_pam_report(scenario, ["Owner 1"])
    weeks = tuple(replace(each, value=lowest + at) for at, each in enumerate(report.npcu_by_week))
    report = replace(report, npcu_by_week=weeks, expiries_by_week=weeks[:13])
    drawn = []
    monkeypatch.setattr(charts, "_png", lambda figure: drawn.append(figure.axes[0]) or b"")
    for chart in (words.npcu_chart(report.npcu_by_week), words.expiry_chart(report.expiries_by_week)):
        charts.draw(chart, report, charts.palettes("#1f4f8f", "#8ab8f5")["light"])
    trend, columns = drawn
    assert (trend.get_ylim()[0], columns.get_ylim()[0]) == (0, 0)
    assert trend.get_yticklabels()[0].get_text() == "0"


def test_a_count_that_is_not_confirmed_is_marked_with_its_reason_in_both_reports(scenario):
    reason = in_plain_words([WithheldReason("group_never_read", "members of group 4711 were never read completely")])
    partner = max(scenario.partners, key=lambda each: scenario.counts.at[each.id, "npcu"])
    marked = replace(scenario, withheld={partner.id: reason})
    renderer = Renderer(scenario.config)
    for report in (build_pam_report(marked, [partner.owner]), build_executive_report(marked)):
        found = renderer.render(report)
        for text in (Page(found.html).text, " ".join(found.text.split())):
            assert "not confirmed: the members of an LMS group of it were not read yet" in text
            assert words.NOT_CONFIRMED_NOTE in text
            assert "4711" not in text
    plain = renderer.render(build_executive_report(scenario))
    assert "onfirmed" not in plain.text
