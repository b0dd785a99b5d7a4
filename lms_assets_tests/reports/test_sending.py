"""Through a real mail server: once each, whatever is refused, lost or killed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from lms_assets.warehouse.bookkeeping.email_log import EmailLogRows, unknown_outcomes
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.schema import tables as t
from lms_assets_tests.harness.templates import empty_sqlite
from lms_assets_tests.harness.waits import LONGEST_SECONDS
from lms_assets_tests.reports.mail_server import Mailbox, running_mail_server
from lms_assets_tests.reports.send_reports import NOW, send

ROOT = Path(__file__).resolve().parents[2]
PAM_ADDRESSES = [f"olga-{number}@example.com" for number in range(1, 41)]


def add_managers(warehouse, addresses, **values):
    rows = [
        {"owner_name": f"Owner {number}", "email": address, **values} for number, address in enumerate(addresses, 1)
    ]
    with warehouse.transaction() as connection:
        connection.execute(insert(t.partner_managers), rows)


def log_of(warehouse):
    c = t.email_log.c
    with warehouse.read() as connection:
        rows = connection.execute(select(c.recipient_email, c.status, c.error_message).order_by(c.id))
        return {row[0]: (row[1], row[2]) for row in rows}


@pytest.fixture
def mailbox():
    return Mailbox()


@pytest.fixture
def smtp(mailbox):
    with running_mail_server(mailbox) as address:
        yield f"smtp://{address}"


def test_each_person_gets_one_message_and_a_second_run_sends_none(warehouse, mailbox, smtp):
    add_managers(warehouse, PAM_ADDRESSES[:3])

    first = send(warehouse, smtp, EmailLogRows(warehouse))
    second = send(warehouse, smtp, EmailLogRows(warehouse))

    assert len(first.sent) == 3
    assert all(reference.startswith("pam ") for reference in first.sent)
    assert mailbox.received == dict.fromkeys(PAM_ADDRESSES[:3], 1)
    assert second.sent == ()
    assert len(second.skipped) == 3
    assert set(log_of(warehouse).values()) == {("sent", None)}


def test_lines_that_begin_with_a_dot_arrive_as_they_were(warehouse, mailbox, smtp):
    add_managers(warehouse, PAM_ADDRESSES[:1])

    send(warehouse, smtp, EmailLogRows(warehouse))

    text = mailbox.message_to(PAM_ADDRESSES[0]).get_body(("plain",)).get_content()
    assert text.splitlines() == ["report", ".", "..two"]


def test_last_report_sent_moves_and_counts_even_when_the_log_was_emptied(warehouse, mailbox, smtp):
    add_managers(warehouse, PAM_ADDRESSES[:1])
    send(warehouse, smtp, EmailLogRows(warehouse))
    with warehouse.transaction() as connection:
        connection.execute(t.email_log.delete())

    again = send(warehouse, smtp, EmailLogRows(warehouse))

    assert again.skipped[0].reason == "already got the report of 2026-W48"
    assert mailbox.received == {PAM_ADDRESSES[0]: 1}


def test_next_week_brings_the_next_report(warehouse, mailbox, smtp):
    add_managers(warehouse, PAM_ADDRESSES[:1])
    send(warehouse, smtp, EmailLogRows(warehouse))

    send(warehouse, smtp, EmailLogRows(warehouse), now=NOW + timedelta(days=7))

    assert mailbox.received == {PAM_ADDRESSES[0]: 2}


def test_one_person_in_two_rows_gets_one_message_about_both(warehouse, mailbox, smtp):
    add_managers(warehouse, ["olga@example.com", " Olga@Example.com"])

    summary = send(warehouse, smtp, EmailLogRows(warehouse))

    assert len(summary.sent) == 1
    assert sum(mailbox.received.values()) == 1
    with warehouse.read() as connection:
        sent = connection.execute(select(t.partner_managers.c.last_report_sent)).scalars().all()
    assert sent == [NOW, NOW]


def test_who_wants_no_report_gets_none(warehouse, mailbox, smtp):
    add_managers(warehouse, PAM_ADDRESSES[:1], email_reports_enabled=False)
    with warehouse.transaction() as connection:
        connection.execute(
            insert(t.partner_managers),
            [
                {"owner_name": "gone", "email": PAM_ADDRESSES[1], "is_active_pam": False},
                {"owner_name": "none", "email": " ", "is_active_pam": True},
            ],
        )

    summary = send(warehouse, smtp, EmailLogRows(warehouse))

    assert summary.sent == summary.failed == ()
    assert not mailbox.messages


def test_a_refused_address_fails_alone_and_is_tried_again_next_time(warehouse, mailbox, smtp):
    add_managers(warehouse, [PAM_ADDRESSES[0], "refused@example.com", "not an address", PAM_ADDRESSES[3]])
    mailbox.on_rcpt = lambda address, _: f"550 no such user {address}" if "refused" in address else None

    summary = send(warehouse, smtp, EmailLogRows(warehouse))

    assert mailbox.received == {PAM_ADDRESSES[0]: 1, PAM_ADDRESSES[3]: 1}
    assert len(summary.failed) == 2
    assert not any("@" in each.reason for each in summary.failed)
    assert mailbox.tries["refused@example.com"] == 1
    log = log_of(warehouse)
    assert log["refused@example.com"][0] == log["not an address"][0] == "failed"
    assert "refused@example.com" not in log["refused@example.com"][1]

    mailbox.on_rcpt = lambda *_: None
    assert len(send(warehouse, smtp, EmailLogRows(warehouse)).sent) == 1
    assert mailbox.received["refused@example.com"] == 1


@pytest.mark.parametrize("stage", ["on_rcpt", "on_data"])
def test_a_server_that_is_busy_or_hangs_up_before_taking_is_asked_again(warehouse, mailbox, smtp, stage):
    add_managers(warehouse, PAM_ADDRESSES[:2])
    answers = {1: "451 try later", 2: "451 try later" if stage == "on_data" else Mailbox.HANG_UP}
    setattr(mailbox, stage, lambda _, tried: answers.get(tried))

    summary = send(warehouse, smtp, EmailLogRows(warehouse))

    assert len(summary.sent) == 2
    assert mailbox.received == dict.fromkeys(PAM_ADDRESSES[:2], 1)
    assert mailbox.tries[PAM_ADDRESSES[0]] == 3


def test_content_that_is_refused_for_good_fails_that_message_only(warehouse, mailbox, smtp):
    add_managers(warehouse, PAM_ADDRESSES[:2])
    mailbox.on_data = lambda address, _: "554 looks like spam" if address == PAM_ADDRESSES[0] else None

    summary = send(warehouse, smtp, EmailLogRows(warehouse))

    assert [each.reason for each in summary.failed] == ["the mail server said 554: looks like spam"]
    assert mailbox.received == {PAM_ADDRESSES[1]: 1}
    assert mailbox.tries[PAM_ADDRESSES[0]] == 1


@pytest.mark.parametrize("taken", [True, False])
def test_a_lost_answer_is_named_and_never_sent_again(warehouse, mailbox, smtp, taken):
    """Whether the server took it nobody here can know, so a person decides."""
    add_managers(warehouse, PAM_ADDRESSES[:2])
    if taken:
        mailbox.after_data = lambda address: Mailbox.HANG_UP if address == PAM_ADDRESSES[0] else None
    else:
        mailbox.on_data = lambda address, _: Mailbox.HANG_UP if address == PAM_ADDRESSES[0] else None

    summary = send(warehouse, smtp, EmailLogRows(warehouse))
    mailbox.after_data, mailbox.on_data = (lambda _: None), (lambda *_: None)
    again = send(warehouse, smtp, EmailLogRows(warehouse))

    assert len(summary.unknown) == len(again.unknown) == 1
    assert not again.complete
    assert mailbox.received[PAM_ADDRESSES[0]] == int(taken)
    assert mailbox.received[PAM_ADDRESSES[1]] == 1
    status, message = log_of(warehouse)[PAM_ADDRESSES[0]]
    assert status == "pending"
    assert "its answer is not known" in message


@pytest.mark.parametrize(("answer", "outcome"), [("299 fine", "sent"), ("354 what", "unknown"), ("hello", "unknown")])
def test_an_odd_answer_never_leads_to_a_second_message(warehouse, mailbox, smtp, answer, outcome):
    add_managers(warehouse, PAM_ADDRESSES[:1])
    mailbox.after_data = lambda _: answer

    summary = send(warehouse, smtp, EmailLogRows(warehouse))
    again = send(warehouse, smtp, EmailLogRows(warehouse))

    assert len(getattr(summary, outcome)) == 1
    assert again.sent == ()
    assert mailbox.received == {PAM_ADDRESSES[0]: 1}


def test_a_server_that_is_away_fails_all_and_a_later_run_sends_all(warehouse, mailbox):
    add_managers(warehouse, PAM_ADDRESSES[:3])
    with running_mail_server(mailbox) as address:
        pass

    summary = send(warehouse, f"smtp://{address}", EmailLogRows(warehouse))
    with running_mail_server(mailbox) as address:
        again = send(warehouse, f"smtp://{address}", EmailLogRows(warehouse))

    assert len(summary.failed) == 3
    assert "cannot be reached" in summary.failed[0].reason
    assert len(again.sent) == 3
    assert mailbox.received == dict.fromkeys(PAM_ADDRESSES[:3], 1)


def test_two_runs_at_once_send_each_message_once(warehouse, mailbox, smtp):
    add_managers(warehouse, PAM_ADDRESSES[:12])

    with ThreadPoolExecutor(2) as both:
        runs = [both.submit(send, warehouse, smtp, EmailLogRows(warehouse)) for _ in range(2)]
        summaries = [run.result() for run in runs]

    assert mailbox.received == dict.fromkeys(PAM_ADDRESSES[:12], 1)
    assert sum(len(each.sent) for each in summaries) == 12
    assert not any(each.failed for each in summaries)


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment",
    [
        "before anything was taken",
        "taken, answer not read",
        pytest.param("answer read", marks=pytest.mark.long),  # as before anything was taken, one message later
        "handed over, dot not sent",
    ],
)
def test_killed_in_the_middle_of_forty_each_arrives_once_or_is_named(tmp_path, mailbox, moment):
    """The 17th message's recipient is the one whose process dies."""
    path = tmp_path / "warehouse.db"
    path.write_bytes(empty_sqlite())
    url = f"sqlite:///{path}"
    warehouse = Warehouse(url)
    add_managers(warehouse, PAM_ADDRESSES)
    victim: list[subprocess.Popen[bytes]] = []

    def kill(*_):
        victim[0].kill()
        victim[0].wait()

    if moment == "before anything was taken":
        mailbox.on_rcpt = lambda address, tried: kill() if (address, tried) == (PAM_ADDRESSES[16], 1) else None
    elif moment == "taken, answer not read":
        mailbox.after_data = lambda address: kill() if address == PAM_ADDRESSES[16] else None
    elif moment == "answer read":
        mailbox.on_rcpt = lambda address, tried: kill() if (address, tried) == (PAM_ADDRESSES[17], 1) else None
    arguments = ["before-dot", "17"] if moment == "handed over, dot not sent" else []

    with running_mail_server(mailbox) as address:
        command = [sys.executable, "-m", "lms_assets_tests.reports.send_reports", url, f"smtp://{address}", *arguments]
        victim.append(subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}))
        assert victim[0].wait(timeout=LONGEST_SECONDS) == -signal.SIGKILL
        before = sum(mailbox.received.values())
        summary = send(warehouse, f"smtp://{address}", EmailLogRows(warehouse))

    assert 15 <= before <= 17
    with warehouse.read() as connection:
        named = unknown_outcomes(connection)
    crossed = moment in {"taken, answer not read", "handed over, dot not sent"}
    assert len(named) == len(summary.unknown) == int(crossed)
    expected = dict.fromkeys(PAM_ADDRESSES, 1)
    if moment == "handed over, dot not sent":
        del expected[PAM_ADDRESSES[16]]
    assert mailbox.received == expected
    warehouse.close()
