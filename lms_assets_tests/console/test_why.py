"""`lms-assets why`: what a person at the terminal reads."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta

import pytest
from rich.console import Console
from sqlalchemy import delete, insert, update

from lms_assets.console.commands.report import PreviewOptions, read_report_inputs, write_preview
from lms_assets.console.commands.why import why_lines
from lms_assets.console.partner_question import WhyOptions, find_answer
from lms_assets.domain.counting.certifications import PartnerCounts
from lms_assets.domain.counting.explanation import explain
from lms_assets.domain.rules import Rules
from lms_assets.reports.config import ReportConfig
from lms_assets.reports.figures.inputs import report_inputs_from
from lms_assets.reports.figures.model import Change
from lms_assets.reports.figures.pam import build_pam_report
from lms_assets.reports.rendering.render import Renderer
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.reading.reports import counting_inputs
from lms_assets.warehouse.results.counts import write_counts, write_history
from lms_assets.warehouse.results.ledger import ledger_counts
from lms_assets.warehouse.schema import tables as t
from lms_assets_tests.harness.counting import judge_as_of
from lms_assets_tests.reports.scenarios import SCRIPT_NAME

AT = datetime(2026, 11, 23, 2, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def scenario(warehouse):
    tables = {
        t.partners: [
            {"id": 1, "account_name": SCRIPT_NAME, "partner_tier": "Select", "account_owner": "Olga"},
            {"id": 2, "account_name": "[bold]Beech"},
            {"id": 3, "account_name": "Beech Two"},
        ],
        t.lms_users: [
            {"id": "ann", "first_name": "Ann", "last_name": "[red]Example", "is_active": True, "status": "active"},
            {"id": "dis", "first_name": "Dis", "last_name": "Abled", "is_active": False, "status": "deactivated"},
        ],
        t.contacts: [{"id": 11, "partner_id": 1, "email": "ann@example.com", "lms_user_id": "ann"}],
        t.lms_groups: [{"id": "g1", "name": "ptr_[Acorn]", "partner_id": 1}],
        t.lms_group_members: [{"group_id": "g1", "user_id": "ann"}, {"group_id": "g1", "user_id": "dis"}],
        t.lms_courses: [
            {"id": "k2", "name": "K2 Developer", "npcu_value": 2, "certification_category": "nintex_k2"},
            {"id": "ce", "name": "Automation Cloud", "npcu_value": 1, "certification_category": "nintex_ce"},
            {"id": "no", "name": "Welcome", "npcu_value": 0, "certification_category": None},
        ],
        t.lms_enrollments: [
            enrollment("e1", "ann", "k2", AT - 800 * DAY),
            enrollment("e2", "ann", "k2", AT - 3 * DAY),
            enrollment("e3", "ann", "ce", AT - 735 * DAY),
            enrollment("e4", "dis", "ce", AT - 3 * DAY),
            enrollment("e5", "ann", "no", AT - 3 * DAY),
            enrollment("e6", "ann", "ce", None, "in_progress"),
        ],
    }
    with warehouse.transaction() as connection:
        for table, rows in tables.items():
            for row in rows:
                connection.execute(insert(table).values(row))
        counts = [PartnerCounts(1, {"nintex_k2": 1}, 2, False)]
        write_counts(connection, counts, as_of=AT, now=AT)
        week_ago = AT - 7 * DAY
        earlier = [PartnerCounts(1, {"nintex_ce": 1}, 1, False)]
        write_history(connection, week_ago.date(), earlier, as_of=week_ago, now=week_ago)
    return warehouse


def enrollment(number, user_id, course_id, completed_at, status="completed"):
    return {"id": number, "user_id": user_id, "course_id": course_id, "status": status, "completed_at": completed_at}


def ask(warehouse, width=220, **options):
    answer = find_answer(warehouse, WhyOptions(**({"partner": "1"} | options)), rules=Rules(), now=AT + DAY)
    console = Console(record=True, width=width, file=io.StringIO())
    for line in why_lines(answer):
        console.print(line, highlight=False)
    return answer, console.export_text()


def test_it_adds_up_to_the_stored_counts_and_shows_through_what(scenario):
    answer, text = ask(scenario)

    assert answer.explanation.counts.total_npcu == 2
    assert "adds up to the stored counts" in text
    assert SCRIPT_NAME in text
    assert "ann  through contact 11, group ptr_[Acorn]" in text
    assert "2 NPCU  K2 Developer (nintex_k2): completed 2026-11-20 02:00, held until 2028-11-20 02:00" in text
    assert "1 certification of 1 person counted, 2 more nearly. The partner's people: 1, holding nothing: 0" in text


def test_what_nearly_counts_is_listed_with_its_reason_and_the_rest_on_demand(scenario):
    _, text = ask(scenario)

    assert "expired on 2026-11-18 02:00:00 UTC" in text
    assert "person is disabled" in text
    assert "another attempt" not in text
    assert "3 more enrollments not counted: --all shows them." in text
    assert text.index("As of") < text.index("1 certification of") < text.index("\nCounted") < text.index("\nNearly")

    _, everything = ask(scenario, show_all=True)

    assert "another attempt at the same course counts (renewal): e2" in everything
    assert "no NPCU" in everything
    assert "Automation Cloud (nintex_ce): not completed" in everything


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 132, 200])
def test_nothing_is_lost_at_any_width(scenario, width):
    wide, text = ask(scenario, width=500, show_all=True)[1], ask(scenario, width=width, show_all=True)[1]

    assert all(len(line) <= width for line in text.splitlines())
    assert sorted("".join(text.split())) == sorted("".join(wide.split()))
    assert "expired" in text


def test_names_of_people_show_only_when_asked_for_and_are_never_markup(scenario):
    assert "Ann" not in ask(scenario)[1]
    assert "Ann [red]Example (ann)" in ask(scenario, names=True)[1]


def test_a_day_of_the_past_adds_up_to_what_was_stored_that_day(scenario):
    answer, text = ask(scenario, at="2026-11-16")

    assert answer.explanation.at == AT - 7 * DAY
    assert answer.explanation.counts.by_category == {"nintex_ce": 1}
    assert "adds up to the stored counts" in text


def test_since_names_what_began_and_what_ceased_to_count(scenario):
    answer, text = ask(scenario, since="2026-11-16")

    assert answer.changes.npcu == 1
    assert "1 → 2 NPCU" in text
    assert "+2 ann: K2 Developer (nintex_k2), completed on 2026-11-20 02:00:00 UTC" in text
    assert "−1 ann: Automation Cloud (nintex_ce), expired on 2026-11-18 02:00:00 UTC" in text


def test_a_difference_to_the_stored_counts_is_told(scenario):
    with scenario.transaction() as connection:
        write_counts(connection, [PartnerCounts(1, {}, 7, False)], as_of=AT, now=AT)

    answer, text = ask(scenario)

    assert answer.stored.total_npcu == 7
    assert "differs from the stored counts: total_npcu: stored 7, explained 2" in text


def test_an_instant_without_stored_counts_says_so(scenario):
    assert "No counts were stored for this instant" in ask(scenario, at="2026-11-01T12:00:00Z")[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"partner": "oak"}, "no partner"),
        ({"partner": "beech"}, "#2 .*#3 Beech Two"),
        ({"at": "soon"}, "--at must be"),
        ({"since": "2026-11-31"}, "must be"),
        ({"since": "2026-11-24"}, "--since must be before"),
    ],
)
def test_a_question_that_cannot_be_answered_says_what_to_change(scenario, options, said):
    with pytest.raises(ConfigurationError, match=said):
        ask(scenario, **options)


def test_without_any_count_there_is_nothing_to_preview(warehouse):
    with pytest.raises(ConfigurationError, match="daily_full"):
        read_report_inputs(warehouse, rules=Rules(), config=ReportConfig(), now=AT)


def test_whoever_was_never_read_is_not_said_to_hold_nothing(scenario):
    with scenario.transaction() as connection:
        connection.execute(insert(t.lms_users).values(id="new", is_active=True, status="active"))
        connection.execute(insert(t.lms_group_members).values(group_id="g1", user_id="new"))
        connection.execute(update(t.lms_users).where(t.lms_users.c.id == "ann").values(transcript_read_at=AT))
    _, text = ask(scenario)
    said = "The partner's people: 2, holding nothing: 0, never read, so nobody knows what they hold: 1"
    assert said in " ".join(text.split())


def test_it_says_why_a_partner_is_not_pushed(scenario):
    _, text = ask(scenario)
    assert text.count("Withheld, not sent to the CRM:") == 1
    assert "\n- members of group g1 were never read completely" in text


@pytest.fixture
def counted(scenario):
    """The scenario with a ledger of two countings: a week ago Ann's course was held, now another one is."""
    for at in (AT - 7 * DAY, AT):
        judge_as_of(scenario, at)
    return scenario


