"""The evidence page: what a partner's counts are made of, as one self-contained HTML file that can be checked.

The page is made from its data alone, which stands in it as JSON with a digest: made again from that data it must be the
same, byte for byte. No e-mail address ever stands in it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from lms_assets.domain.counting.certifications import Assessed, Verdict
from lms_assets.domain.counting.compliance import requirement_of
from lms_assets.domain.counting.ledger import fingerprint
from lms_assets.domain.records.dates import months_after
from lms_assets.domain.rules import CERTIFICATION_MONTHS
from lms_assets.domain.safety.withheld import people_listed
from lms_assets.reports.config import ReportConfig
from lms_assets.reports.figures.partner_answer import NOT_LISTED, Answer, described_person, described_ways
from lms_assets.reports.rendering import formatting as words

# The timeline shows all that is held by the default rule: whatever was completed today.
MONTHS_AHEAD = CERTIFICATION_MONTHS
RENEW_SOON = timedelta(days=180)
WIDTH, HEIGHT = 720, 150
_ADDRESS = re.compile(r"[^\s<>()\"',;]+@[^\s<>()\"',;]+")
_DATA = re.compile(r'<script type="application/json" id="evidence">(.*?)</script>', re.DOTALL)


class NotEvidence(ValueError):
    """The file is no evidence page, or its data cannot be read."""


@dataclass(frozen=True)
class EvidenceRow:
    """One enrollment. `status` is `counted`, `nearly` or `other`; `listed`: it is a row of the ledger.

    Times are ISO text in UTC.
    """

    person: str
    course: str
    category: str | None
    npcu: int
    completed: str | None
    expires: str | None
    through: str
    status: str
    verdict: str
    reason: str
    enrollment: str
    fingerprint: str
    listed: bool


@dataclass(frozen=True)
class EvidenceData:
    """All that a page says; `version` is the program's that made it, `notes` what to know before reading it.

    `withheld`: why the counts are not sent to the CRM; empty when they are.
    """

    version: str
    made: str
    partner_id: int
    partner: str
    tier: str | None
    as_of: str
    in_ledger: bool
    requirement: int
    npcu: int
    by_category: Mapping[str, int]
    uncategorised: int
    people: int
    notes: Sequence[str]
    rows: Sequence[EvidenceRow]
    withheld: Sequence[str] = ()


def digest_of(data: EvidenceData) -> str:
    """SHA-256 over the data of a page, 64 hex digits."""
    return sha256(_json(data).encode()).hexdigest()


def render_evidence(data: EvidenceData) -> str:
    """The page; the same data give the same page."""
    data = _without_addresses(data)
    at = datetime.fromisoformat(data.as_of)
    falls = _falls(data)
    # Here, since every process loads this module and hardly any renders.
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("lms_assets.reports", "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = _moment
    environment.filters["category"] = words.category
    template = environment.get_template("evidence.html.j2")
    return template.render(
        data=data,
        digest=digest_of(data),
        payload=_json(data).replace("<", "\\u003c"),
        counted=[row for row in data.rows if row.status == "counted"],
        nearly=[row for row in data.rows if row.status == "nearly"],
        others=[row for row in data.rows if row.status == "other" and row.verdict != Verdict.NO_NPCU],
        without_npcu=sorted(Counter(row.course for row in data.rows if row.verdict == Verdict.NO_NPCU).items()),
        falls=falls,
        below=next((fall for fall in falls if fall["left"] < data.requirement <= data.npcu), None),
        renewals=_renewals(data, at),
        steps=_steps(data, falls, at),
        months=MONTHS_AHEAD,
        years=_years(at),
        requirement_y=_height(data.requirement, data),
        width=WIDTH,
        height=HEIGHT,
    )


def evidence_of(answer: Answer, *, config: ReportConfig, now: datetime, version: str) -> EvidenceData:
    """What the page of an answer says; `version` is this program's."""
    found, partner = answer.explanation, answer.partner
    never = found.people & answer.never_read
    unread = [f"Never read, so what they hold is not known: {people_listed(sorted(never))}"] if never else []
    old = answer.read_long_ago
    unread += [f"Counted with what was read long ago: {people_listed(old)}"] if old else []
    groups = (("counted", found.counted), ("nearly", found.nearly), ("other", found.others))
    return EvidenceData(
        version=version,
        made=now.replace(microsecond=0).isoformat(),
        partner_id=partner.id,
        partner=partner.name,
        tier=partner.tier,
        as_of=found.at.replace(microsecond=0).isoformat(),
        in_ledger=answer.in_ledger,
        requirement=requirement_of(partner.tier, config.tier_requirements),
        npcu=found.counts.total_npcu,
        by_category=dict(found.counts.by_category),
        uncategorised=found.counts.uncategorised,
        people=len(found.people),
        notes=(*answer.notes, *unread),
        rows=tuple(_row(answer, status, item) for status, items in groups for item in items),
        withheld=tuple(reason.text for reason in answer.withheld),
    )


