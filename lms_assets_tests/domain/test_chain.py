"""What a chain's events come to: each step, and the chain. One example for each sentence of `domain.chain`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lms_assets.domain.operations.chain_state import (
    MAX_ERROR_LENGTH,
    ChainEvent,
    ChainState,
    FailedCheck,
    StepRecord,
    apply_event,
    blocked_by,
    close,
    final_status,
    fold,
)

T0 = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
T1, T2, T3 = (T0 + timedelta(seconds=seconds) for seconds in (1, 2.26, 3))


def happened(kind, step="users", at=T0, **more):
    return ChainEvent(kind, step, at, **more)


def checked(check, *, passed, step="users_checks", **more):
    return happened("check", step, check=check, passed=passed, **more)


BEGUN = fold([happened("started")])
DONE = fold([happened("started"), happened("materialized", rows=7), happened("succeeded", at=T2)])


def test_a_step_that_begins_runs_since_then_for_the_first_time():
    assert BEGUN.steps == {"users": StepRecord("users", "running", started_at=T0, attempts=1)}
    assert BEGUN.current_step == "users"


def test_a_step_that_succeeds_keeps_its_rows_and_has_no_error():
    assert DONE.steps["users"] == StepRecord("users", "completed", T0, T2, rows=7, attempts=1)
    assert DONE.current_step is None


def test_rows_that_an_event_does_not_say_stay_as_they_were():
    state = fold([happened("materialized"), happened("succeeded", at=T2)], DONE)
    assert state.steps["users"].rows == 7


def test_a_step_that_fails_says_why_and_when():
    state = fold([happened("failed", at=T1, message="the LMS is away")], BEGUN)
    assert state.steps["users"] == StepRecord("users", "failed", T0, T1, attempts=1, error="the LMS is away")


def test_an_end_without_a_beginning_is_a_first_attempt_that_began_then():
    state = fold([happened("failed", at=T1, message="killed")])
    assert state.steps["users"] == StepRecord("users", "failed", T1, T1, attempts=1, error="killed")


def test_a_retry_counts_attempts_and_keeps_the_first_beginning():
    waiting = fold([happened("retrying", at=T1, message="503")], BEGUN)
    assert waiting.steps["users"] == StepRecord("users", "retrying", T0, attempts=1, error="503")
    assert waiting.current_step == "users"
    again = fold([happened("started", at=T2)], waiting)
    assert again.steps["users"] == StepRecord("users", "running", T0, attempts=2)


def test_a_step_begun_again_by_a_resumed_run_begins_again():
    again = fold([happened("failed", at=T1), happened("started", at=T2)], BEGUN)
    assert again.steps["users"] == StepRecord("users", "running", T2, attempts=2)


def test_a_long_error_is_cut_and_none_stays_none():
    state = fold([happened("failed", message="x" * (MAX_ERROR_LENGTH + 1))])
    assert state.steps["users"].error == "x" * MAX_ERROR_LENGTH
    assert fold([happened("failed")]).steps["users"].error is None


def test_a_failed_blocking_check_fails_the_step_with_its_text():
    state = fold([checked("users_are_present", passed=False, message="none", blocking=True)], DONE)
    record = state.steps["users"]
    assert (record.status, record.error) == ("failed", "users_are_present: none")
    assert record.failed_checks == ("users_are_present",)
    assert record.causes == (FailedCheck("users_are_present", "users_are_present: none", True),)


def test_a_check_without_a_message_is_named():
    state = fold([checked("odd", passed=False, blocking=True)], DONE)
    assert state.steps["users"].error == "check odd failed"


def test_a_step_that_failed_by_itself_keeps_its_own_error_beside_a_failed_check():
    failed = fold([happened("failed", at=T1, message="the LMS is away")], BEGUN)
    state = fold([checked("a", passed=False, blocking=True, message="no")], failed)
    assert (state.steps["users"].status, state.steps["users"].error) == ("failed", "the LMS is away")
    assert fold([checked("a", passed=True)], state).steps["users"].status == "failed"


def test_a_warning_is_noted_and_is_no_cause():
    state = fold([checked("odd", passed=False, warning=True, message="two")], DONE)
    record = state.steps["users"]
    assert (record.status, record.failed_checks, record.causes) == ("completed", ("odd",), ())


def test_a_check_that_fails_twice_is_noted_once_after_the_others():
    state = fold([checked(name, passed=False, warning=True) for name in ("a", "b", "a")], DONE)
    assert state.steps["users"].failed_checks == ("b", "a")


def test_a_check_that_passes_now_lets_its_step_count_again():
    red = fold([checked(name, passed=False, blocking=True) for name in ("a", "b")], DONE)
    assert red.steps["users"].error == "check a failed; check b failed"
    one_left = fold([checked("a", passed=True)], red)
    assert (one_left.steps["users"].status, one_left.steps["users"].failed_checks) == ("failed", ("b",))
    assert fold([checked("b", passed=True)], one_left).steps["users"] == DONE.steps["users"]


def test_a_check_that_passes_does_not_end_a_step_that_still_runs():
    red = fold([checked("a", passed=False, blocking=True)], BEGUN)
    assert fold([checked("a", passed=True)], red).steps["users"].status == "failed"


def test_a_check_that_passed_all_along_changes_nothing():
    assert fold([checked("a", passed=True)], DONE) == DONE


def test_a_check_before_its_step_belongs_to_a_step_that_is_there():
    state = fold([checked("a", passed=False, blocking=True, message="no")])
    assert state.steps["users"].status == "failed"
    assert list(state.steps) == ["users"]


def test_a_check_event_that_names_no_check_changes_nothing():
    assert fold([happened("check", "users_checks", passed=False)], DONE) == DONE


def test_a_check_step_that_raises_fails_its_step_unless_a_check_has_said_why():
    raised = fold([happened("failed", "users_checks", message="boom")], DONE)
    assert (raised.steps["users"].status, raised.steps["users"].error) == ("failed", "boom")
    warned = fold([checked("odd", passed=False, warning=True)], DONE)
    assert fold([happened("failed", "users_checks", message="boom")], warned) == warned


@pytest.mark.parametrize("kind", ["started", "succeeded", "materialized"])
def test_a_check_step_that_begins_or_ends_well_changes_nothing(kind):
    assert fold([happened(kind, "users_checks", at=T3)], DONE) == DONE


def test_a_check_step_that_fails_before_its_step_was_seen_changes_nothing():
    assert apply_event(ChainState(), happened("failed", "users_checks")) == ChainState()


def test_the_step_begun_last_is_the_current_one():
    state = fold([happened("started", "groups"), happened("started", "users"), happened("succeeded", "users")])
    assert state.current_step == "groups"


def test_a_state_goes_on_where_it_was():
    assert list(fold([happened("started", "groups")], BEGUN).steps) == ["users", "groups"]


def test_a_record_is_the_same_after_json_and_says_its_duration():
    record = StepRecord(
        "users",
        "failed",
        T0,
        T2,
        rows=3,
        attempts=2,
        error="no",
        failed_checks=("a",),
        causes=(FailedCheck("a", "t", True),),
    )
    data = record.as_json()
    assert data["duration_seconds"] == 2.3
    assert (data["started_at"], data["completed_at"]) == (T0.isoformat(), T2.isoformat())
    assert StepRecord.from_json(data) == record


def test_a_record_without_an_end_has_no_duration():
    assert StepRecord("users", "running", T0).as_json()["duration_seconds"] is None
    assert StepRecord("users", "failed", None, T0).as_json()["duration_seconds"] is None


def test_an_older_row_is_read_with_what_it_has():
    assert StepRecord.from_json({"step": "users", "more": 1}) == StepRecord("users", "running")


STEPS = ("users", "groups", "memberships")


def ended(*records, reason=None, degrading=frozenset(), upstream=None):
    state = ChainState({record.step: record for record in records})
    return close(state, STEPS, degrading, reason, upstream=upstream)


def test_what_still_ran_when_the_run_ended_has_failed():
    state = ended(
        StepRecord("users", "running", T0), StepRecord("groups", "retrying", T0, error="503"), reason="killed"
    )
    assert (state.steps["users"].status, state.steps["users"].error) == ("failed", "killed")
    assert (state.steps["groups"].status, state.steps["groups"].error) == ("failed", "503")
    assert ended(StepRecord("users", "running")).steps["users"].error


def test_what_never_began_names_the_failed_step_and_its_check():
    red = StepRecord("users", "failed", error="no", causes=(FailedCheck("users_are_present", "none", True),))
    state = ended(red, StepRecord("groups", "completed"))
    assert state.steps["memberships"] == StepRecord(
        "memberships", "blocked", error="blocked by users (users_are_present)"
    )


def test_what_was_blocked_before_says_what_holds_it_back_now():
    state = ended(StepRecord("users", "failed"), StepRecord("groups", "blocked", error="old"))
    assert state.steps["groups"].error == "blocked by users"


def test_only_what_a_step_waits_for_holds_it_back():
    failed = StepRecord("users", "failed")
    state = ended(failed, upstream={"groups": (), "memberships": ("users",)}.__getitem__, reason="cancelled")
    assert state.steps["groups"].error == "cancelled"
    assert state.steps["memberships"].error == "blocked by users"


def test_all_culprits_are_named_without_any_the_reason_or_that_it_was_not_reached():
    bad = [StepRecord("a", "failed"), StepRecord("b", "completed"), StepRecord("c", "failed")]
    assert blocked_by(bad, ("a", "b", "c"), None) == "blocked by a, c"
    assert blocked_by(bad, ("b",), "cancelled") == "cancelled"
    assert blocked_by(bad, (), None) == "was not reached"


def test_a_step_that_ended_well_is_degraded_by_a_degrading_check_alone():
    current = FailedCheck("memberships_are_current", "403: ask for access", False)
    degrading = frozenset({"memberships_are_current"})
    state = ended(StepRecord("memberships", "completed", causes=(current,)), degrading=degrading)
    assert (state.steps["memberships"].status, state.steps["memberships"].error) == ("degraded", current.text)
    other = ended(StepRecord("memberships", "completed", causes=(FailedCheck("odd", "x", False),)), degrading=degrading)
    assert other.steps["memberships"].status == "completed"
    failed = ended(StepRecord("memberships", "failed", error="no", causes=(current,)), degrading=degrading)
    assert failed.steps["memberships"].error == "no"


def test_a_completed_chain_is_partial_or_failed_by_whether_the_missing_is_required():
    def status(**statuses):
        state = ChainState({name: StepRecord(name, each) for name, each in statuses.items()})
        return final_status(state, frozenset({"memberships", "push"}))

    assert status(users="completed", memberships="completed") == "completed"
    assert status(users="completed", memberships="degraded") == "partial"
    assert status(memberships="failed", push="blocked") == "partial"
    assert status(users="failed", memberships="failed") == "failed"
    assert status(users="blocked") == "failed"


def test_the_error_names_failures_first_and_then_what_kept_its_last_good_state():
    state = ChainState(
        {
            "memberships": StepRecord("memberships", "degraded"),
            "groups": StepRecord("groups", "degraded", error="403"),
            "users": StepRecord("users", "failed", error="503"),
            "push": StepRecord("push", "failed"),
            "courses": StepRecord("courses", "completed", error=None),
        }
    )
    assert state.error_message == ("users: 503; push: failed; memberships: kept its last good state; groups: 403")
    assert ChainState({"users": StepRecord("users", "completed")}).error_message is None
