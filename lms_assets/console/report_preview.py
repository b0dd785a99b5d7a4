"""`lms-assets report preview`: builds one report from the warehouse as it is and writes it as a file. Sends nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from lms_assets.console.environment import settings_from_environment
from lms_assets.domain.rules import Rules
from lms_assets.reports.config import ReportConfig
from lms_assets.reports.delivery import EXECUTIVE, PAM, Addressee, period_of
from lms_assets.reports.executive import build_executive_report
from lms_assets.reports.figures import ExecutiveReport, PamReport
from lms_assets.reports.files import write_files
from lms_assets.reports.from_warehouse import NothingCounted, material_from
from lms_assets.reports.material import Material
from lms_assets.reports.message import build_message
from lms_assets.reports.pam import build_pam_report, partners_of
from lms_assets.reports.render import Renderer
from lms_assets.reports.run import FILE_SENDER
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.engine import Warehouse


@dataclass(frozen=True)
class PreviewOptions:
    """Which report: an owner's (`owner` as `account_owner` says it), or the executives' when None."""

    owner: str | None = None


def preview_command(
    options: PreviewOptions, console: Console, *, rules: Rules, config: ReportConfig, now: datetime
) -> int:
    """Write the report's `.html` and `.eml` under `reports_dir/preview/` and print the path; returns 0.

    Raises:
        ConfigurationError: nothing has been counted yet, or no partner has that owner.
    """
    settings = settings_from_environment()
    warehouse = Warehouse(settings.warehouse_url)
    try:
        warehouse.require_current_schema()
        material = read_material(warehouse, rules=rules, config=config, now=now)
    finally:
        warehouse.close()
    page = write_preview(material, options, settings.reports_dir, now=now)
    console.print(Text.assemble(("✓ ", "green"), f"{page}"), soft_wrap=True)
    return 0


def read_material(warehouse: Warehouse, *, rules: Rules, config: ReportConfig, now: datetime) -> Material:
    """The material of the running week as of the last count; snapshots that are missing are computed, not stored.

    Raises:
        ConfigurationError: nothing has been counted yet.
    """
    try:
        return material_from(warehouse, rules=rules, config=config, now=now, store_past=False)
    except NothingCounted as error:
        raise ConfigurationError([str(error)]) from None


def write_preview(material: Material, options: PreviewOptions, folder: Path, *, now: datetime) -> Path:
    """Build, render and write one report; gives the path of its HTML.

    Raises:
        ConfigurationError: no partner has that owner; the message names those who have one.
    """
    if options.owner is None:
        report: PamReport | ExecutiveReport = build_executive_report(material)
        email_type, reference = EXECUTIVE, "executive"
    else:
        if not partners_of(material.partners, [options.owner]):
            owners = sorted({partner.owner for partner in material.partners if partner.owner})
            raise ConfigurationError([f"no partner has the owner {options.owner!r}; owners are: {', '.join(owners)}"])
        report = build_pam_report(material, [options.owner])
        email_type, reference = PAM, f"pam {options.owner}"
    rendered = Renderer(material.config).render(report)
    addressee = Addressee(email_type, reference, period_of("weekly", now), "", "")
    key = addressee.message_key
    message = build_message(rendered, to="", name="", mail_from=FILE_SENDER, message_key=key, now=now)
    page, _ = write_files(folder / "preview", addressee, rendered, message)
    return page
