"""How many records of each kind a vendor state has at a scale (Northpass API and Impartner API, volumes)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Volumes:
    """Target numbers of records, those of the edge cases included."""

    people: int
    partner_people: int
    groups: int
    partner_groups: int
    courses: int
    course_properties: int
    transcripts: int
    kept_partners: int
    accounts: int
    contacts: int
    leads: int
    leads_with_partner: int

    @classmethod
    def at(cls, scale: float) -> Volumes:
        """The volumes at `scale`; 1.0 is what the system is built for."""

        def scaled(full: int, least: int) -> int:
            return max(least, round(full * scale))

        return cls(
            people=scaled(22_000, 60),
            partner_people=scaled(4_400, 20),
            groups=scaled(1_600, 12),
            partner_groups=scaled(1_079, 8),
            courses=scaled(452, 60),
            course_properties=scaled(600, 85),
            transcripts=scaled(28_000, 100),
            kept_partners=scaled(1_500, 12),
            accounts=scaled(1_800, 16),
            contacts=scaled(40_000, 60),
            leads=scaled(72_000, 80),
            leads_with_partner=scaled(20_000, 30),
        )
