"""A CRM object's records: read to their real end, and how each is asked for by its id.

Source: domain rules, deletions; Impartner API, objects read, transport. A list can end early without an error, with a
count that agrees, so what follows its last row is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Generic, TypeVar

from lms_assets.assets.confirmation import ById, is_there
from lms_assets.assets.listing_sync import take_in
from lms_assets.assets.sync_run import Step
from lms_assets.domain.records.contacts import Contact, contact_from_user
from lms_assets.domain.records.dates import changed_since
from lms_assets.domain.records.partners import Partner, partner_from_account
from lms_assets.domain.records.values import Rejected
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.confirmation import ListingResult
from lms_assets.domain.wording import number_of
from lms_assets.vendors.impartner.client import ImpartnerClient
from lms_assets.vendors.impartner.filters import Condition, compare
from lms_assets.vendors.listing import Listing, Record, as_it_is, read_until_stable

T = TypeVar("T")

ACCOUNT_FIELDS = (
    "Id",
    "Name",
    "Partner_Tier__cf",
    "Account_Status__cf",
    "Account_Owner__cf",
    "Account_Owner_Email__cf",
    "Partner_Type__cf",
    "Website",
    "CrmId",
    "MailingCountry",
    "RegionId",
    "ParentAccountId",
    "PrimaryUserId",
)

LEAD_FIELDS = (
    "Id",
    "FirstName",
    "LastName",
    "Email",
    "Phone",
    "Title",
    "StatusId",
    "Source",
    "Description",
    "CrmId",
    "PartnerAccountId",
    "IsConverted",
    "Created",
    "Updated",
)

CONTACT_FIELDS = (
    "Id",
    "Email",
    "FirstName",
    "LastName",
    "Title",
    "Phone",
    "AccountId",
    "AccountName",
    "Contact_Status__cf",
    "IsActive",
    "Updated",
)

CONTINUATIONS = 20
LAST = 2
"""So many of the last rows have to come again when the list is read on from them."""
FIRST_IDS = 100


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

    def by_id(self, known: Collection[int]) -> ById[int, T]:
        """How its records are asked for by id (`confirmation`).

        Args:
            known: ids of records known to be there. Without any that is not asked for, some of the object's others.
        """
        return ById(self._answer, self.convert, known, belongs=self.fits or is_there, others=self._first_ids)

    def _answer(self, ids: Sequence[int]) -> dict[int, Record]:
        return self.client.by_ids(self.object_name, ids, list(self.fields))

    def _first_ids(self) -> list[int]:
        """Ids of some records of the object, whatever its condition: of its first page."""
        records = islice(self.client.list(self.object_name, ["Id"]), FIRST_IDS)
        return [record["Id"] for record in records if isinstance(record["Id"], int)]

    def ids(self, listing: ListingResult[T]) -> set[int]:
        """Ids of every record that came, whatever the rule made of it."""
        texts = listing.excluded_ids | listing.bad_ids
        return {self.id_of(each) for each in listing.accepted} | {int(text) for text in texts if text.isdigit()}


def accounts(
    client: ImpartnerClient, rules: Rules, regions: Mapping[int, str], *, since: datetime | None = None
) -> CrmSource[Partner]:
    """The accounts, all or those changed after an instant, as partners."""
    condition, fits = changed_after(since) if since else (None, None)
    convert = partial(partner_from_account, rules=rules, regions=regions)
    return CrmSource(client, "Account", ACCOUNT_FIELDS, convert, lambda each: each.impartner_id, condition, fits)


def crm_users(client: ImpartnerClient, rules: Rules, *, since: datetime | None = None) -> CrmSource[Contact]:
    """The CRM's users, all or those changed after an instant, as contacts."""
    condition, fits = changed_after(since) if since else (None, None)
    convert = partial(contact_from_user, rules=rules)
    return CrmSource(client, "User", CONTACT_FIELDS, convert, lambda each: each.impartner_id, condition, fits)


def changed_after(since: datetime) -> tuple[Condition, Callable[[Record], bool]]:
    """The condition of records that changed after an instant, and what says the same of one record."""
    return compare("Updated", ">", since), changed_since(since)


def take_in_all(step: Step, source: CrmSource[T], noun: str, *, first_load: bool) -> ListingResult[T]:
    """Read an object to the end, and ask from its last rows on until nothing comes but these rows themselves.

    Args:
        first_load: nothing is stored that could show a gap, so the list is read twice.

    Raises:
        VendorError: the listing could not be read.
    """
    listing = take_in(step, source.listing, source.convert, noun, again=first_load)
    for _ in range(CONTINUATIONS):
        known = source.ids(listing)
        if not known:
            return listing
        last = sorted(known)[-LAST:]
        rest = take_in(step, partial(source.listing, last[0]), source.convert, noun)
        if not set(last) <= source.ids(rest):
            return listing.incomplete("the last records that were listed are not there when asked for again")
        fresh = source.ids(rest) - known
        if not fresh:
            return listing
        texts = {str(number) for number in fresh}
        listing = replace(
            listing,
            accepted=(*listing.accepted, *(each for each in rest.accepted if source.id_of(each) in fresh)),
            rejected=(*listing.rejected, *(each for each in rest.rejected if each.entity_id in texts)),
            rows=listing.rows + len(fresh),
            reasons=(*listing.reasons, f"the listing ended early; {number_of(len(fresh), 'record')} came after"),
        )
    return listing.incomplete("the listing ends early again and again")


class Lookup(Mapping[int, str]):
    """Names of one of the CRM's lookup tables by id; one that the list lacks is asked for when somebody needs it."""

    def __init__(self, client: ImpartnerClient, object_name: str) -> None:
        self._client = client
        self._object = object_name
        listed = read_until_stable(lambda: client.list(object_name, ["Name"]), convert=as_it_is).records
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
