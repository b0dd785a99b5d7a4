"""Who can never get a report, and why. Pure; people are named by their rows' ids, `pam 12`, never by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from lms_assets.domain.counting.report_facts import Executive, Manager

FREQUENCIES = ("daily", "weekly", "monthly")
AddressProblem = Callable[[str], str | None]
"""What is wrong with an e-mail address, without the address; None when a mail can be sent to it."""


def same_owner(name: str | None) -> str:
    """Two names of an account owner are the same when these are equal: without case and outer blanks."""
    return (name or "").strip().casefold()


def frequency_problem(frequency: str) -> str | None:
    """What is wrong with how often somebody wants a report; None when it can be used."""
    known = frequency.strip().casefold() in FREQUENCIES
    return None if known else f"report_frequency is none of {', '.join(FREQUENCIES)}"


def managers_without_reports(
    managers: Iterable[Manager], owners: Iterable[str | None], address_problem: AddressProblem
) -> Iterator[tuple[str, str]]:
    """Each account manager with reports enabled who never gets one (`pam 12`), with every reason.

    `owners` are the account owners of the active partners.
    """
    owning = {same_owner(owner) for owner in owners}
    for each in managers:
        address = address_problem(each.email)
        problems = [frequency_problem(each.frequency), f"the address {address}" if address else None]
        if not same_owner(each.owner_name) or same_owner(each.owner_name) not in owning:
            problems.append("owner_name is the account_owner of no active partner")
        found = [problem for problem in problems if problem]
        if found:
            yield f"pam {each.id}", "; ".join(found)


def executives_without_reports(
    executives: Iterable[Executive], address_problem: AddressProblem
) -> Iterator[tuple[str, str]]:
    """Each active recipient of the executive report who never gets one (`executive 3`), with the reason."""
    for each in executives:
        problem = address_problem(each.email)
        if problem:
            yield f"executive {each.id}", f"the address {problem}"
