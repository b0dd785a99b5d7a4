"""The evidence pages that come with an account manager's report: one for each partner that fell below in the week."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from lms_assets.domain.rules import Rules
from lms_assets.reports.figures.inputs import ReportInputs
from lms_assets.reports.figures.pam import PamReport
from lms_assets.reports.figures.partner_answer import Answers
from lms_assets.reports.rendering.evidence import evidence_of, render_evidence
from lms_assets.reports.rendering.render import Attachment
from lms_assets.warehouse.engine import Warehouse

MAX_PAGES, MAX_BYTES = 10, 2_000_000
"""Of one mail: many servers refuse more than 10 MB, and nobody opens more than ten pages."""

Pages = Callable[[PamReport], tuple[Attachment, ...]]
"""Gives the pages that come with a report."""


def pages_from(warehouse: Warehouse, rules: Rules, inputs: ReportInputs, *, now: datetime, version: str) -> Pages:
    """Pages as of the report's instant. People appear by their LMS ids unless the configuration lets names stand."""
    partners = {each.id: each for each in inputs.partners}

    def made(partner_ids: Iterable[int]) -> Iterator[Attachment]:
        with warehouse.read() as connection:
            answers = Answers(connection, rules, now)
            for key in partner_ids:
                answer = answers.about(partners[key], inputs.frame.as_of, names=inputs.config.evidence_names)
                data = evidence_of(answer, config=inputs.config, now=now, version=version)
                yield Attachment(f"partner-{key}.html", render_evidence(data))

    def pages(report: PamReport) -> tuple[Attachment, ...]:
        fell = [line.key for line in report.fell_below][:MAX_PAGES]
        found: list[Attachment] = []
        left = MAX_BYTES
        for page in made(fell) if fell else ():
            left -= len(page.html.encode())
            if left < 0:
                break
            found.append(page)
        return tuple(found)

    return pages


def attached_note(report: PamReport, pages: tuple[Attachment, ...]) -> tuple[str, ...]:
    """What the report says of its pages."""
    if not pages:
        return ()
    number, fell = len(pages), len(report.fell_below)
    which = "each partner that fell below" if number == fell else f"{number} of the {fell} partners that fell below"
    return (f"Attached: a page for {which}, with every certification that counts and why others do not.",)
