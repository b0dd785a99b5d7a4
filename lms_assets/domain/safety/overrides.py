"""What a person may allow one run beyond the safety limits, each by its own name, and the command that allows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from lms_assets.domain.schedule import CHAIN, LEADS_FULL_JOB, PUSH_JOB, REPORTS_JOB

FIRST_PUSH = "first_push"
STALE_REPORTS = "stale_reports"
FALL_CERTIFICATIONS = "fall:certifications"
FALL_GROUP_LINKS = "fall:group_links"
FALL_NPCU = "fall:npcu"
_DEACTIVATED = ("partners", "contacts", "users", "groups", "memberships", "enrollments", "leads")


def mass_deactivation(kind: str) -> str:
    """The override of the deactivation limit of one kind of rows: `mass_deactivation:contacts`."""
    return f"mass_deactivation:{kind}"


OVERRIDES: Mapping[str, str] = {
    **{
        mass_deactivation(kind): f"deactivate or remove more {kind} than the deactivation limit"
        for kind in _DEACTIVATED
    },
    FALL_CERTIFICATIONS: "count although the number of certifications fell suddenly",
    FALL_GROUP_LINKS: "count although the number of groups linked to a partner fell suddenly",
    FALL_NPCU: "push although total NPCU fell suddenly",
    FIRST_PUSH: "push for the first time although total NPCU is far below what the CRM shows",
    STALE_REPORTS: "send the reports although the last chain failed or runs, or the counts are old",
}
"""Every name that `--allow` takes, and what it lets a run do."""


def parse_overrides(names: Iterable[str]) -> frozenset[str]:
    """The overrides of these names. Raises `ValueError` for a name that is none, with the names there are."""
    wanted = frozenset(name.strip() for name in names if name.strip())
    unknown = sorted(wanted - set(OVERRIDES))
    if unknown:
        raise ValueError(f"--allow {unknown[0]}: there is no such override; there are: {', '.join(OVERRIDES)}")
    return wanted


def as_tag(names: Iterable[str]) -> str:
    """The names as one text for the run's tag."""
    return " ".join(sorted(names))


def from_tag(text: str | None) -> frozenset[str]:
    """The names in a run's tag. Raises `ValueError` for a name that is none."""
    return parse_overrides((text or "").split())


def allowing_command(what: str, job: str | None) -> str:
    """The command that runs again with this override.

    Args:
        job: the job that stopped; None for assets started by themselves.
    """
    if what in {FIRST_PUSH, FALL_NPCU}:
        return f"lms-assets run {PUSH_JOB} --allow {what}"
    if what == STALE_REPORTS:
        return f"lms-assets run {REPORTS_JOB} --allow {what}"
    if job is None:
        job, resume = (LEADS_FULL_JOB if what == mass_deactivation("leads") else CHAIN), ""
    else:
        resume = " --resume" if job == CHAIN else ""
    return f"lms-assets run {job}{resume} --allow {what}"


class Use(NamedTuple):
    """A limit that was passed: by how many rows or points, and of which part of the kind (one group)."""

    what: str
    number: int | None = None
    scope: str = ""


@dataclass(frozen=True)
class Overrides:
    """What was allowed for one run, and in `uses` what this step used of it.

    `id`: of the stored override. `job`: the run's job, for the command that allows more.
    """

    names: frozenset[str] = frozenset()
    job: str | None = None
    id: int | None = None
    uses: list[Use] = field(default_factory=list)

    def __contains__(self, what: str) -> bool:
        return what in self.names

    def allows(self, what: str, number: int | None = None, scope: str = "") -> bool:
        """Whether a limit may be passed now; a yes is noted in `uses`.

        Args:
            number: how many rows, or how much more than the limit, for the record of the use.
            scope: a part that is judged by itself, such as one group.

        Raises:
            ValueError: there is no override of this name.
        """
        if what not in OVERRIDES:
            raise ValueError(f"{what} is no override")
        if what not in self.names:
            return False
        self.uses.append(Use(what, number, scope))
        return True

    def command(self, what: str) -> str:
        """The command with which a person allows it."""
        return allowing_command(what, self.job)
