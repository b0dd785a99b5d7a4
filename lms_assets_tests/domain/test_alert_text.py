"""What a message to people says in its title, and where it sends them."""

from __future__ import annotations

import pytest

from lms_assets.domain.operations.incident import begun
from lms_assets_tests.harness.incidents import an_incident

UI = "https://ui.example"


@pytest.mark.parametrize(("length", "shown"), [(120, "x" * 120), (121, "x" * 119 + "…"), (500, "x" * 119 + "…")])
def test_a_title_has_at_most_120_characters_of_what_happened(length, shown):
    assert begun(an_incident(what="x" * length), UI).title == f"lms-assets: {shown}"


@pytest.mark.parametrize(
    ("fields", "link"),
    [
        ({"run_id": "run-1", "assets": ("users",)}, f"{UI}/runs/run-1"),
        ({"assets": ("users", "courses")}, f"{UI}/assets/users"),
        ({}, f"{UI}/overview"),
    ],
)
def test_a_message_sends_people_to_the_run_else_to_the_first_asset(fields, link):
    assert begun(an_incident(**fields), UI).body.splitlines()[-1] == f"Look here: {link}"
