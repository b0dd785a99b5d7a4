"""Every endpoint the product uses, as data. No code walks here: the clients walk this."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class On404(StrEnum):
    """What a 404 of an endpoint may mean."""

    ERROR = "error"
    """That something is wrong: it never means that there is nothing."""
    EMPTY = "empty"
    """That the list has no rows, or that its parent has just gone: the vendor does not tell which."""
    GONE = "gone"
    """That the record does not exist, or no longer (a transcript: or that the person has none)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One endpoint of a vendor.

    `path` lies below the base URL; what stands in braces is filled with an id, quoted. `page_size` is the
    number of rows asked for on a page. `repeatable` is False where sending twice could do harm: such a
    request is only sent again when it surely was not carried out.
    """

    path: str
    method: str = "GET"
    page_size: int = 100
    on_404: On404 = On404.ERROR
    repeatable: bool = True

    @property
    def label(self) -> str:
        """What errors call it, for example "GET /people/{id}"."""
        return f"{self.method} {self.path}"

    def of(self, object_name: str) -> Endpoint:
        """This endpoint of one Impartner object."""
        return replace(self, path=self.path.format(object=object_name))


class Northpass:
    """Northpass API, endpoints."""

    COURSES = Endpoint(path="/courses")
    COURSE_PROPERTIES = Endpoint(path="/properties/courses")
    ONE_COURSE_PROPERTIES = Endpoint(path="/properties/courses/{id}", on_404=On404.GONE)
    PEOPLE = Endpoint(path="/people")
    CHANGED_PEOPLE = Endpoint(path="/people", on_404=On404.EMPTY)
    PERSON = Endpoint(path="/people/{id}", on_404=On404.GONE)
    GROUPS = Endpoint(path="/groups")
    GROUP = Endpoint(path="/groups/{id}", on_404=On404.GONE)
    MEMBERSHIPS = Endpoint(path="/groups/{id}/memberships", on_404=On404.EMPTY)
    REMOVE_MEMBERS = Endpoint(path="/groups/{id}/relationships/people", method="DELETE", on_404=On404.GONE)
    TRANSCRIPT = Endpoint(path="/transcripts/{id}", on_404=On404.GONE)
    WEBHOOKS = Endpoint(path="/webhooks", page_size=50, on_404=On404.EMPTY)

    MEMBERS_PER_REMOVAL = 50


class Impartner:
    """Impartner API: every object has the same endpoints."""

    LIST = Endpoint(path="/{object}")
    BY_IDS = Endpoint(path="/{object}")
    DELETED = Endpoint(path="/{object}/_deleted")
    DESCRIBE = Endpoint(path="/{object}/_describe")
    PATCH = Endpoint(path="/{object}", method="PATCH", repeatable=False)

    ACCOUNTS_PER_PATCH = 50
