"""Who is due, under which key, and what becomes files where there is no mail server."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import pytest

from lms_assets.domain.counting.report_facts import Executive, Manager
from lms_assets.reports.delivery.deliver import MailOutput, deliver_executive_report, deliver_pam_reports
from lms_assets.reports.delivery.recipients import (
    decide,
    executive_addressees,
    executive_for_preview,
    owners_for_preview,
    pam_addressees,
    period_of,
)
from lms_assets.reports.rendering.render import Renderer
from lms_assets_tests.reports.scenarios import show_scenario

MONDAY = datetime(2026, 11, 23, 8, tzinfo=UTC)


def manager(number=1, **values):
    return Manager(**({"id": number, "owner_name": f"Owner {number}", "email": f"o{number}@example.com"} | values))


@pytest.mark.parametrize(
    ("frequency", "last", "due"),
    [
        ("weekly", None, True),
        ("weekly", datetime(2026, 11, 22, 23, 59, tzinfo=UTC), True),
        ("weekly", datetime(2026, 11, 23, 0, 1, tzinfo=UTC), False),
        ("monthly", datetime(2026, 11, 2, 8, tzinfo=UTC), False),
        ("monthly", datetime(2026, 10, 26, 8, tzinfo=UTC), True),
        ("daily", datetime(2026, 11, 22, 8, tzinfo=UTC), True),
        ("daily", datetime(2026, 11, 23, 7, tzinfo=UTC), False),
        (" Weekly ", None, True),
        ("never", None, False),
    ],
)
def test_a_report_is_due_once_in_each_period_that_the_person_asked_for(frequency, last, due):
    addressees, not_due = pam_addressees([manager(frequency=frequency, last_report_sent=last)], MONDAY)

    assert bool(addressees) == due
    assert bool(not_due) != due
    assert all(each.reason for each in not_due)


def test_a_period_is_a_day_an_iso_week_or_a_month():
    new_year = datetime(2027, 1, 1, 8, tzinfo=UTC)

    assert [period_of(each, new_year) for each in ("daily", "weekly", "monthly")] == [
        "2027-01-01",
        "2026-W53",
        "2027-01",
    ]


def test_the_key_of_a_message_is_one_for_all_spellings_of_the_address_and_holds_none():
    (one,), _ = pam_addressees([manager(email="Olga@Example.com ")], MONDAY)
    (other,), _ = pam_addressees([manager(7, email="olga@example.com")], MONDAY)

    assert one.message_key == other.message_key
    assert "olga" not in one.message_key
    assert len(one.message_key) <= 200


def test_pam_and_executive_reports_to_one_person_are_two_messages():
    (pam,), _ = pam_addressees([manager()], MONDAY)
    (executive,) = executive_addressees([Executive(1, "o1@example.com", "Boss")], MONDAY)

    assert pam.message_key != executive.message_key


def test_addresses_and_names_show_in_no_text_form_of_an_addressee():
    (addressee,), _ = pam_addressees([manager(owner_name="Olga Example")], MONDAY)

    assert "o1@" not in repr(addressee)
    assert "Olga" not in repr(addressee)


def test_only_a_message_that_certainly_did_not_go_out_is_sent():
    assert [decide(state) for state in (None, "reserved", "failed", "sent", "handed over")] == [
        "send",
        "send",
        "send",
        "already sent",
        "outcome unknown",
    ]


def test_without_a_mail_server_reports_become_files_that_only_their_owner_can_read(tmp_path):
    scenario = show_scenario(partners=6, owners=2)
    post = MailOutput(renderer=Renderer(scenario.config), folder=tmp_path / "out", clock=lambda: MONDAY)
    addressees, not_due = pam_addressees([manager(1), manager(2)], MONDAY)

    pams = deliver_pam_reports(scenario, addressees, not_due, post)
    executives = deliver_executive_report(
        scenario, executive_addressees([Executive(3, "x@example.com")], MONDAY), (), post
    )

    assert [path.relative_to(tmp_path).as_posix() for path in (*pams.files, *executives.files)] == [
        "out/2026-W48/pam-1.html",
        "out/2026-W48/pam-1.eml",
        "out/2026-W48/pam-2.html",
        "out/2026-W48/pam-2.eml",
        "out/2026-W48/executive-3.html",
        "out/2026-W48/executive-3.eml",
    ]
    assert all(path.stat().st_mode & 0o077 == 0 for path in pams.files)
    mail = message_from_bytes(pams.files[1].read_bytes(), policy=default)
    assert mail["To"].addresses[0].addr_spec == "o1@example.com"
    assert "Your partners this week" in mail.get_body(("html",)).get_content()
    assert pams.sent == pams.failed == ()
    assert pams.figures["files"] == 4


def test_the_summary_holds_a_preview_and_figures_but_no_name_of_a_person(tmp_path):
    scenario = show_scenario(partners=12, owners=2)
    post = MailOutput(renderer=Renderer(scenario.config), folder=tmp_path, clock=lambda: MONDAY)
    addressees, _ = pam_addressees([manager(1)], MONDAY)

    summary = deliver_pam_reports(scenario, addressees, (), post)
    executives = deliver_executive_report(scenario, (), (), post)

    pictures = [base64.b64decode(each.preview_picture.split("base64,")[1][:-1]) for each in (summary, executives)]
    assert all(len(each) < 10_000 for each in pictures), "it is stored with the run's events"
    for text in (summary.preview_text, executives.preview_text, *(each.decode() for each in pictures)):
        assert text
        assert not any(name in text for name in scenario.names.values())
        assert "Owner 1" not in text
    assert summary.figures["partners"] == executives.figures["partners"] == 12
    assert executives.figures["npcu"] == scenario.counts["npcu"].sum()


def test_without_managers_the_largest_owners_are_shown_as_files(tmp_path):
    scenario = show_scenario(partners=9, owners=4)

    found = owners_for_preview(scenario.partners, MONDAY, most=2)

    assert [each.owners for each in found] == [("Owner 2",), ("Owner 1",)]
    post = MailOutput(renderer=Renderer(scenario.config), folder=tmp_path, clock=lambda: MONDAY)
    summary = deliver_pam_reports(scenario, found, (), post)
    assert [path.name for path in summary.files] == ["owner-1.html", "owner-1.eml", "owner-2.html", "owner-2.eml"]


def test_a_pam_without_partners_gets_no_empty_report(tmp_path):
    scenario = show_scenario(partners=3)
    post = MailOutput(renderer=Renderer(scenario.config), folder=tmp_path, clock=lambda: MONDAY)
    addressees, _ = pam_addressees([manager(1), manager(2)], MONDAY)

    summary = deliver_pam_reports(scenario, addressees, (), post)

    assert [(each.reference, each.reason) for each in summary.skipped] == [("pam 2", "owns no active partner")]
    assert len(summary.files) == 2


def test_where_no_executive_is_named_the_report_becomes_a_file(tmp_path):
    scenario = show_scenario(partners=3)
    post = MailOutput(renderer=Renderer(scenario.config), folder=tmp_path, clock=lambda: MONDAY)

    summary = deliver_executive_report(scenario, [executive_for_preview(MONDAY)], (), post)

    assert [path.name for path in summary.files] == ["executive.html", "executive.eml"]


def test_a_sender_that_is_no_address_is_refused_before_anything_is_built(tmp_path):
    scenario = show_scenario(partners=1)
    with pytest.raises(ValueError, match="LMS_MAIL_FROM"):
        MailOutput(renderer=Renderer(scenario.config), folder=tmp_path, clock=lambda: MONDAY, mail_from="Reports")


def test_a_mailer_without_a_log_is_refused(tmp_path):
    scenario = show_scenario(partners=1)
    with pytest.raises(ValueError, match="log"):
        MailOutput(renderer=Renderer(scenario.config), folder=tmp_path, clock=lambda: MONDAY, mailer=object())