def test_a_preview_is_written_and_stores_nothing(counted, tmp_path):
    with counted.read() as connection:
        days = connection.execute(t.partner_cert_history.select()).all()
    inputs = read_report_inputs(counted, rules=Rules(), config=ReportConfig(), now=AT + timedelta(hours=6))

    executive = write_preview(inputs, PreviewOptions(), tmp_path, now=AT)
    pam = write_preview(inputs, PreviewOptions("olga"), tmp_path, now=AT)

    assert executive.name == "executive.html"
    assert "2 NPCU" in executive.read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    assert "Ann [red]Example" in pam.read_text(encoding="utf-8")
    assert inputs.frame.week == date(2026, 11, 23)
    assert all(each.stored_npcu == inputs.counts.at[each.id, "npcu"] for each in inputs.partners)
    with counted.read() as connection:
        assert connection.execute(t.partner_cert_history.select()).all() == days
    with pytest.raises(ConfigurationError, match="owners are: Olga"):
        write_preview(inputs, PreviewOptions("Nobody"), tmp_path, now=AT)


def test_what_the_ledger_covers_is_read_from_it(counted):
    for options, npcu in (({}, 2), ({"at": "2026-11-16"}, 1), ({"at": "2026-11-20T12:00:00Z"}, 1)):
        answer, text = ask(counted, **options)
        assert (answer.in_ledger, answer.explanation.counts.total_npcu, answer.notes) == (True, npcu, ())
        assert sum(item.npcu for item in answer.explanation.counted) == npcu
        assert "worked out" not in text
    everything = ask(counted, show_all=True)[1]
    assert "another attempt at the same course counts (renewal): e2" in everything
    assert "no NPCU" in everything


