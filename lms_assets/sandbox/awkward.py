"""The awkward cases, at every scale."""

from __future__ import annotations

from lms_assets.sandbox.maker import Maker
from lms_assets.sandbox.world import Person


def add_cases(maker: Maker) -> list[Person]:
    """Add every case."""
    return []


def add_groups_of_everybody(maker: Maker, insiders: list[Person]) -> None:
    """All Partners and All Users."""
    maker.join(maker.group("All Partners"), *insiders)
    maker.join(maker.group("All Users"), *maker.world.people.values())
