"""A CRM object's records: read to their real end, and asked for again before anything is taken away on their account.

Source: domain rules, deletions; Impartner API, transport. A list can end early without a word and with a count that
agrees, so what follows its last row is asked for; an answer by id is a list too, so it has to show records that are
known to be there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Generic, TypeVar

from lms_assets.assets.intake import Intake, take_in
from lms_assets.assets.step import Step
from lms_assets.domain.findings import Rejected
from lms_assets.vendors.impartner import ImpartnerClient
from lms_assets.vendors.impartner_filter import Condition, compare
from lms_assets.vendors.listing import Listing, Record
from lms_assets.vendors.settle import as_it_is, read_settled

T = TypeVar("T")
CONTINUATIONS = 20
ASKED_AT_ONCE = 90
CONTROLS = 2
"""Known records asked for with the others, so many from each end of the list."""


@dataclass(frozen=True)
class CrmSource(Generic[T]):
    """One object of the CRM: its fields, the rule that turns a record into a row, and where the row has its id."""

    client: ImpartnerClient
    object_name: str
    fields: tuple[str, ...]
    convert: Callable[[Record], T | Rejected]
    id_of: Callable[[T], int]
    condition: Condition | None = None
    """Only records that fulfil it are listed; `fits` says the same of one record."""
    fits: Callable[[Record], bool] | None = None

    def listing(self, first: int | None = None) -> Listing:
        """Every record, or those from the id `first` on."""
        condition = self.condition
        if first is not None:
            beyond = compare("Id", ">=", first)
            condition = beyond if condition is None else condition & beyond
        return self.client.list(self.object_name, self.fields, condition, passes_filter=self.fits)

    def ids(self, intake: Intake[T]) -> set[int]:
        """Ids of every record that came, whatever the rule made of it."""
        texts = intake.excluded_ids | intake.bad_ids
        return {self.id_of(each) for each in intake.accepted} | {int(text) for text in texts if text.isdigit()}


def take_in_all(step: Step, source: CrmSource[T], noun: str, *, first_load: bool) -> Intake[T]:
    """Read an object to the end, and ask from its last rows on until nothing comes but these rows themselves.

    Args:
        first_load: nothing is stored that could show a gap, so the list is read twice.

    Raises:
        VendorError: the listing could not be read.
    """
    intake = take_in(step, source.listing, source.convert, noun, again=first_load)
    for _ in range(CONTINUATIONS):
        known = source.ids(intake)
        if not known:
            return intake
        last = sorted(known)[-CONTROLS:]
        rest = take_in(step, partial(source.listing, last[0]), source.convert, noun)
        if not set(last) <= source.ids(rest):
            intake.proven_incomplete("the last records that were listed are not there when asked for again")
            return intake
        fresh = source.ids(rest) - known
        if not fresh:
            return intake
        intake.accepted += [each for each in rest.accepted if source.id_of(each) in fresh]
        intake.rejected += [each for each in rest.rejected if each.entity_id in {str(number) for number in fresh}]
        intake.rows += len(fresh)
        intake.reasons.append(f"the listing ended early; {len(fresh)} records came after its last one")
    intake.proven_incomplete("the listing ends early again and again")
    return intake


def confirm_absences(intake: Intake[T], source: CrmSource[T], absent: Iterable[int]) -> set[int]:
    """Of the ids that a listing lacks, those that are really gone; none when the listing was incomplete."""
    wanted = sorted(set(absent))
    if not intake.complete or not wanted:
        return set()
    still_there = {number for number, _ in _asked(intake, source, wanted, ["Id"])}
    if intake.complete and still_there:
        intake.proven_incomplete(f"{len(still_there)} records that the listing lacks are still there when asked for")
    return set(wanted) if intake.complete else set()


def confirm_exclusions(intake: Intake[T], source: CrmSource[T], excluded: Iterable[int]) -> set[int]:
    """Of the stored records that a rule now leaves out, those that it leaves out again when asked for by id.

    One that reads differently the second time shows that answers are damaged: then none is believed.
    """
    wanted = sorted(set(excluded))
    if not wanted:
        return set()
    again = {number: source.convert(record) for number, record in _asked(intake, source, wanted, source.fields)}
    differing = [number for number, each in again.items() if not isinstance(each, Rejected) or each.kind != "excluded"]
    if differing:
        intake.proven_incomplete(f"{len(differing)} records that were left out read differently when asked for")
    return set(wanted) if intake.complete else set()


def confirm_deletions(
    intake: Intake[T], source: CrmSource[T], deleted: Iterable[int], known: Iterable[int]
) -> set[int]:
    """Of the stored records that the CRM calls deleted, those that are not there when asked for by id.

    Args:
        known: ids of other stored records; some are asked for with each part, to see that the answer shows them.
    """
    wanted = sorted(set(deleted))
    if not wanted:
        return set()
    there = sorted(set(known))
    controls = {*there[:CONTROLS], *there[-CONTROLS:]}
    found = {number for number, _ in _asked(intake, source, wanted, ["Id"], controls)}
    return set(wanted) - found if intake.complete else set()


def ask_again(intake: Intake[T], source: CrmSource[T], doubted: Iterable[int]) -> None:
    """Read these accepted records once more and take what they say now, since what they said would cost a link."""
    wanted = sorted(set(doubted))
    if not wanted:
        return
    again: dict[int, T] = {}
    for number, record in _asked(intake, source, wanted, source.fields):
        row = source.convert(record)
        if not isinstance(row, Rejected):
            again[number] = row
    intake.accepted = [again.get(source.id_of(each), each) for each in intake.accepted]


def _asked(
    intake: Intake[T],
    source: CrmSource[T],
    wanted: list[int],
    fields: Iterable[str],
    controls: Collection[int] | None = None,
) -> Iterator[tuple[int, Record]]:
    """(id, record) of those that answer; an answer without the known records among them proves nothing.

    Args:
        controls: the known records; None for the ends of what was listed.
    """
    if controls is None:
        listed = sorted(source.ids(intake) - set(wanted))
        controls = {*listed[:CONTROLS], *listed[-CONTROLS:]}
    remaining = iter(wanted)
    while part := list(islice(remaining, ASKED_AT_ONCE)):
        found: dict[int, Any] = source.client.by_ids(source.object_name, sorted({*part, *controls}), list(fields))
        if set(controls) - set(found):
            intake.proven_incomplete("an answer by id lacks records that were listed a moment ago")
        yield from ((number, found[number]) for number in part if number in found)


class Lookup(Mapping[int, str]):
    """Names of one of the CRM's lookup tables by id; one that the list lacks is asked for when somebody needs it."""

    def __init__(self, client: ImpartnerClient, object_name: str) -> None:
        self._client = client
        self._object = object_name
        listed = read_settled(lambda: client.list(object_name, ["Name"]), convert=as_it_is).records
        self._names: dict[int, str | None] = {
            row["Id"]: row["Name"] for row in listed if isinstance(row["Id"], int) and isinstance(row["Name"], str)
        }

    def __getitem__(self, number: int) -> str:
        if number not in self._names:
            found = self._client.by_ids(self._object, [number], ["Name"]).get(number, {}).get("Name")
            self._names[number] = found if isinstance(found, str) else None
        name = self._names[number]
        if name is None:
            raise KeyError(number)
        return name

    def __iter__(self) -> Iterator[int]:
        return (number for number, name in self._names.items() if name is not None)

    def __len__(self) -> int:
        return sum(name is not None for name in self._names.values())
