"""How the reports look and what they measure against: brand, colours, tier requirements, templates. Data only.

Given as the table `reports` of a TOML file or as a mapping; every default is good enough to send.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lms_assets.domain.counting.compliance import DEFAULT_TIER_REQUIREMENTS, tier_requirements

MINIMUM_CONTRAST = 4.5
"""WCAG 2.2 AA for text."""

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
    """

    brand: str = "Partner Training"
    accent: str = "#1f4f8f"
    accent_dark: str = "#8ab8f5"
    tier_requirements: Mapping[str, int] = field(default_factory=lambda: DEFAULT_TIER_REQUIREMENTS)
    templates: Path | None = None
    portal_url: str | None = None
    partner_path: str = "partners/{partner_id}/training"
    messages_per_minute: int = 60

    def __post_init__(self) -> None:
        """Check what would make a report illegible. Raises `ValueError` naming the key."""
        for key in ("accent", "accent_dark"):
            if not _COLOUR.fullmatch(getattr(self, key)):
                raise ValueError(f"reports: {key} must be a colour like #1f4f8f")
        for key, ground in (("accent", "#ffffff"), ("accent_dark", "#1e2329")):
            if contrast(getattr(self, key), ground) < MINIMUM_CONTRAST:
                raise ValueError(f"reports: {key} must have a contrast of {MINIMUM_CONTRAST} to {ground}")
        if not 1 <= self.messages_per_minute <= 6000:
            raise ValueError("reports: messages_per_minute must be 1 to 6000")

    def partner_url(self, partner_id: int) -> str | None:
        """Where the portal shows a partner's training, None without a portal."""
        if self.portal_url is None:
            return None
        return f"{self.portal_url.rstrip('/')}/{self.partner_path.format(partner_id=partner_id)}"


def report_config(given: Mapping[str, Any]) -> ReportConfig:
    """The defaults with what `given` changes in them.

    Raises:
        ValueError: naming the first key that is unknown, of a wrong type or out of bounds.
    """
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key == "tier_requirements":
            if not isinstance(value, Mapping):
                raise ValueError("reports: tier_requirements must be a table from tier to NPCU")
            values[key] = tier_requirements(value)
        elif key == "messages_per_minute":
            if isinstance(value, bool) or not isinstance(value, int):
                raise ValueError(f"reports: {key} must be a whole number")
            values[key] = value
        elif key in _TEXTS:
            if not isinstance(value, str) or not value.strip():
                raise ValueError(f"reports: {key} must be text that is not blank")
            values[key] = Path(value) if key == "templates" else value.strip()
        else:
            known = ", ".join(sorted([*_TEXTS, "tier_requirements", "messages_per_minute"]))
            raise ValueError(f"reports: unknown key {key!r}; known are {known}")
    return replace(ReportConfig(), **values)


def report_config_from_toml(text: str) -> ReportConfig:
    """Read a TOML text whose top level holds the keys of ReportConfig.

    Raises:
        ValueError: no TOML, or as `report_config`.
    """
    try:
        return report_config(tomllib.loads(text))
    except tomllib.TOMLDecodeError as problem:
        raise ValueError(f"reports: no valid TOML: {problem}") from None


def contrast(colour: str, ground: str) -> float:
    """Contrast of two colours `#rrggbb` by WCAG 2.2, 1 to 21."""
    lighter, darker = sorted((_luminance(colour), _luminance(ground)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


_TEXTS = frozenset({"brand", "accent", "accent_dark", "templates", "portal_url", "partner_path"})
