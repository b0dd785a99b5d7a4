"""The partner that somebody at the terminal means, by its id or its name."""

from __future__ import annotations

from lms_assets.domain.counting.report_facts import PartnerFacts
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading.reports import find_partners

LISTED = 15


def one_partner(connection: Connection, asked: str) -> PartnerFacts:
    """The only partner of this id or name, or with this text in its name.

    Raises:
        ConfigurationError: there is none, or there are several; the first of them are named.
    """
    found = find_partners(connection, asked)
    if len(found) == 1:
        return found[0]
    if not found:
        raise ConfigurationError([f"no partner has the id or name {asked!r}"])
    listed = "; ".join(f"#{each.id} {each.name}" for each in found[:LISTED])
    more = f"; and {len(found) - LISTED} more" if len(found) > LISTED else ""
    raise ConfigurationError([f"{len(found)} partners have {asked!r} in their name; give the number: {listed}{more}"])
