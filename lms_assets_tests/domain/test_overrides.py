"""What may be allowed: by name only, and with the command that works."""

from __future__ import annotations

import pytest

from lms_assets.domain.counting.push_plan import refuse_implausible_push
from lms_assets.domain.safety.deactivation_limit import SyncStopped
from lms_assets.domain.safety.overrides import OVERRIDES, Overrides, allowing_command, as_tag, from_tag
from lms_assets.domain.safety.overrides import parse_overrides as parse


def test_names_survive_the_run_tag():
    assert from_tag(as_tag(OVERRIDES)) == set(OVERRIDES)
    assert from_tag(None) == from_tag("") == frozenset()


def test_whether_something_is_allowed_can_be_asked_without_using_it():
    overrides = Overrides(frozenset({"first_push"}))
    assert "first_push" in overrides
    assert "fall:npcu" not in overrides
    assert overrides.uses == []


def test_a_name_that_is_none_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"mass_deactivation: there is no such override; there are: .*first_push"):
        parse(["first_push", "mass_deactivation"])
    with pytest.raises(ValueError, match="is no override"):
        Overrides().allows("mass_deactivation")


@pytest.mark.parametrize(
    ("what", "job", "command"),
    [
        ("mass_deactivation:users", "daily_full", "lms-assets run daily_full --resume --allow mass_deactivation:users"),
        (
            "mass_deactivation:leads",
            "leads_incremental",
            "lms-assets run leads_incremental --allow mass_deactivation:leads",
        ),
        ("mass_deactivation:leads", None, "lms-assets run leads_full --allow mass_deactivation:leads"),
        ("mass_deactivation:users", None, "lms-assets run daily_full --allow mass_deactivation:users"),
        ("fall:npcu", "enrollments_incremental", "lms-assets run push_to_impartner --allow fall:npcu"),
        ("first_push", "daily_full", "lms-assets run push_to_impartner --allow first_push"),
    ],
)
def test_the_command_runs_what_stopped(what, job, command):
    assert allowing_command(what, job) == command


def test_the_first_push_may_lower_the_crm_by_a_fifth_and_by_20_without_asking():
    refuse_implausible_push(100, 80, Overrides())
    refuse_implausible_push(20, 0, Overrides())
    refuse_implausible_push(200, 160, Overrides())
    for shown, wanted in ((100, 79), (21, 0), (200, 159)):
        with pytest.raises(SyncStopped, match="--allow first_push"):
            refuse_implausible_push(shown, wanted, Overrides(frozenset({"fall:npcu"})))
    overrides = Overrides(frozenset({"first_push"}))
    refuse_implausible_push(100, 10, overrides)
    assert overrides.uses == [("first_push", 90, "")]
