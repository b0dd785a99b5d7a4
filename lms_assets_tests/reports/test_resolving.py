"""Mails of which nobody knows whether they arrived: listed, noted as sent, or sent again, as a person found out."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from rich.console import Console
from sqlalchemy import insert, select, update
from typer.testing import CliRunner

from lms_assets.cli import app
from lms_assets.console.commands.report import ResolveOptions, print_unresolved, resolve
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.bookkeeping.email_log import EmailLogRows, unknown_outcomes
from lms_assets.warehouse.schema import tables as t
from lms_assets_tests.reports.mail_server import Mailbox, running_mail_server
from lms_assets_tests.reports.send_reports import NOW, send

PAMS = {12: "olga@example.com", 14: "Olga@Example.com", 16: "pablo@example.com"}
LATER = NOW + timedelta(minutes=30)


@pytest.fixture
def mailbox():
    return Mailbox()


@pytest.fixture
def unresolved(warehouse, mailbox):
    """Two people's reports were taken by the mail server, whose answers were lost; Olga has two rows."""
    rows = [{"id": key, "owner_name": f"Owner {key}", "email": address} for key, address in PAMS.items()]
    with warehouse.transaction() as connection:
        connection.execute(insert(t.partner_managers), rows)
    mailbox.after_data = lambda _: "an answer that cannot be understood"
    with running_mail_server(mailbox) as address:
        summary = send(warehouse, f"smtp://{address}", EmailLogRows(warehouse))
    assert len(summary.unknown) == 2
    return warehouse


def listed(warehouse):
    with warehouse.read() as connection:
        return {each.reference: each for each in unknown_outcomes(connection)}


def rows_of(warehouse, table, *columns):
    with warehouse.read() as connection:
        return {row[0]: tuple(row[1:]) for row in connection.execute(select(table.c.id, *columns))}


def do(warehouse, *, now=LATER, **what):
    with warehouse.transaction() as connection:
        return resolve(connection, ResolveOptions(by="anna", **what), now=now)


def test_the_list_says_whose_and_since_when_and_no_address(unresolved):
    found = listed(unresolved)
    assert set(found) == {"pam 12", "pam 16"}
    assert {each.handed_over_at for each in found.values()} == {NOW}
    assert {each.period for each in found.values()} == {"2026-W48"}
    out = io.StringIO()
    print_unresolved(Console(file=out, width=100), tuple(found.values()))
    assert "pam 12" in out.getvalue()
    assert "2026-11-23 08:00:00" in out.getvalue()
    assert "@" not in out.getvalue()


def test_what_arrived_is_sent_for_all_rows_of_that_person_and_never_again(unresolved, mailbox):
    (line,) = do(unresolved, sent=[listed(unresolved)["pam 12"].id])
    assert "pam 12" in line
    status = rows_of(unresolved, t.email_log, t.email_log.c.status, t.email_log.c.sent_at, t.email_log.c.error_message)
    assert ("sent", NOW, "resolved by anna at 2026-11-23 08:30:00 UTC: it had arrived") in status.values()
    reported = rows_of(unresolved, t.partner_managers, t.partner_managers.c.last_report_sent)
    assert reported == {12: (NOW,), 14: (NOW,), 16: (None,)}
    assert set(listed(unresolved)) == {"pam 16"}
    before = dict(mailbox.received)
    with running_mail_server(mailbox) as address:
        summary = send(unresolved, f"smtp://{address}", EmailLogRows(unresolved))
    assert (summary.sent, len(summary.unknown)) == ((), 1)
    assert mailbox.received == before


def test_a_later_report_that_was_noted_stays_noted(unresolved):
    pams, later = t.partner_managers, NOW + timedelta(days=7)
    with unresolved.transaction() as connection:
        connection.execute(update(pams).where(pams.c.id == 14).values(last_report_sent=later))
    do(unresolved, sent=[listed(unresolved)["pam 12"].id])
    assert rows_of(unresolved, pams, pams.c.last_report_sent)[14] == (later,)


def test_what_did_not_arrive_is_sent_by_the_next_run_and_only_that(unresolved, mailbox):
    (line,) = do(unresolved, resend=[listed(unresolved)["pam 16"].id])
    assert "sent again by the next" in line
    noted = rows_of(unresolved, t.email_log, t.email_log.c.status, t.email_log.c.error_message)
    wanted = "resolved by anna at 2026-11-23 08:30:00 UTC: it had not arrived; to be sent again"
    assert ("failed", wanted) in noted.values()
    before, mailbox.after_data = dict(mailbox.received), lambda _: None
    with running_mail_server(mailbox) as address:
        summary = send(unresolved, f"smtp://{address}", EmailLogRows(unresolved))
    assert summary.sent == ("pam 16",)
    assert mailbox.received == {**before, PAMS[16]: before.get(PAMS[16], 0) + 1}


def test_a_period_that_is_over_is_said_to_be_over(unresolved):
    (line,) = do(unresolved, resend=[listed(unresolved)["pam 16"].id], now=NOW + timedelta(days=14))
    assert "period is over" in line


def test_what_may_be_on_its_way_or_is_not_there_is_refused_and_nothing_changed(unresolved):
    found = listed(unresolved)
    first, second = found["pam 12"].id, found["pam 16"].id
    with pytest.raises(ConfigurationError, match="still be on its way; resolve it after 08:10 UTC"):
        do(unresolved, sent=[first], now=NOW + timedelta(minutes=9))
    with pytest.raises(ConfigurationError, match="message 999 is not among"):
        do(unresolved, sent=[first], resend=[999])
    with pytest.raises(ConfigurationError, match="exclude each other"):
        do(unresolved, sent=[first, second], resend=[second])
    assert listed(unresolved) == found


def test_an_executive_is_named_by_the_number_of_the_row(warehouse):
    with warehouse.transaction() as connection:
        connection.execute(insert(t.executive_report_recipients).values(id=3, email="Erik@example.com"))
    log = EmailLogRows(warehouse)
    for address in ("erik@example.com", "gone@example.com"):
        key = f"executive_weekly_report:2026-W48:{address[:4]}"
        values = {"name": "", "subject": "", "pam_id": None, "period": "2026-W48", "now": NOW}
        log.reserve(key, email_type="executive_weekly_report", address=address, **values)
        log.hand_over(key, NOW)
    assert list(listed(warehouse)) == ["executive 3", "executive"]


def test_the_command_lists_and_resolves(unresolved, tmp_path, monkeypatch):
    for name in ("NORTHPASS_API_KEY", "IMPARTNER_API_KEY"):
        monkeypatch.setenv(name, "key")
    monkeypatch.setenv("LMS_WAREHOUSE_URL", unresolved.engine.url.render_as_string(hide_password=False))
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    assert "pam 16" in runner.invoke(app, ["report", "resolve"]).output
    for number in (each.id for each in listed(unresolved).values()):
        done = runner.invoke(app, ["report", "resolve", "--sent", str(number), "--by", "anna"])
        assert done.exit_code == 0, done.output
    assert "Every report mail is resolved" in runner.invoke(app, ["report", "resolve"]).output
    assert runner.invoke(app, ["report", "resolve", "--sent", "1"]).exit_code == 2
