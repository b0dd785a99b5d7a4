"""Sends one small report to each PAM of a warehouse, in a process of its own that a test may kill.

`python -m lms_assets_tests.reports.send_reports WAREHOUSE_URL SMTP_URL [before-dot N]`: with `before-dot N` the process
kills itself after the N-th message was noted as handed over and before its closing dot is sent.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from lms_assets.domain.counting.holdings import CountingInputs
from lms_assets.domain.counting.report_facts import PartnerFacts
from lms_assets.reports.delivery.deliver import DeliverySummary, MailOutput, deliver_pam_reports
from lms_assets.reports.delivery.recipients import pam_addressees
from lms_assets.reports.delivery.smtp import SmtpMailer, SmtpServer
from lms_assets.reports.rendering.render import Rendered, Renderer
from lms_assets.warehouse.bookkeeping.email_log import EmailLogRows
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.reading.reports import managers
from lms_assets_tests.reports.scenarios import inputs

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


class SmallRenderer(Renderer):
    """The same small mail for everybody: what is tried here is the sending."""

    def render(self, report, *, notes=()):
        return Rendered("Your partners", "<p>report</p>", "report\r\n.\r\n..two\r\n", ())


class LogThatKills(EmailLogRows):
    """Kills its process after the N-th hand-over was kept."""

    def __init__(self, warehouse: Warehouse, number: int) -> None:
        super().__init__(warehouse)
        self._left = number

    def hand_over(self, message_key, now):
        won = super().hand_over(message_key, now)
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return won


def send(warehouse: Warehouse, smtp_url: str, log: EmailLogRows, *, now: datetime = NOW) -> DeliverySummary:
    """Send to every PAM who is due."""
    with warehouse.read() as connection:
        addressees, not_due = pam_addressees(managers(connection), now)
    owners = sorted({owner for addressee in addressees for owner in addressee.owners})
    partners = [PartnerFacts(number, f"Partner {number}", owner=owner) for number, owner in enumerate(owners, 1)]
    scenario = inputs(CountingInputs((), (), {}), partners)
    server = SmtpServer.from_url(smtp_url)
    with SmtpMailer(server, messages_per_minute=6000, wait_seconds=0.01, timeout_seconds=10) as mailer:
        post = MailOutput(
            renderer=SmallRenderer(scenario.config),
            folder=Path("unused"),
            clock=lambda: now,
            mailer=mailer,
            log=log,
            mail_from="Reports <reports@example.com>",
        )
        return deliver_pam_reports(scenario, addressees, not_due, post)


if __name__ == "__main__":
    _warehouse = Warehouse(sys.argv[1])
    _log = LogThatKills(_warehouse, int(sys.argv[4])) if len(sys.argv) > 3 else EmailLogRows(_warehouse)
    send(_warehouse, sys.argv[2], _log)
