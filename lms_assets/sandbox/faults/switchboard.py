"""The fault switchboard: which calls are hit by which fault. What a fault then does is in `fault_effects` and in the
two APIs' listings.

A rule names a kind and the calls it may hit; every matching call is counted, and of these are spared the first
`after`, then all beyond `first`, then all but a seeded `share`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from lms_assets.sandbox.calls.exchange import Call
from lms_assets.sandbox.faults.kinds import KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRule:
    """One rule.

    * `endpoint`: pattern (`*`, `?`) for the template or for the actual path, with or without the vendor's name:
      `GET /people`, `GET /groups/*/memberships`, `PATCH /Account`, `impartner *`, `GET /transcripts/<a person's id>`.
    * `after`, `first`: spare the first `after` matching calls; hit only among the `first` ones behind them.
    * `share`: of these, hit this share, 0 to 1, drawn from the sandbox's seed and the rule's number.
    * `options`: the kind's own, see `fault_kinds`.
    """

    kind: str
    endpoint: str = "*"
    share: float = 1.0
    first: int | None = None
    after: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ValueError for an unknown kind or option, or a share that is none."""
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault kind {self.kind!r}; there are: {', '.join(KINDS)}")
        if not 0 <= self.share <= 1:
            raise ValueError(f"share is {self.share}; give 0 to 1")
        unknown = set(self.options) - set(KINDS[self.kind].options)
        if unknown:
            known = ", ".join(KINDS[self.kind].options) or "none"
            raise ValueError(f"{self.kind} has no option {', '.join(sorted(unknown))}; it has: {known}")


class _ArmedRule:
    """A rule with what it counted so far."""

    def __init__(self, rule: FaultRule, number: int, seed: int) -> None:
        self.rule = rule
        self.number = number
        self.matched = 0
        self.hits = 0
        self._random = random.Random(f"{seed}/fault/{number}")

    def strikes(self, call: Call) -> bool:
        """Whether this call is hit; counts it."""
        rule = self.rule
        if not _matches(rule.endpoint, call) or not KINDS[rule.kind].applies(call):
            return False
        self.matched += 1
        drawn = self._random.random()
        position = self.matched - rule.after
        if position <= 0 or (rule.first is not None and position > rule.first) or drawn >= rule.share:
            return False
        self.hits += 1
        return True


class FaultBoard:
    """All rules in force. Without rules it costs nothing."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made = 0
        self._rules: dict[int, _ArmedRule] = {}

    def add(self, kind: str, endpoint: str = "*", **values: Any) -> int:
        """Add a rule (`share`, `first`, `after`, and the kind's options as `options` or directly); its number."""
        settings = {name: values.pop(name) for name in ("share", "first", "after") if name in values}
        options = {**values.pop("options", {}), **values}
        rule = FaultRule(kind=kind, endpoint=endpoint, options=options, **settings)
        self._made += 1
        self._rules[self._made] = _ArmedRule(rule, self._made, self._seed)
        return self._made

    def remove(self, number: int) -> None:
        """End one rule; raises KeyError if there is none of that number."""
        del self._rules[number]

    def reset(self) -> None:
        """End all rules and count from the start, so that the same rules hit the same calls again."""
        self._rules.clear()
        self._made = 0

    def strike(self, call: Call) -> None:
        """Put the faults that hit this call into `call.faults`; of two rules of one kind the older one's options."""
        for armed in list(self._rules.values()):
            if armed.strikes(call):
                call.faults.setdefault(armed.rule.kind, dict(armed.rule.options))

    def listing(self) -> list[dict[str, Any]]:
        """Every rule in force with its number, how many calls matched and how many were hit."""
        return [
            {"number": armed.number, "matched": armed.matched, "hits": armed.hits, **asdict(armed.rule)}
            for armed in self._rules.values()
        ]


def _matches(pattern: str, call: Call) -> bool:
    actual = f"{call.method} {call.path}"
    spellings = (call.endpoint, f"{call.vendor} {call.endpoint}", actual, f"{call.vendor} {actual}")
    return any(fnmatchcase(spelling, pattern) for spelling in spellings)
