"""What one sees of a report before scrolling, as a picture in Markdown: Dagster's pages show no HTML, but that.

Drawn as SVG, which needs no browser and stays small: it is stored with the run's events.
"""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lms_assets.reports.config import ReportConfig
from lms_assets.reports.figures.model import WeekPoint
from lms_assets.reports.rendering.document import Document, Tiles
from lms_assets.reports.rendering.formatting import npcu_chart

if TYPE_CHECKING:
    from jinja2 import Environment

_TREND = 80
_TONES = {"plain": "#1b222b", "muted": "#4a5462", "good": "#1a7f37", "bad": "#b42318", "warn": "#8a5a00"}


def first_screen(document: Document, npcu: Sequence[WeekPoint], environment: Environment, config: ReportConfig) -> str:
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
