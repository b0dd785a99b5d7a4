"""Which certification category a course name has."""

from __future__ import annotations

from collections.abc import Iterable

from lms_assets.domain.rules import CategoryRule


def categorise(name: str | None, category_rules: Iterable[CategoryRule], previous: str | None) -> str | None:
    """The category of the highest-priority rule whose pattern the name contains, ignoring case.

    Of rules with one priority the longer pattern decides, then the category's name, so that the order of rows plays
    no part; blank patterns match nothing. Where no rule matches, `previous` stays: categories set by hand survive
    what does not contradict them (portal schema). None: no category.
    """
    folded = (name or "").casefold()
    matching = (
        (-rule.priority, -len(rule.pattern.strip()), rule.category)
        for rule in category_rules
        if rule.pattern.strip() and rule.pattern.strip().casefold() in folded
    )
    best = min(matching, default=None)
    return best[2] if best else previous
