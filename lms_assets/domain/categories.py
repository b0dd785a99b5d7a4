"""Which certification category a course has: by a rule over its name, or set by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lms_assets.domain.rules import CategoryRule

BY_RULE, BY_HAND = "rule", "hand"


@dataclass(frozen=True, slots=True)
class Category:
    """A course's category as stored. `name` None: none.

    `origin` is `rule` or `hand`, None when nobody has decided (a new course, an adopted portal). `by_rule` is what the
    rules gave at the last sync: a `name` that differs from it was set by hand since.
    """

    name: str | None = None
    origin: str | None = None
    by_rule: str | None = None


def matching_category(name: str | None, category_rules: Iterable[CategoryRule]) -> str | None:
    """The category of the highest-priority rule whose pattern the name contains, ignoring case; None: none matches.

    Of rules with one priority the longer pattern decides, then the category's name, so that the order of rows plays
    no part; blank patterns match nothing.
    """
    folded = (name or "").casefold()
    matching = (
        (-rule.priority, -len(rule.pattern.strip()), rule.category)
        for rule in category_rules
        if rule.pattern.strip() and rule.pattern.strip().casefold() in folded
    )
    best = min(matching, default=None)
    return best[2] if best else None


def categorise(name: str | None, category_rules: Iterable[CategoryRule], stored: Category) -> Category:
    """The category that a course has now (domain rules, category of a course).

    Set by a rule it follows the rules, to none where no rule matches any more. Set by hand it stays. Where nobody has
    decided, a rule that matches wins, and a category that no rule contradicts counts as set by hand (portal schema).
    """
    by_rule = matching_category(name, category_rules)
    undecided = stored.origin not in (BY_RULE, BY_HAND)
    edited = stored.origin == BY_RULE and stored.name != stored.by_rule
    if stored.origin == BY_HAND or edited or (undecided and stored.name and by_rule is None):
        return Category(stored.name, BY_HAND, by_rule)
    return Category(by_rule, BY_RULE, by_rule)
