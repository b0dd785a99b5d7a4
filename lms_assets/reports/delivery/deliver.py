"""One entry for each report: build for everybody who is due, send or write, and say what came of it.

With an account manager's report come evidence pages, one for each partner that fell below in the week.
No SQL, no rules and no clock: material, log and mailer are handed in. What is returned holds no address and no name
of a person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path

from lms_assets.domain.rules import Rules
from lms_assets.reports.delivery.message import UnusableAddress, ascii_address, build_message, sender, write_files
from lms_assets.reports.delivery.recipients import Addressee, NotDue, decide
from lms_assets.reports.delivery.smtp import MailServerUnavailable, SmtpMailer
from lms_assets.reports.figures.executive import ExecutiveReport, build_executive_report
from lms_assets.reports.figures.inputs import ReportInputs, owner_without_name, without_names
from lms_assets.reports.figures.pam import PamReport, build_pam_report, partners_of
from lms_assets.reports.figures.partner_answer import Answers
from lms_assets.reports.rendering.evidence import evidence_of, render_evidence
from lms_assets.reports.rendering.render import Attachment, Rendered, Renderer, Report
from lms_assets.warehouse.bookkeeping.email_log import EmailLogRows
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


FILE_SENDER = "reports@example.com"
"""Stands in the .eml files when no sender is configured."""


@dataclass(frozen=True)
class MailOutput:
    """How reports leave: by `mailer` with `log`, or, without a mailer, as files in `folder`."""

    renderer: Renderer
    folder: Path
    clock: Callable[[], datetime]
    mailer: SmtpMailer | None = None
    log: EmailLogRows | None = None
    mail_from: str | None = None

    def __post_init__(self) -> None:
        """Refuse a mailer without what makes sending safe, and an unusable sender. Raises `ValueError`."""
        if self.mailer is not None and (self.log is None or not self.mail_from):
            raise ValueError("sending mail needs a log of messages and a sender address (LMS_MAIL_FROM)")
        if self.mail_from:
            try:
                sender(self.mail_from)
            except UnusableAddress as error:
                raise ValueError(f"LMS_MAIL_FROM {error}") from None


@dataclass(frozen=True)
class DeliverySummary:
    """What came of a report's delivery; people are references like `pam 12`.

    Attributes:
        sent: who got a message now.
        skipped: who got none and why: not due, already sent.
        failed: to whom nothing was delivered, with what the server said; the next run tries again.
        unknown: whose message may have arrived; never sent again by itself.
        files: what was written instead of sending.
        preview_text, preview_picture: one report, without names of people; empty when none was built.
        figures: numbers worth plotting over time.
    """

    sent: tuple[str, ...] = ()
    skipped: tuple[NotDue, ...] = ()
    failed: tuple[NotDue, ...] = ()
    unknown: tuple[NotDue, ...] = ()
    files: tuple[Path, ...] = ()
    preview_text: str = field(default="", repr=False)
    preview_picture: str = field(default="", repr=False)
    figures: Mapping[str, int | float] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether everybody who is due has the report, as far as anybody can know."""
        return not self.failed and not self.unknown


def deliver_pam_reports(
    inputs: ReportInputs,
    addressees: Sequence[Addressee],
    not_due: Iterable[NotDue],
    output: MailOutput,
    pages: Pages | None = None,
) -> DeliverySummary:
    """Build and deliver the PAM reports (see `delivery.pam_addressees` for who gets one).

    Args:
        pages: makes the evidence pages that come with a report.

    Raises:
        WarehouseError: what the log raises; run again, nobody gets a message twice.
    """
    owning = [each for each in addressees if partners_of(inputs.partners, each.owners)]
    idle = [NotDue(each.reference, "owns no active partner") for each in addressees if each not in owning]
    outcomes = _Outcomes([*not_due, *idle])

    def render(addressee: Addressee) -> Rendered:
        report = build_pam_report(inputs, addressee.owners)
        attached = pages(report) if pages else ()
        return replace(output.renderer.render(report, notes=attached_note(report, attached)), attachments=attached)

    _deliver(owning, render, output, outcomes)
    preview = None
    if owning:
        nameless = without_names(inputs)
        owners = [owner_without_name(inputs, owner) for owner in owning[0].owners]
        preview = build_pam_report(nameless, owners)
    everybody = sorted({partner.owner for partner in inputs.partners if partner.owner})
    return outcomes.summary(output.renderer, preview, _pam_figures(build_pam_report(inputs, everybody)))


def deliver_executive_report(
    inputs: ReportInputs, addressees: Sequence[Addressee], not_due: Iterable[NotDue], output: MailOutput
) -> DeliverySummary:
    """Build and deliver the executive report.

    Raises:
        WarehouseError: what the log raises; run again, nobody gets a message twice.
    """
    outcomes = _Outcomes(not_due)
    report = build_executive_report(inputs)
    rendered = output.renderer.render(report)
    _deliver(addressees, lambda _: rendered, output, outcomes)
    preview = build_executive_report(without_names(inputs))
    return outcomes.summary(output.renderer, preview, _executive_figures(report))


