"""The evidence page of `lms-assets why PARTNER --html FILE`, and `lms-assets verify FILE`, which checks a copy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from rich.console import Console

from lms_assets.console.command import program_version, settings_from_environment
from lms_assets.domain.counting.certifications import Assessed
from lms_assets.domain.counting.ledger import fingerprint
from lms_assets.domain.wording import number_of
from lms_assets.reports.config import ReportConfig
from lms_assets.reports.figures.partner_answer import Answer
from lms_assets.reports.rendering.evidence import (
    EvidenceData,
    EvidenceRow,
    NotEvidence,
    evidence_of,
    read_evidence,
    render_evidence,
)
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.results.ledger import ledger_items, read_ledger

SHOWN = 20


def write_evidence(answer: Answer, path: Path, *, config: ReportConfig, now: datetime) -> None:
    """Write the evidence page of an answer.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    page = render_evidence(evidence_of(answer, config=config, now=now, version=program_version()))
    try:
        path.write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ConfigurationError([f"--html {path} cannot be written: {error.strerror or error}"]) from None


def verify_command(path: Path, console: Console) -> int:
    """Check a copy of an evidence page: 0 when nothing in it was altered, 1 otherwise; says what changed since.

    Raises:
        ConfigurationError: the file cannot be read, or is no evidence page.
    """
    try:
        page = path.read_bytes().decode("utf-8")
        data = read_evidence(page)
    except OSError as error:
        raise ConfigurationError([f"{path} cannot be read: {error.strerror or error}"]) from None
    except (UnicodeDecodeError, NotEvidence) as error:
        raise ConfigurationError([f"{path} is no evidence page: {error}"]) from None
    made_again = render_evidence(data).encode()
    said = f"partner {data.partner_id}, as of {data.as_of}: {data.npcu} NPCU"
    if page.encode() != made_again:
        other = data.version != program_version()
        remedy = f"it was made by version {data.version}; check it with that one" if other else "it was altered"
        return _tell(console, f"✗ The page is not what its data give: {remedy}. {said}", 1)
    _tell(console, f"✓ Unaltered: {said}", 0)
    try:
        url = settings_from_environment().warehouse_url
    except ConfigurationError:
        return _tell(console, "Not compared with the ledger: no warehouse is configured here.", 0)
    with Warehouse.opened(url) as warehouse:
        return _compare(data, warehouse, console)


def _compare(data: EvidenceData, warehouse: Warehouse, console: Console) -> int:
    """The page's rows against the ledger as of its instant, which must be equal, and against the present one."""
    at = datetime.fromisoformat(data.as_of)
    with warehouse.read() as connection:
        ledger = read_ledger(connection)
        covered = ledger is not None and data.in_ledger and ledger.covers(at)
        then = _listed(ledger_items(connection, at=at, partner_id=data.partner_id)) if covered else {}
        now = _listed(ledger_items(connection, partner_id=data.partner_id))
    shown = {row.fingerprint: row.reason for row in data.rows if row.listed}
    if not covered:
        _tell(console, "Not compared with the ledger of that time: it does not cover that instant.", 0)
    elif wrong := _altered(data, then):
        return _tell(console, f"✗ Altered: {wrong} not what the ledger held as of {data.as_of}.", 1)
    else:
        _tell(console, f"✓ Equal to the ledger as of {data.as_of}", 0)
    gone = [
        f"− {row.person}: {row.course}, {row.reason}" for row in data.rows if row.listed and row.fingerprint not in now
    ]
    new = [f"+ {item.user_id}: {item.course_name}, {item.reason}" for key, item in now.items() if key not in shown]
    if not gone and not new:
        return _tell(console, "The present ledger says the same.", 0)
    _tell(console, "The present ledger differs:", 0)
    for line in (*gone[:SHOWN], *new[:SHOWN]):
        _tell(console, f"  {line}", 0)
    if (more := max(0, len(gone) - SHOWN) + max(0, len(new) - SHOWN)) > 0:
        _tell(console, f"  and {more} more", 0)
    return 0


def _altered(data: EvidenceData, then: Mapping[str, Assessed]) -> str:
    """What of a page contradicts the ledger of its instant, as the subject of a sentence; empty when nothing does.

    A row is compared by what it says and not by its fingerprint alone, which a forger can leave as it is. Names of
    courses are not compared: they may have changed since.
    """
    rows = {row.fingerprint: row for row in data.rows if row.listed}
    wrong = set(rows) ^ set(then)
    wrong |= {key for key, item in then.items() if key in rows and _says(rows[key]) != _says_in_ledger(item)}
    if wrong:
        return number_of(len(wrong), "row is", "rows are")
    held = [item for item in then.values() if item.counted]
    categories = Counter(item.category for item in held if item.category is not None)
    sums = (sum(item.npcu for item in held), dict(categories), sum(item.category is None for item in held))
    shown = (data.npcu, {name: number for name, number in data.by_category.items() if number}, data.uncategorised)
    return "" if sums == shown else "the counts are"


def _says(row: EvidenceRow) -> tuple[object, ...]:
    counted = row.status == "counted"
    return row.category, row.npcu, row.completed, row.expires, row.verdict, row.reason, row.enrollment, counted


def _says_in_ledger(item: Assessed) -> tuple[object, ...]:
    completed, expires = (each.isoformat() if each else None for each in (item.completed_at, item.expires_at))
    verdict = item.verdict.value
    return item.category, item.npcu, completed, expires, verdict, item.reason, item.enrollment_id, item.counted


def _listed(items: Iterable[Assessed]) -> dict[str, Assessed]:
    return {fingerprint(item): item for item in items}


def _tell(console: Console, text: str, code: int) -> int:
    console.print(text, markup=False, highlight=False)
    return code