def test_what_was_known_then_stands_whatever_became_of_it_since(counted):
    with counted.transaction() as connection:
        connection.execute(delete(t.lms_group_members))
        connection.execute(delete(t.contacts))
        connection.execute(update(t.lms_courses).values(npcu_value=0))
    text = ask(counted)[1]

    assert "adds up to the stored counts" in text
    assert "2 NPCU  K2 Developer (nintex_k2)" in text
    assert "counted again it would be 0 NPCU" in " ".join(text.split())
    assert ask(counted, at="2026-11-16")[0].explanation.counts.by_category == {"nintex_ce": 1}

    judge_as_of(counted, AT + DAY)
    _, since = ask(counted, at=str(AT + DAY), since=str(AT))
    assert "−2 ann: K2 Developer (nintex_k2), no longer listed: the person left the partner" in since
    assert "Both sides use the people of today" not in since


def test_reports_say_what_the_ledger_knew_then_whatever_became_of_it_since(counted):
    """Today's tables say that nobody held anything: that is the truth of the time before the ledger only."""
    with counted.transaction() as connection:
        connection.execute(delete(t.lms_group_members))
        connection.execute(delete(t.contacts))
        connection.execute(update(t.lms_courses).values(npcu_value=0))
    inputs = report_inputs_from(counted, rules=Rules(), config=ReportConfig(), now=AT)
    with counted.read() as connection:
        for at in (AT - 7 * DAY, AT - 3 * DAY, AT - timedelta(seconds=1), AT):
            known = ledger_counts(connection, [1, 2, 3], "go_to_market", at=at)
            assert inputs.held_at(at)["npcu"].sum() == sum(each.total_npcu for each in known.values())
            assert sorted(inputs.held_at(at)["category"]) == sorted(known[1].by_category)
    assert inputs.held_at(AT - 7 * DAY - timedelta(seconds=1)).empty

    report = build_pam_report(inputs, ["Olga"])
    assert report.totals.npcu == Change(2, 1)
    assert [(line.course, line.at) for line in report.new] == [("K2 Developer", AT - 3 * DAY)]
    assert [(line.course, line.at.date()) for line in report.expired] == [("Automation Cloud", date(2026, 11, 18))]
    assert "Counts are kept since 16 November 2026. Earlier" in seen(Renderer(ReportConfig()).render(report).text)


def test_the_time_before_the_ledger_is_worked_out_from_dates(counted):
    inputs = report_inputs_from(counted, rules=Rules(), config=ReportConfig(), now=AT)
    with counted.read() as connection:
        for at in (AT - 8 * DAY, AT - 30 * DAY, AT - 760 * DAY):
            expected = explain(counting_inputs(connection), 1, at).counts
            assert inputs.held_at(at)["npcu"].sum() == expected.total_npcu
    assert not inputs.held_at(AT - 8 * DAY).empty


def seen(text):
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (
            "2026-11-15",
            "The ledger begins at 2026-11-16 02:00:00 UTC: 2026-11-15 00:00:00 UTC is worked",
        ),
        ("2026-11-24", "Nothing was counted as of 2026-11-24 00:00:00 UTC yet: worked out from today's tables."),
    ],
)
def test_what_the_ledger_does_not_cover_is_worked_out_and_said_so(counted, at, said):
    answer, text = ask(counted, at=at)
    assert not answer.in_ledger
    assert said in " ".join(text.split())


def test_without_a_ledger_it_says_so(scenario):
    assert "There is no ledger yet" in ask(scenario)[1]
