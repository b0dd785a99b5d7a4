"""A report as HTML with inlined styles, as text and as pictures, from one document. Nothing is sent or written here.

Templates come from the configured folder first and from `templates/` otherwise. Everything that is put into HTML is
escaped by the template engine.
"""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from lms_assets.reports.config import ReportConfig
from lms_assets.reports.figures.executive import ExecutiveReport
from lms_assets.reports.figures.model import WeekPoint
from lms_assets.reports.figures.pam import PamReport
from lms_assets.reports.rendering.charts import draw, palettes
from lms_assets.reports.rendering.document import Chart, Document, Table, Tiles
from lms_assets.reports.rendering.executive_document import executive_document, executive_subject
from lms_assets.reports.rendering.formatting import npcu_chart
from lms_assets.reports.rendering.pam_document import pam_document, pam_subject

if TYPE_CHECKING:
    import jinja2

_TREND = 80
_TONES = {"plain": "#1b222b", "muted": "#4a5462", "good": "#1a7f37", "bad": "#b42318", "warn": "#8a5a00"}


def first_screen(
    document: Document, npcu: Sequence[WeekPoint], environment: jinja2.Environment, config: ReportConfig
) -> str:
    """Head, summary, tiles and trend of a report as one Markdown picture of a few thousand characters."""
    banner, summary = (textwrap.wrap(text or "", 84)[:4] for text in (document.banner, document.summary))
    tiles = [each for block in document.sections[0].blocks if isinstance(block, Tiles) for each in block.tiles]
    tiles_top = 130 + 20 * len(banner + summary)
    trend_top = tiles_top + 76 * -(-len(tiles) // 3) + 4
    height = trend_top + _TREND + 28
    most = max(1, *(point.value for point in npcu))
    across = 576 / max(1, len(npcu) - 1)
    points = [(20 + across * place, height - 16 - _TREND * point.value / most) for place, point in enumerate(npcu)]
    svg = environment.get_template("first_screen.svg.j2").render(
        document=document,
        config=config,
        height=height,
        lines=banner + summary,
        banner_lines=len(banner),
        tiles=tiles,
        tiles_top=tiles_top,
        tones=_TONES,
        trend=npcu_chart(npcu),
        trend_top=trend_top,
        points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points),
    )
    return f"![First screen of the report](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


Report = PamReport | ExecutiveReport
MAX_HTML_BYTES = 100_000
"""Gmail cuts a longer message off and hides the rest."""
TEXT_WIDTH = 78
_ROW_STEPS = (400, 200, 150, 120, 100, 90, 80, 70, 60, 50, 40, 30, 20, 12, 8, 5, 3, 1)