def _row(answer: Answer, status: str, item: Assessed) -> EvidenceRow:
    return EvidenceRow(
        person=described_person(answer, item.user_id),
        course=item.course_name,
        category=item.category,
        npcu=item.npcu,
        completed=item.completed_at.isoformat() if item.completed_at else None,
        expires=item.expires_at.isoformat() if item.expires_at else None,
        through=described_ways(answer, item.via),
        status=status,
        verdict=item.verdict.value,
        reason=item.reason,
        enrollment=item.enrollment_id,
        fingerprint=fingerprint(item),
        listed=answer.in_ledger and item.verdict not in NOT_LISTED,
    )


def read_evidence(page: str) -> EvidenceData:
    """The data that stand in a page.

    Raises:
        NotEvidence: it holds none.
    """
    found = _DATA.search(page)
    try:
        values = json.loads(found.group(1) if found else "{}")
        return EvidenceData(**{**values, "rows": tuple(EvidenceRow(**row) for row in values["rows"])})
    except (TypeError, KeyError, ValueError):
        raise NotEvidence("it holds no data of an evidence page") from None


def _json(data: EvidenceData) -> str:
    return json.dumps(asdict(data), ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def _without_addresses(data: EvidenceData) -> EvidenceData:
    """The same with every text that looks like an e-mail address taken out: some names hold one."""
    values = json.loads(_ADDRESS.sub("(address)", _json(data)))
    return EvidenceData(**{**values, "rows": tuple(EvidenceRow(**row) for row in values["rows"])})


def _falls(data: EvidenceData) -> list[dict[str, Any]]:
    """When what counts falls, soonest first, with what is left if nothing is earned or renewed."""
    by_time: dict[str, list[EvidenceRow]] = {}
    for row in data.rows:
        if row.status == "counted" and row.expires:
            by_time.setdefault(row.expires, []).append(row)
    left, falls = data.npcu, []
    for expires in sorted(by_time):
        rows = by_time[expires]
        left -= sum(row.npcu for row in rows)
        falls.append({"at": expires, "rows": rows, "left": left})
    return falls


def _renewals(data: EvidenceData, at: datetime) -> list[dict[str, Any]]:
    """Who could win back or keep points: expired within the last year, or held and expiring within half a year."""
    soon = (at + RENEW_SOON).isoformat()
    people: dict[str, list[EvidenceRow]] = {}
    for row in data.rows:
        lapsed = row.status == "nearly" and row.verdict == "expired"
        if lapsed or (row.status == "counted" and row.expires and row.expires <= soon):
            people.setdefault(row.person, []).append(row)
    found = [{"person": key, "rows": rows, "npcu": sum(row.npcu for row in rows)} for key, rows in people.items()]
    return sorted(found, key=lambda each: (-int(str(each["npcu"])), str(each["person"])))


def _steps(data: EvidenceData, falls: Iterable[Mapping[str, Any]], at: datetime) -> str:
    """The line of the timeline as an SVG path."""
    end = months_after(at, MONTHS_AHEAD)
    parts, level = [f"M0 {_height(data.npcu, data)}"], data.npcu
    for fall in falls:
        moment = datetime.fromisoformat(fall["at"])
        if moment > end:
            break
        parts += [f"H{_place(moment, at, end)}", f"V{_height(fall['left'], data)}"]
        level = fall["left"]
    return " ".join([*parts, f"H{WIDTH}"]) if level is not None else ""


def _years(at: datetime) -> list[dict[str, Any]]:
    """Labels of the timeline, each six months."""
    end = months_after(at, MONTHS_AHEAD)
    instants = [months_after(at, months) for months in range(0, MONTHS_AHEAD, 6)]
    return [{"x": _place(each, at, end), "label": f"{each:%Y-%m}"} for each in instants]


def _place(moment: datetime, start: datetime, end: datetime) -> int:
    return max(0, round(WIDTH * ((moment - start) / (end - start))))


def _height(npcu: int, data: EvidenceData) -> int:
    top = max(data.npcu, data.requirement, 1)
    return round(HEIGHT - 6 - (HEIGHT - 20) * npcu / top)


def _moment(text: str | None) -> str:
    """`2026-11-20 02:00`; seconds only where they are not 0."""
    if text is None:
        return "–"
    moment = datetime.fromisoformat(text)
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment.second else f"{moment:%Y-%m-%d %H:%M}"
