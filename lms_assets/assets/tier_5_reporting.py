"""Making and sending the reports of one run: the release check, the inputs, the addressees, and the outcome."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.sync_run import Step, sync_step
from lms_assets.domain.operations.reports import ReleaseDecision, may_send
from lms_assets.domain.safety.deactivation_limit import SyncStopped
from lms_assets.domain.schedule import CHAIN
from lms_assets.reports.config import ReportConfig
from lms_assets.reports.delivery.deliver import (
    DeliverySummary,
    MailOutput,
    deliver_executive_report,
    deliver_pam_reports,
    pages_from,
)
from lms_assets.reports.delivery.recipients import (
    Addressee,
    NotDue,
    executive_addressees,
    executive_for_preview,
    owners_for_preview,
    pam_addressees,
)
from lms_assets.reports.delivery.smtp import SmtpMailer, SmtpServer
from lms_assets.reports.figures.inputs import ReportInputs, report_inputs_from
from lms_assets.reports.rendering.render import Renderer
from lms_assets.resources import MailerResource, WarehouseResource
from lms_assets.rules_file import load_report_config
from lms_assets.settings import Settings
from lms_assets.warehouse.bookkeeping.chain_log import latest_chain
from lms_assets.warehouse.bookkeeping.email_log import EmailLogRows
from lms_assets.warehouse.bookkeeping.failures import RecordFailure
from lms_assets.warehouse.reading.reports import executives, managers
from lms_assets.warehouse.results.counts import last_counted
from lms_assets.warehouse.upsert.upsert import SyncCounts

PREVIEW_CHARACTERS = 8000


class ReportsBlocked(SyncStopped):
    """The data is not fit to be sent to anybody; the text says why and what to do."""

    def __init__(self, decision: ReleaseDecision) -> None:
        super().__init__(decision.text)
        self.facts = decision.facts


def _report(
    context: dg.AssetExecutionContext,
    warehouse: WarehouseResource,
    mailer: MailerResource,
    key: str,
    deliver: Callable[[ReportInputs, Step, MailOutput], DeliverySummary],
) -> dg.MaterializeResult[Any]:
    """Make one report of this run and deliver it."""
    settings = mailer.settings()
    config = load_report_config(settings)
    with sync_step(context, warehouse, key) as step:
        decision = _release(step)
        inputs = report_inputs_from(
            step.warehouse,
            rules=step.rules,
            config=config,
            now=step.now,
            banner=decision.banner,
            released=decision.reason == "released",
        )
        with _mail_output(step, settings, config) as output:
            summary = deliver(inputs, step, output)
        failures = [
            RecordFailure("report", each.reference, each.reason) for each in (*summary.failed, *summary.unknown)
        ]
        counts = SyncCounts(created=len(summary.sent), unchanged=len(summary.skipped))
        step.write(lambda _: counts, failures=failures, details={"blocking_check": decision.reason})
        step.metadata = _described(summary, decision)
        return step.result(len(summary.sent) + len(summary.files))


def _release(step: Step) -> ReleaseDecision:
    with step.warehouse.read() as connection:
        chain = latest_chain(connection, CHAIN)
        counted = last_counted(connection)
    decision = may_send(
        chain.status if chain else None, counted.as_of if counted else None, step.now, overrides=step.overrides
    )
    step.note_uses()
    if not decision.may_send:
        raise ReportsBlocked(decision)
    return decision


@contextmanager
def _mail_output(step: Step, settings: Settings, config: ReportConfig) -> Iterator[MailOutput]:
    """How this run's reports leave: over SMTP with its log, or as files."""
    renderer = Renderer(config)
    if settings.smtp_url is None:
        yield MailOutput(renderer, settings.reports_dir, step.clock)
        return
    server = SmtpServer.from_url(settings.smtp_url)
    with SmtpMailer(server, messages_per_minute=config.messages_per_minute) as mailer:
        log = EmailLogRows(step.warehouse)
        yield MailOutput(renderer, settings.reports_dir, step.clock, mailer, log, settings.mail_from)


def _to_managers(inputs: ReportInputs, step: Step, output: MailOutput) -> DeliverySummary:
    with step.warehouse.read() as connection:
        found = managers(connection)
    addressees: tuple[Addressee, ...]
    not_due: tuple[NotDue, ...]
    addressees, not_due = pam_addressees(found, step.now)
    if not found and output.mailer is None:
        addressees = owners_for_preview(inputs.partners, step.now)
    pages = pages_from(step.warehouse, step.rules, inputs, now=step.now, version=version("lms-assets"))
    return deliver_pam_reports(inputs, addressees, not_due, output, pages)


def _to_executives(inputs: ReportInputs, step: Step, output: MailOutput) -> DeliverySummary:
    with step.warehouse.read() as connection:
        found = executives(connection)
    addressees = executive_addressees(found, step.now)
    if not found and output.mailer is None:
        addressees = (executive_for_preview(step.now),)
    return deliver_executive_report(inputs, addressees, (), output)


def _described(summary: DeliverySummary, decision: ReleaseDecision) -> dict[str, Any]:
    """Figures over time, the files, and a preview without names of people."""
    metadata: dict[str, Any] = {**summary.figures, "blocking_check": decision.text}
    if summary.files:
        metadata["folder"] = dg.MetadataValue.path(str(summary.files[0].parent))
        metadata["file_names"] = [path.name for path in summary.files][:50]
    if summary.preview_picture:
        metadata["first_screen"] = dg.MetadataValue.md(summary.preview_picture)
    if summary.preview_text:
        metadata["preview"] = dg.MetadataValue.md(_as_code(summary.preview_text[:PREVIEW_CHARACTERS]))
    return metadata


def _as_code(text: str) -> str:
    """Markdown that shows the text as it is, whatever it holds: indented, since a fence could be in the text."""
    return "\n".join(f"    {line}" for line in text.splitlines())


@asset_of("pam_weekly_report")
def pam_weekly_report(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, mailer: MailerResource
) -> dg.MaterializeResult[Any]:
    """Send each account manager the week's report about their partners, or write it to files without a mail server."""
    return _report(context, warehouse, mailer, "pam_weekly_report", _to_managers)


@asset_of("executive_weekly_report")
def executive_weekly_report(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, mailer: MailerResource
) -> dg.MaterializeResult[Any]:
    """Send the executives the week's roll-up, or write it to files without a mail server."""
    return _report(context, warehouse, mailer, "executive_weekly_report", _to_executives)
