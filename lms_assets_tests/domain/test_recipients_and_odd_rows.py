"""Who never gets a report, and rows of the warehouse that cannot be read."""

from __future__ import annotations

import pytest

from lms_assets.domain.counting.report_facts import (
    Executive,
    Manager,
    executives_without_reports,
    frequency_problem,
    managers_without_reports,
)
from lms_assets.domain.operations.incident_detection import Facts, UnreadableRows, find_incidents
from lms_assets_tests.domain.records import utc


def manager(**fields):
    given = {"id": 3, "owner_name": "Avery Stone", "email": "avery@pam.example.org", "frequency": "weekly"}
    return Manager(**(given | fields))


def bad_address(address):
    return None if "@" in address else "is no address"


def why(owners=("avery stone ",), **fields):
    return list(managers_without_reports([manager(**fields)], owners, bad_address))


@pytest.mark.parametrize("frequency", ["daily", " Weekly ", "MONTHLY"])
def test_reports_come_daily_weekly_or_monthly(frequency):
    assert frequency_problem(frequency) is None


@pytest.mark.parametrize("frequency", ["", "hourly", "week"])
def test_another_frequency_is_named_as_the_reason(frequency):
    assert frequency_problem(frequency) == "report_frequency is none of daily, weekly, monthly"


def test_a_manager_who_owns_an_active_partner_and_has_an_address_gets_reports():
    assert why() == []


def test_a_manager_who_never_gets_one_is_told_with_every_reason():
    nobodys = "owner_name is the account_owner of no active partner"
    assert why(owners=["Blake Reed"]) == [("pam 3", nobodys)]
    assert why(owners=[None, ""], owner_name=" ") == [("pam 3", nobodys)]
    reasons = "report_frequency is none of daily, weekly, monthly; the address is no address"
    assert why(email="avery", frequency="never") == [("pam 3", reasons)]


def test_an_executive_without_an_address_never_gets_one():
    people = [Executive(1, "casey@board.example.org"), Executive(2, "casey")]
    assert list(executives_without_reports(people, bad_address)) == [("executive 2", "the address is no address")]


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "1 row of the warehouse cannot be read: pam 1"),
        (10, "10 rows of the warehouse cannot be read: " + ", ".join(f"pam {number}" for number in range(1, 11))),
        (
            12,
            "12 rows of the warehouse cannot be read: "
            + ", ".join(f"pam {number}" for number in range(1, 11))
            + " and 2 more",
        ),
    ],
)
def test_rows_that_cannot_be_read_are_one_incident_that_shows_ten_of_them(count, said):
    rows = UnreadableRows([f"pam {number}" for number in range(1, count + 1)], utc(2026, 3, 2))
    (incident,) = find_incidents(Facts(unreadable_rows=rows))
    assert (incident.what, incident.grade) == (said, str(count))
