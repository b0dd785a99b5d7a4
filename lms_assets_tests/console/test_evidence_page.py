"""The evidence page: it adds up, shows no address, and a copy can be checked."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from sqlalchemy import delete, insert, update

from lms_assets.console.command import program_version
from lms_assets.console.commands import evidence
from lms_assets.console.partner_question import WhyOptions, find_answer
from lms_assets.domain.counting.report_facts import Manager
from lms_assets.domain.rules import Rules
from lms_assets.reports.config import ReportConfig
from lms_assets.reports.delivery import deliver as delivery_evidence
from lms_assets.reports.delivery.deliver import MailOutput, attached_note, deliver_pam_reports, pages_from
from lms_assets.reports.delivery.recipients import pam_addressees
from lms_assets.reports.delivery.smtp import SmtpMailer, SmtpServer
from lms_assets.reports.figures.inputs import report_inputs_from
from lms_assets.reports.figures.pam import build_pam_report
from lms_assets.reports.rendering.evidence import digest_of, read_evidence, render_evidence
from lms_assets.reports.rendering.render import Renderer
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.bookkeeping.email_log import EmailLogRows
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.schema import tables as t
from lms_assets_tests.harness.counting import count_as_of
from lms_assets_tests.reports.mail_server import Mailbox, running_mail_server

AT = datetime(2026, 11, 23, 2, tzinfo=UTC)
DAY = timedelta(days=1)
MARKUP = '<img src=x onerror="alert(1)">'


@pytest.fixture
def counted(warehouse: Warehouse) -> Warehouse:
    """A partner of four people, counted once."""
    people = ["ann", "bob", "cyd", "dis"]
    rows = {
        t.partners: [{"id": 1, "account_name": f"Acorn {MARKUP}", "partner_tier": "Select", "impartner_id": 1001}],
        t.lms_users: [
            {"id": each, "first_name": each.title(), "last_name": "Example", "is_active": each != "dis",
             "status": "deactivated" if each == "dis" else "active"}
            for each in people
        ],
        t.lms_groups: [{"id": "g1", "name": "ptr_Acorn", "partner_id": 1}],
        t.lms_group_members: [{"group_id": "g1", "user_id": each} for each in people],
        t.lms_courses: [
            {"id": f"k{n}", "name": f"K2 Developer level {n}", "npcu_value": 2, "certification_category": "nintex_k2"}
            for n in range(3)
        ] + [{"id": "no", "name": "Welcome", "npcu_value": 0, "certification_category": None}],
        t.lms_enrollments: [
            {"id": f"e-{who}-{n}", "user_id": who, "course_id": f"k{n}", "status": "completed",
             "completed_at": AT - days * DAY, "expires_at": None}
            for who, n, days in [("ann", 0, 100), ("ann", 1, 650), ("bob", 0, 700), ("bob", 2, 30), ("cyd", 1, 800),
                                 ("dis", 0, 20), ("cyd", 2, 300)]
        ] + [{"id": "e-no", "user_id": "ann", "course_id": "no", "status": "completed", "completed_at": AT - DAY,
              "expires_at": None}],
    }  # fmt: skip
    with warehouse.transaction() as connection:
        for table, of_table in rows.items():
            connection.execute(insert(table), of_table)
    count_as_of(warehouse, AT)
    return warehouse


def page_of(warehouse: Warehouse, folder: Path, **options: object) -> Path:
    asked = WhyOptions("1", **options)  # type: ignore[arg-type]
    answer = find_answer(warehouse, asked, rules=Rules(), now=AT + DAY)
    path = folder / "evidence.html"
    evidence.write_evidence(answer, path, config=ReportConfig(), now=AT + DAY)
    return path


def verify(path: Path, warehouse: Warehouse | None, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    def settings() -> object:
        if warehouse is None:
            raise ConfigurationError(["nothing is set"])
        return SimpleNamespace(warehouse_url=str(warehouse.engine.url.render_as_string(hide_password=False)))

    monkeypatch.setattr(evidence, "settings_from_environment", settings)
    console = Console(record=True, width=200, file=io.StringIO())
    code = evidence.verify_command(path, console)
    return code, console.export_text()


def test_the_page_adds_up_and_says_what_falls_and_why_the_rest_does_not_count(
    counted: Warehouse, tmp_path: Path
) -> None:
    page = page_of(counted, tmp_path).read_text(encoding="utf-8")
    data = read_evidence(page)
    assert data.npcu == sum(row.npcu for row in data.rows if row.status == "counted") == 10
    assert (data.requirement, data.in_ledger) == (10, True)
    assert digest_of(data) in page
    for said in (
        "Select asks for 10", "falls below 10 NPCU on 2026-12-23", "expired on 2026-09-14 02:00:00 UTC",
        "person is disabled", "Who could renew",
        "which are no certifications, with the number of enrollments: Welcome (1).",
    ):  # fmt: skip
        assert said in page
    assert MARKUP not in page
    assert "&lt;img src=x" in page
    assert not re.search(r"(src|href)=\"?https?:", page), "nothing is loaded from elsewhere"


def test_the_reasons_why_it_is_withheld_stand_in_one_box(counted: Warehouse, tmp_path: Path) -> None:
    answer = find_answer(counted, WhyOptions("1"), rules=Rules(), now=AT + DAY)
    assert len(answer.withheld) > 2
    page = page_of(counted, tmp_path).read_text(encoding="utf-8").partition("<script")[0]
    (box,) = [each for each in page.split('class="note"')[1:] if answer.withheld[0].text in each]
    box = box[: box.index("</ul>")]
    assert box.count("<li>") == len(answer.withheld)
    assert all(each.text in box for each in answer.withheld)


def test_no_address_stands_in_it_and_names_only_when_asked_for(counted: Warehouse, tmp_path: Path) -> None:
    with counted.transaction() as connection:
        connection.execute(update(t.lms_users).where(t.lms_users.c.id == "bob").values(last_name="bob@example.com"))
        connection.execute(update(t.lms_groups).values(name="ptr_Acorn ann@example.com"))
    assert "Ann Example" not in page_of(counted, tmp_path).read_text(encoding="utf-8")
    named = page_of(counted, tmp_path, names=True).read_text(encoding="utf-8")
    assert "Ann Example (ann)" in named
    assert "@example.com" not in named


def test_a_copy_that_was_not_touched_is_equal_and_whatever_is_altered_shows(
    counted: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = page_of(counted, tmp_path)
    page = path.read_text(encoding="utf-8")
    code, said = verify(path, counted, monkeypatch)
    assert code == 0
    assert "✓ Unaltered: partner 1, as of 2026-11-23T02:00:00+00:00: 10 NPCU" in said
    assert "✓ Equal to the ledger as of" in said
    assert "The present ledger says the same." in said
    assert verify(path, None, monkeypatch)[0] == 0, "whoever has no warehouse checks the page itself"

    changes = (
        page.replace("<strong>10</strong>", "<strong>12</strong>"),
        page.replace("2026-08-15 02:00", "2026-08-16 02:00"),
        page.replace('"npcu":2', '"npcu":1', 1),
        page.replace("</body>", "<p>and 2 more</p></body>"),
        page.replace("\n", "\r\n"),
    )
    for number, changed in enumerate(changes):
        assert changed != page, number
        path.write_text(changed, encoding="utf-8", newline="")
        code, said = verify(path, counted, monkeypatch)
        assert (code, "it was altered" in said) == (1, True), number


def test_a_page_made_again_with_other_rows_is_not_what_the_ledger_held(
    counted: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = page_of(counted, tmp_path)
    page = path.read_text(encoding="utf-8")
    data = read_evidence(page)
    (payload,) = re.findall(r'id="evidence">(.*?)</script>', page)
    values = json.loads(payload)
    values["rows"][0]["fingerprint"] = "0" * 32
    forged = render_evidence(read_evidence(page.replace(payload, json.dumps(values))))
    path.write_text(forged, encoding="utf-8")
    assert digest_of(read_evidence(forged)) != digest_of(data)
    code, said = verify(path, counted, monkeypatch)
    assert (code, "2 rows are not what the ledger held" in said) == (1, True)


@pytest.mark.parametrize("forge", ["points of a row", "expiry of a row", "the total"])
def test_a_page_made_again_with_the_same_fingerprints_is_compared_by_what_it_says(
    counted: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forge: str
) -> None:
    data = read_evidence(page_of(counted, tmp_path).read_text(encoding="utf-8"))
    first, *others = data.rows
    forged = {
        "points of a row": replace(data, rows=(replace(first, npcu=1), *others)),
        "expiry of a row": replace(data, rows=(replace(first, expires="2099-01-01T00:00:00+00:00"), *others)),
        "the total": replace(data, npcu=12),
    }[forge]
    path = tmp_path / "forged.html"
    path.write_text(render_evidence(forged), encoding="utf-8", newline="\n")
    code, said = verify(path, counted, monkeypatch)
    assert (code, "✗ Altered" in said) == (1, True), said


def test_it_says_how_the_present_ledger_differs(
    counted: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = page_of(counted, tmp_path)
    with counted.transaction() as connection:
        connection.execute(delete(t.lms_group_members).where(t.lms_group_members.c.user_id == "bob"))
    count_as_of(counted, AT + 40 * DAY)
    code, said = verify(path, counted, monkeypatch)
    assert code == 0
    assert "✓ Equal to the ledger as of 2026-11-23" in said
    assert "− bob: K2 Developer level 2, held until" in said
    assert "bob" not in said.partition("  +")[2]


@pytest.mark.parametrize(
    "content",
    [b"", b"<html></html>", b"\xff\xfe", b'<script type="application/json" id="evidence">{"rows":[1]}</script>'],
)
def test_another_file_is_no_evidence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.html"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="no evidence page"):
        evidence.verify_command(path, Console(file=io.StringIO()))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        evidence.verify_command(tmp_path / "none.html", Console(file=io.StringIO()))


@pytest.mark.parametrize("names", [False, True])
def test_a_manager_gets_the_page_of_each_partner_that_fell_below(
    counted: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: bool
) -> None:
    """Through a real mail server, and the page that arrives is one that `verify` finds unaltered."""
    now, rules = AT + 32 * DAY, Rules()
    with counted.transaction() as connection:
        connection.execute(update(t.partners).values(account_owner="Olga"))
    count_as_of(counted, now)
    config = ReportConfig(evidence_names=names)
    inputs = report_inputs_from(counted, rules=rules, config=config, now=now)
    pages = pages_from(counted, rules, inputs, now=now, version=program_version())
    addressees = pam_addressees([Manager(1, "Olga", "olga@example.com")], now)[0]
    mailbox = Mailbox()
    with running_mail_server(mailbox) as address, SmtpMailer(SmtpServer.from_url(f"smtp://{address}")) as mailer:
        output = MailOutput(
            Renderer(config), tmp_path, lambda: now, mailer, EmailLogRows(counted), "Reports <reports@example.com>"
        )
        summary = deliver_pam_reports(inputs, addressees, (), output, pages)
    assert summary.sent == ("pam 1",)

    mail = mailbox.message_to("olga@example.com")
    (page,) = mail.iter_attachments()
    assert (page.get_filename(), page.get_content_type()) == ("partner-1.html", "text/html")
    assert "Attached: a page for each partner that fell below" in " ".join(
        mail.get_body(("plain",)).get_content().split()  # type: ignore[union-attr]
    )
    copy = tmp_path / "copy.html"
    copy.write_bytes(page.get_payload(decode=True))
    assert verify(copy, counted, monkeypatch)[0] == 0
    data = read_evidence(copy.read_text(encoding="utf-8"))
    assert (data.npcu, data.requirement, data.as_of) == (8, 10, now.isoformat())
    assert ("Ann Example" in copy.read_text(encoding="utf-8")) == names


def test_pages_stay_within_what_a_mail_takes(counted: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = report_inputs_from(counted, rules=Rules(), config=ReportConfig(), now=AT)
    (line,) = build_pam_report(
        replace(inputs, partners=(replace(inputs.partners[0], owner="Olga"),)), ["Olga"]
    ).partners
    report = SimpleNamespace(fell_below=(line,) * 30)
    pages = pages_from(counted, Rules(), inputs, now=AT, version="1")
    found = pages(report)  # type: ignore[arg-type]
    assert len(found) == delivery_evidence.MAX_PAGES
    assert attached_note(report, found)[0].startswith("Attached: a page for 10 of the 30 partners")  # type: ignore[arg-type]
    monkeypatch.setattr(delivery_evidence, "MAX_BYTES", 3 * len(found[0].html.encode()) - 1)
    assert len(pages(report)) == 2  # type: ignore[arg-type]