@dataclass(frozen=True, slots=True)
class InlineImage:
    """A picture of the mail; `html` and the message refer to it by `cid` (without angle brackets)."""

    cid: str
    png: bytes
    alt: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A page that comes with the mail."""

    filename: str
    html: str


@dataclass(frozen=True)
class Rendered:
    """A report ready to be sent. `html` refers to the images by `cid:`."""

    subject: str
    html: str
    text: str
    images: tuple[InlineImage, ...]
    attachments: tuple[Attachment, ...] = ()

    @cached_property
    def standalone_html(self) -> str:
        """The HTML with its pictures inside, for a file or a preview."""
        page = self.html
        for image in self.images:
            data = base64.b64encode(image.png).decode("ascii")
            page = page.replace(f"cid:{image.cid}", f"data:image/png;base64,{data}")
        return page


class Renderer:
    """Renders reports with one configuration; make it once, it keeps its templates compiled."""

    def __init__(self, config: ReportConfig) -> None:
        # Here, since every process loads this module and hardly any renders.
        import css_inline
        import jinja2

        self._config = config
        loaders: list[jinja2.BaseLoader] = [jinja2.PackageLoader("lms_assets.reports", "templates")]
        if config.templates is not None:
            loaders.insert(0, jinja2.FileSystemLoader(config.templates))
        self._environment = jinja2.Environment(
            loader=jinja2.ChoiceLoader(loaders),
            autoescape=jinja2.select_autoescape(disabled_extensions=("txt.j2",), default=True, default_for_string=True),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["text_table"] = text_table
        self._environment.filters["wrap"] = wrap
        # Media queries cannot stand in a tag: what kept_style.html.j2 holds stays a style sheet.
        css = self._environment.get_template("inlined.css.j2").render(config=config)
        self._inliner = css_inline.CSSInliner(
            extra_css=css, keep_style_tags=True, load_remote_stylesheets=False, minify_css=True
        )
        self._palettes = palettes(config.accent, config.accent_dark)

    def render(self, report: Report, *, notes: Sequence[str] = ()) -> Rendered:
        """The report as mail parts; tables lose rows, and say so, when the HTML would pass 100 KB.

        Args:
            notes: what else its last lines say.

        Raises:
            jinja2.TemplateError: an overriding template cannot be used; the message names it.
            ValueError: a template is so large that not even one row a table fits.
        """
        brand = self._config.brand
        subject = pam_subject(report, brand) if isinstance(report, PamReport) else executive_subject(report, brand)
        document = document_of(report)
        document, html = self._fitting(replace(document, footer=(*notes, *document.footer)))
        text = self._environment.get_template("report.txt.j2").render(document=document, brand=brand)
        text = text.replace("\N{NO-BREAK SPACE}", " ")
        return Rendered(subject, html, text, tuple(self._images(document, report)))

    def first_screen(self, report: Report) -> str:
        """What one sees of the report first, as Markdown with a picture inside."""
        return first_screen(document_of(report), report.npcu_by_week, self._environment, self._config)

    def _fitting(self, document: Document) -> tuple[Document, str]:
        for rows in _ROW_STEPS:
            shortened = document.shortened(rows)
            html = self._html(shortened)
            if len(html.encode()) <= MAX_HTML_BYTES:
                return shortened, html
        raise ValueError("the report's HTML passes 100 KB with one row a table; make the template smaller")

    def _html(self, document: Document) -> str:
        page = self._environment.get_template("report.html.j2").render(document=document, config=self._config)
        lines = (line.strip() for line in self._inliner.inline(page).splitlines())
        return "\n".join(line for line in lines if line)

    def _images(self, document: Document, report: Report) -> Iterable[InlineImage]:
        for section in document.sections:
            for block in section.blocks:
                if isinstance(block, Chart):
                    for ground, palette in self._palettes.items():
                        yield InlineImage(f"{block.name}-{ground}@reports", draw(block, report, palette), block.alt)


def document_of(report: Report) -> Document:
    """What a report says, in words."""
    return pam_document(report) if isinstance(report, PamReport) else executive_document(report)


def wrap(text: str, indent: int = 0) -> str:
    """A paragraph of plain text in lines of 78 characters."""
    blank = " " * indent
    return textwrap.fill(text, TEXT_WIDTH, initial_indent=blank, subsequent_indent=blank, break_on_hyphens=False)


def text_table(table: Table) -> str:
    """A table in plain text: one line a row with the columns' names, since mail programs do not align columns."""
    lines = []
    for row in table.rows:
        if len(row.cells) == 1:
            lines.append(f"  {row.cells[0].text}")
            continue
        parts = []
        for column, cell in zip(table.columns, row.cells, strict=True):
            shown = cell.text + (f" ({cell.below})" if cell.below else "")
            parts.append(shown if column is table.columns[0] else f"{column.title}: {shown}")
        if row.cells[0].link:
            parts.append(row.cells[0].link)
        lines.append(textwrap.fill("; ".join(parts), TEXT_WIDTH, initial_indent="  - ", subsequent_indent="    ",
                                   break_long_words=False, break_on_hyphens=False))  # fmt: skip
    if table.more:
        lines.append(f"  and {table.more} more")
    return "\n".join(lines)
