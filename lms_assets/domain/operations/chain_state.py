"""What a chain's events say about it: which step runs, what each came to, and how the chain ended.

Pure: events in, state out. The same fold serves the live log and the repair after a crash, so the two cannot disagree.
Source of the statuses: portal schema, `task_chain_logs`; of what is required: domain rules, the chain.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

StepStatus = Literal["running", "retrying", "completed", "failed", "blocked", "degraded"]
ChainStatus = Literal["running", "completed", "failed", "partial"]
EventKind = Literal["started", "succeeded", "failed", "retrying", "materialized", "check"]
CHECKS_SUFFIX = "_checks"
MAX_ERROR_LENGTH = 2000


@dataclass(frozen=True)
class ChainEvent:
    """One thing that happened to a step; `at` is UTC."""

    kind: EventKind
    step: str
    at: datetime
    message: str | None = None
    rows: int | None = None
    check: str | None = None
    passed: bool | None = None
    blocking: bool = False
    warning: bool = False


@dataclass(frozen=True)
class FailedCheck:
    """A check that blocks what follows, or degrades its step: `text` says what it found and what to do."""

    name: str
    text: str
    blocking: bool


@dataclass(frozen=True)
class StepRecord:
    """How far one step is and what it came to.

    Attributes:
        failed_checks: every check that did not pass, mere warnings included.
        causes: those of them that are no mere warning.
    """

    step: str
    status: StepStatus
    started_at: datetime | None = None
    completed_at: datetime | None = None
    rows: int | None = None
    attempts: int = 0
    error: str | None = None
    failed_checks: tuple[str, ...] = ()
    causes: tuple[FailedCheck, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The element of `steps_completed`; times are ISO 8601 in UTC, durations seconds."""
        duration = None
        if self.started_at and self.completed_at:
            duration = round((self.completed_at - self.started_at).total_seconds(), 1)
        return {
            "step": self.step,
            "status": self.status,
            "started_at": self.started_at.isoformat() if self.started_at else None,
            "completed_at": self.completed_at.isoformat() if self.completed_at else None,
            "duration_seconds": duration,
            "rows": self.rows,
            "attempts": self.attempts,
            "error": self.error,
            "failed_checks": list(self.failed_checks),
            "causes": [asdict(each) for each in self.causes],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> StepRecord:
        """The reverse of `as_json`; unknown keys are ignored so that an older row can be read."""
        return cls(
            step=str(data["step"]),
            status=data.get("status", "running"),
            started_at=_time(data.get("started_at")),
            completed_at=_time(data.get("completed_at")),
            rows=data.get("rows"),
            attempts=int(data.get("attempts") or 0),
            error=data.get("error"),
            failed_checks=tuple(data.get("failed_checks") or ()),
            causes=tuple(FailedCheck(**each) for each in data.get("causes") or ()),
        )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@dataclass(frozen=True)
class ChainState:
    """All steps seen so far, by name, in the order in which they began."""

    steps: Mapping[str, StepRecord] = field(default_factory=dict)

    @property
    def current_step(self) -> str | None:
        """The step begun last among those still running."""
        running = [record for record in self.steps.values() if record.status in {"running", "retrying"}]
        return running[-1].step if running else None

    @property
    def error_message(self) -> str | None:
        """Every failure, then every step that kept its last good state, each with the step's name before it."""
        records = self.steps.values()
        failed = [f"{each.step}: {each.error or 'failed'}" for each in records if each.status == "failed"]
        degraded = [
            f"{each.step}: {each.error or 'kept its last good state'}" for each in records if each.status == "degraded"
        ]
        return "; ".join([*failed, *degraded]) or None


def apply_event(state: ChainState, event: ChainEvent) -> ChainState:
    """The state after one more event. Events of a step's checks count towards that step."""
    name = event.step.removesuffix(CHECKS_SUFFIX)
    of_checks = event.step.endswith(CHECKS_SUFFIX)
    record = state.steps.get(name)
    if event.kind == "check":
        record = _after_check(record or StepRecord(name, "completed"), event)
    elif of_checks:
        # A check step that fails without a verdict (it raised) holds the chain back just the same.
        if event.kind == "failed" and record and not record.failed_checks:
            record = replace(record, status="failed", error=_cut(event.message))
    else:
        record = _after_step_event(record, name, event)
    if record is None:
        return state
    return ChainState({**state.steps, name: record})


def _after_step_event(record: StepRecord | None, name: str, event: ChainEvent) -> StepRecord:
    if event.kind == "started":
        begun = record.started_at if record and record.status == "retrying" else event.at
        attempts = (record.attempts if record else 0) + 1
        return StepRecord(name, "running", started_at=begun, attempts=attempts)
    record = record or StepRecord(name, "running", started_at=event.at, attempts=1)
    if event.kind == "materialized":
        return replace(record, rows=event.rows if event.rows is not None else record.rows)
    if event.kind == "retrying":
        return replace(record, status="retrying", error=_cut(event.message))
    if event.kind == "succeeded":
        return replace(record, status="completed", completed_at=event.at, error=None)
    return replace(record, status="failed", completed_at=event.at, error=_cut(event.message))


def _after_check(record: StepRecord, event: ChainEvent) -> StepRecord:
    if event.check is None:
        return record
    others = tuple(name for name in record.failed_checks if name != event.check)
    causes = tuple(each for each in record.causes if each.name != event.check)
    if not event.passed:
        others = (*others, event.check)
        if not event.warning:
            text = f"{event.check}: {event.message}" if event.message else f"check {event.check} failed"
            causes = (*causes, FailedCheck(event.check, _cut(text) or "", event.blocking))
    return _with_causes(replace(record, failed_checks=others), causes)


def _with_causes(record: StepRecord, causes: tuple[FailedCheck, ...]) -> StepRecord:
    """Fail a step whose blocking checks failed, with what they say; where none fails any more it counts again."""
    before = [each.text for each in record.causes if each.blocking]
    by_check = record.status == "failed" and bool(before) and record.error == "; ".join(before)
    blocking = [each.text for each in causes if each.blocking]
    record = replace(record, causes=causes)
    if blocking and (by_check or record.status != "failed"):
        return replace(record, status="failed", error="; ".join(blocking))
    if by_check and not blocking and record.completed_at is not None:
        return replace(record, status="completed", error=None)
    return record


def _cut(message: str | None) -> str | None:
    return message[:MAX_ERROR_LENGTH] if message else message


def fold(events: Iterable[ChainEvent], state: ChainState | None = None) -> ChainState:
    """The state after all events, in their order."""
    state = state or ChainState()
    for event in events:
        state = apply_event(state, event)
    return state


def close(
    state: ChainState,
    planned: Sequence[str],
    degrading_checks: frozenset[str],
    reason: str | None,
    *,
    upstream: Callable[[str], Collection[str]] | None = None,
) -> ChainState:
    """The state once the run is over: what still ran has failed, what never began was blocked.

    Args:
        state: what the events said.
        planned: every step of the chain, in order.
        degrading_checks: checks whose failure makes a step that ended well `degraded`.
        reason: why the run ended, for steps that never said so (killed, cancelled); None when it ended by itself.
        upstream: what a step waits for, directly or not; a step is blocked by those of them that failed.
    """
    steps: dict[str, StepRecord] = {}
    for name in planned:
        record = state.steps.get(name)
        if record is None or record.status == "blocked":
            # One blocked by an earlier run of this chain may wait for something else by now.
            known = {**state.steps, **steps}
            why = blocked_by(known.values(), upstream(name) if upstream else known, reason)
            steps[name] = StepRecord(name, "blocked", error=why)
        elif record.status in {"running", "retrying"}:
            steps[name] = replace(record, status="failed", error=record.error or reason or "ended without a result")
        elif record.status == "completed" and (why := _degraded_by(record, degrading_checks)):
            steps[name] = replace(record, status="degraded", error=why)
        else:
            steps[name] = record
    return ChainState(steps)


def _degraded_by(record: StepRecord, degrading_checks: frozenset[str]) -> str:
    return "; ".join(each.text for each in record.causes if each.name in degrading_checks)


def blocked_by(records: Iterable[StepRecord], waits_for: Collection[str], reason: str | None) -> str:
    """Why a step never began: the failed steps among those it waits for, with the check that failed where one did."""
    culprits = [record for record in _failed(records) if record.step in waits_for]
    if not culprits:
        return reason or "was not reached"
    return "blocked by " + ", ".join(_culprit(record) for record in culprits)


def _failed(records: Iterable[StepRecord]) -> list[StepRecord]:
    return [record for record in records if record.status == "failed"]


def _culprit(record: StepRecord) -> str:
    checks = ", ".join(each.name for each in record.causes)
    return f"{record.step} ({checks})" if checks else record.step


def final_status(state: ChainState, not_required: frozenset[str]) -> ChainStatus:
    """How a closed chain ended: `failed` when a required step did not come through, `partial` when another did not."""
    bad = [record.step for record in state.steps.values() if record.status in {"failed", "blocked", "degraded"}]
    if not bad:
        return "completed"
    return "partial" if set(bad) <= not_required else "failed"
