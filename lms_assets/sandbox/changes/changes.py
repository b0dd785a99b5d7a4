"""The actions that change the vendor state, by name: what `POST /sandbox/mutate` and `SandboxHandle.mutate` take."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from lms_assets.sandbox.changes import changes_courses, changes_crm, changes_lms
from lms_assets.sandbox.northpass.api import leave_group, remove_group
from lms_assets.sandbox.sandbox import Sandbox
from lms_assets.sandbox.state.timestamps import from_text


def clock(sandbox: Sandbox, to: str | None = None, advance_seconds: float = 0, live: bool = False) -> str:
    """Move the sandbox's clock: stand still at `to`, go on by some seconds, or run with the real one."""
    if live:
        sandbox.clock.run_live()
    if to is not None:
        sandbox.clock.set(from_text(to))
    if advance_seconds:
        sandbox.clock.advance(advance_seconds)
    return sandbox.clock.text()


def shift_date(sandbox: Sandbox, seconds: float = 0) -> str:
    """Let the `Date` header of every answer be so far from the real time; the data's clock stays as it is."""
    sandbox.date_shift = float(seconds)
    return f"{sandbox.date_shift:+.0f} s"


_FUNCTIONS: tuple[Callable[..., str | int], ...] = (
    clock,
    shift_date,
    changes_lms.complete_course,
    changes_lms.enroll,
    changes_lms.remove_transcript,
    changes_lms.set_transcript,
    changes_lms.add_person,
    changes_lms.delete_person,
    changes_lms.disable_person,
    changes_lms.enable_person,
    changes_lms.rename_person,
    changes_lms.change_person_email,
    changes_lms.touch_person,
    changes_lms.set_person,
    changes_lms.add_group,
    changes_lms.rename_group,
    changes_lms.set_group,
    changes_lms.add_member,
    changes_courses.add_course,
    changes_courses.set_course,
    changes_courses.archive_course,
    changes_courses.delete_course,
    changes_courses.set_npcu,
    changes_crm.add_account,
    changes_crm.set_account,
    changes_crm.rename_account,
    changes_crm.delete_account,
    changes_crm.add_contact,
    changes_crm.set_contact,
    changes_crm.delete_contact,
    changes_crm.add_lead,
    changes_crm.set_lead,
    changes_crm.convert_lead,
    changes_crm.rename_lead_status,
    changes_crm.delete_lead,
    changes_crm.reject_account,
)
ACTIONS: dict[str, Callable[..., str | int]] = {
    **{function.__name__: function for function in _FUNCTIONS},
    "delete_group": remove_group,
    "remove_member": leave_group,
}


def signature_of(action: str) -> str:
    """The arguments of an action as they are written in Python, without the sandbox."""
    parameters = list(inspect.signature(ACTIONS[action]).parameters.values())[1:]
    return ", ".join(str(parameter).split(":")[0] + _default(parameter) for parameter in parameters)


def _default(parameter: inspect.Parameter) -> str:
    return "" if parameter.default is parameter.empty else f"={parameter.default!r}"


def mutate(sandbox: Sandbox, action: str, **arguments: Any) -> str | int:
    """Do one action; returns the id of what was made or changed (of the clock: its time).

    Raises ValueError naming the action when it is unknown, its arguments do not fit, or an id does not exist.
    """
    function = ACTIONS.get(action)
    if function is None:
        raise ValueError(f"unknown action {action!r}; there are: {', '.join(sorted(ACTIONS))}")
    try:
        inspect.signature(function).bind(sandbox, **arguments)
    except TypeError as error:
        raise ValueError(f"{action}({signature_of(action)}): {error}") from error
    try:
        return function(sandbox, **arguments)
    except KeyError as error:
        raise ValueError(f"{action}: there is no {error.args[0]!r}") from error