class _Outcomes:
    """Collects what became of each addressee."""

    def __init__(self, not_due: Iterable[NotDue]) -> None:
        self.sent: list[str] = []
        self.skipped = list(not_due)
        self.failed: list[NotDue] = []
        self.unknown: list[NotDue] = []
        self.files: list[Path] = []

    def summary(
        self, renderer: Renderer, preview: Report | None, figures: Mapping[str, int | float]
    ) -> DeliverySummary:
        counts = {
            "sent": len(self.sent),
            "skipped": len(self.skipped),
            "failed": len(self.failed),
            "outcome_unknown": len(self.unknown),
            "files": len(self.files),
        }
        return DeliverySummary(
            tuple(self.sent),
            tuple(self.skipped),
            tuple(self.failed),
            tuple(self.unknown),
            tuple(self.files),
            renderer.render(preview).text if preview else "",
            renderer.first_screen(preview) if preview else "",
            {**counts, **figures},
        )


def _deliver(
    addressees: Sequence[Addressee], render: Callable[[Addressee], Rendered], output: MailOutput, outcomes: _Outcomes
) -> None:
    for place, addressee in enumerate(addressees):
        if output.mailer is None or output.log is None:
            try:
                rendered = render(addressee)
                mail = _message(addressee, rendered, output, output.clock())
                outcomes.files += write_files(output.folder, addressee, rendered, mail)
            except UnusableAddress as error:
                outcomes.failed.append(NotDue(addressee.reference, f"the address {error}"))
            continue
        try:
            _send(addressee, render, output, output.log, outcomes)
        except MailServerUnavailable as error:
            rest = (each.reference for each in addressees[place + 1 :])
            outcomes.failed.append(NotDue(addressee.reference, str(error)))
            outcomes.failed += [NotDue(each, f"not tried: {error}") for each in rest]
            return


def _message(addressee: Addressee, rendered: Rendered, output: MailOutput, now: datetime) -> EmailMessage:
    return build_message(
        rendered,
        to=addressee.address,
        name=addressee.name,
        mail_from=output.mail_from or FILE_SENDER,
        message_key=addressee.message_key,
        now=now,
    )


def _send(
    addressee: Addressee,
    render: Callable[[Addressee], Rendered],
    output: MailOutput,
    log: EmailLogRows,
    outcomes: _Outcomes,
) -> None:
    """Send one message unless the log says that it was, or may have been, sent.

    Raises:
        MailServerUnavailable: no message can be sent now; this one is marked as failed.
    """
    key, now = addressee.message_key, output.clock()
    verdict = decide(log.state(key))
    if verdict == "already sent":
        outcomes.skipped.append(NotDue(addressee.reference, f"already sent for {addressee.period}"))
        return
    if verdict == "outcome unknown":
        outcomes.unknown.append(NotDue(addressee.reference, _UNKNOWN))
        return
    rendered = render(addressee)
    reserved = log.reserve(
        key,
        email_type=addressee.email_type,
        period=addressee.period,
        address=addressee.address,
        name=addressee.name,
        subject=rendered.subject,
        pam_id=addressee.manager_ids[0] if addressee.manager_ids else None,
        now=now,
    )
    if not reserved:
        outcomes.skipped.append(NotDue(addressee.reference, "another process is sending it"))
        return
    _hand_over(addressee, rendered, output, log, outcomes)


_UNKNOWN = "was handed to the mail server and its answer is not known; look in the mail server's log before sending"


def _hand_over(
    addressee: Addressee, rendered: Rendered, output: MailOutput, log: EmailLogRows, outcomes: _Outcomes
) -> None:
    key = addressee.message_key
    assert output.mailer is not None
    try:
        message = _message(addressee, rendered, output, output.clock())
        result = output.mailer.send(
            message,
            sender=sender(output.mail_from or "").addr_spec,
            recipient=ascii_address(addressee.address),
            hand_over=lambda: log.hand_over(key, output.clock()),
            take_back=lambda: log.take_back(key),
        )
    except UnusableAddress as error:
        log.failed(key, f"the address {error}")
        outcomes.failed.append(NotDue(addressee.reference, f"the address {error}"))
        return
    except MailServerUnavailable as error:
        log.failed(key, str(error))
        raise
    if result.outcome == "sent":
        log.sent(key, pam_ids=addressee.manager_ids, now=output.clock())
        outcomes.sent.append(addressee.reference)
    elif result.outcome == "unknown":
        outcomes.unknown.append(NotDue(addressee.reference, f"{result.reason}; {_UNKNOWN}"))
    elif result.outcome == "elsewhere":
        outcomes.skipped.append(NotDue(addressee.reference, result.reason))
    else:
        said = f": {result.said}" if result.said else ""
        log.failed(key, result.reason + said)
        shown = said if "@" not in said else " (its text holds the address and is left out)"
        outcomes.failed.append(NotDue(addressee.reference, result.reason + shown))


def _pam_figures(report: PamReport) -> dict[str, int | float]:
    totals = report.totals
    return {
        "partners": totals.partners,
        "npcu": totals.npcu.now,
        "npcu_change_week": totals.npcu.difference or 0,
        "certifications": totals.certifications,
        "partners_below": totals.below,
        "partners_about_to_fall": totals.about_to_fall,
        "fell_below_this_week": len(report.fell_below),
        "new_certifications": len(report.new),
        **{f"expiring_{each.key}": each.certifications for each in report.expiring_within},
    }


def _executive_figures(report: ExecutiveReport) -> dict[str, int | float]:
    return {
        "partners": report.partners,
        "people": report.people,
        "npcu": report.totals[0].now,
        "npcu_change_week": report.totals[0].periods[0].change.difference or 0,
        "certifications": report.certifications,
        "compliance_percent": report.overall.compliance or 0.0,
        "partners_below": report.overall.below,
        "partners_about_to_fall": report.overall.about_to_fall,
        "quiet_partners": report.quiet_partners,
        **{f"expiring_{each.key}": each.certifications for each in report.expiring_within},
    }
