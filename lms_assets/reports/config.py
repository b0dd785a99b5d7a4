"""How the reports look and what they measure against: brand, colours, tier requirements, templates. Data only.

Given as the table `reports` of a TOML file or as a mapping; every default is good enough to send.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Interval

from lms_assets.domain.checked_values import read_values
from lms_assets.domain.counting.compliance import DEFAULT_TIER_REQUIREMENTS

MINIMUM_CONTRAST = 4.5
"""WCAG 2.2 AA for text."""

Npcu = Annotated[int, Interval(ge=0, le=100_000)]

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class ReportConfig:
    """Configuration of both reports.

    Attributes:
        brand: the name at the top of a report.
        accent: colour of the header and the charts on light ground, `#rrggbb`; white text must be legible on it.
        accent_dark: the same on dark ground.
        tier_requirements: NPCU that each tier asks for; 0 asks for nothing.
        templates: a folder whose files replace the built-in templates of the same name.
        portal_url: base of links to a partner's training page; None: no links.
        partner_path: what follows it, with `{partner_id}`.
        messages_per_minute: most mails handed over in any one minute.
        evidence_names: whether the pages attached for partners that fell below name people; else they show LMS ids.
    """

    brand: str = "Partner Training"
    accent: str = "#1f4f8f"
    accent_dark: str = "#8ab8f5"
    tier_requirements: Mapping[str, Npcu] = field(default_factory=lambda: DEFAULT_TIER_REQUIREMENTS)
    templates: Path | None = None
    portal_url: str | None = None
    partner_path: str = "partners/{partner_id}/training"
    messages_per_minute: Annotated[int, Interval(ge=1, le=6000)] = 60
    evidence_names: bool = False

    def partner_url(self, partner_id: int) -> str | None:
        """Where the portal shows a partner's training, None without a portal."""
        if self.portal_url is None:
            return None
        return f"{self.portal_url.rstrip('/')}/{self.partner_path.format(partner_id=partner_id)}"


def report_config(given: Mapping[str, Any]) -> ReportConfig:
    """The defaults with what `given` changes in them, as a TOML file has it.

    Raises:
        WrongValues: with one line for each mistake, also for what would make a report illegible.
    """
    config = read_values(ReportConfig, given, {"accent": _legible_on("#ffffff"), "accent_dark": _legible_on("#1e2329")})
    return replace(config, tier_requirements={**DEFAULT_TIER_REQUIREMENTS, **config.tier_requirements})


def _legible_on(ground: str) -> Callable[[str], str | None]:
    def problem(colour: str) -> str | None:
        if not _COLOUR.fullmatch(colour):
            return "must be a colour like #1f4f8f"
        legible = contrast(colour, ground) >= MINIMUM_CONTRAST
        return None if legible else f"must have a contrast of {MINIMUM_CONTRAST} to {ground}"

    return problem


def contrast(colour: str, ground: str) -> float:
    """Contrast of two colours `#rrggbb` by WCAG 2.2, 1 to 21."""
    lighter, darker = sorted((_luminance(colour), _luminance(ground)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
