"""What preflight looks at: this machine, the warehouse, both vendors, what leaves for people. A line for each thing.

Of the vendors: address, key, what the key may read, the clock, and the CRM's target fields. Of the warehouse: tables,
and what its server and this user's rights allow. Secrets that are too weak to keep out of logs are named, too.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Literal

import apprise

from lms_assets.automation.alerting.alerts import notify
from lms_assets.console.running.dagster_state import DagsterStateLost
from lms_assets.domain.counting.push_plan import target_fields as wanted_fields
from lms_assets.domain.operations.incident import Message
from lms_assets.domain.safety.run_instants import TOLERANCE, ClockDiffers, require_same_time
from lms_assets.domain.wording import number_of
from lms_assets.reports.delivery.message import UnusableAddress, sender
from lms_assets.reports.delivery.smtp import MailServerUnavailable, SmtpMailer, SmtpServer
from lms_assets.resources import impartner_client, northpass_client
from lms_assets.rules_file import load_rules
from lms_assets.settings import ConfigurationError, Settings
from lms_assets.vendors.transport.client import VendorHttp
from lms_assets.vendors.transport.errors import VendorError
from lms_assets.warehouse.engine import Warehouse, parse_url, sqlite_path
from lms_assets.warehouse.errors import SchemaNotCurrent, UpgradeRefused, WarehouseError
from lms_assets.warehouse.reading.reports import executives, managers
from lms_assets.warehouse.schema.tables import metadata
from lms_assets.warehouse.server import FOR_UPGRADES, ServerFacts, missing_rights, server_facts

Status = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Line:
    """One thing that was looked at: what was seen, or what is wrong and what to do. A warning stops nothing."""

    name: str
    status: Status
    note: str


class NotAsNeeded(Exception):
    """Something is not as it has to be; the message says what to do."""


Look = Callable[[Settings], Iterable[Line]]


def ok(name: str, note: str) -> Line:
    """It is as it should be."""
    return Line(name, "ok", note)


def warning(name: str, note: str) -> Line:
    """The chain can run without it."""
    return Line(name, "warning", note)


def problem(name: str, note: str) -> Line:
    """A finding because of which a run would fail."""
    return Line(name, "problem", note)


def looked_at(name: str, look: Look, settings: Settings) -> Iterator[Line]:
    """The lines of one look; what is known to go wrong in it is the last of them."""
    try:
        yield from look(settings)
    except ConfigurationError as error:
        yield problem(name, "; ".join(error.problems))
    except (DagsterStateLost, NotAsNeeded, ClockDiffers, VendorError, WarehouseError) as error:
        yield problem(name, str(error))


# A month of runs takes about 1 GB; below the first a chain may fail in the middle.
LEAST_BYTES, WANTED_BYTES = 2**30, 5 * 2**30
LEAST_FILES = 10_000


def disk(settings: Settings) -> Iterator[Line]:
    """Free bytes and inodes of every disk that is written to, each disk once."""
    seen: set[int] = set()
    for folder in _folders(settings):
        there = next(each for each in (folder, *folder.parents) if each.exists())
        device = there.stat().st_dev
        if device not in seen:
            seen.add(device)
            yield line_of_disk(there, os.statvfs(there))


def line_of_disk(folder: Path, room: os.statvfs_result) -> Line:
    """What the room on a disk means."""
    free = room.f_bavail * room.f_frsize
    said = f"{folder}: {free / 2**30:.1f} GB free"
    if free < LEAST_BYTES:
        return problem("disk", f"{said}; a chain needs 1 GB: make room")
    if room.f_files and room.f_favail < LEAST_FILES:
        return problem(
            "disk", f"{folder}: {room.f_favail:,} files can be made; runs need {LEAST_FILES:,}: remove files"
        )
    if free < WANTED_BYTES:
        return warning("disk", f"{said}; a month of runs takes about 1 GB: keep 5 GB")
    return ok("disk", said)


def _folders(settings: Settings) -> Iterator[Path]:
    yield Path(tempfile.gettempdir())
    if home := os.environ.get("DAGSTER_HOME", "").strip():
        yield Path(home).absolute()
    warehouse = sqlite_path(parse_url(settings.warehouse_url))
    if warehouse is not None:
        yield warehouse.absolute().parent
    yield settings.reports_dir.absolute()


TEST = "A test of lms-assets preflight: nothing is wrong, and nothing is to be done."


def alerts(settings: Settings) -> Iterator[Line]:
    """Each is a URL that Apprise understands; only `--send-test` shows whether it arrives."""
    if not settings.alert_urls:
        yield warning("alerts", "LMS_ALERT_URLS is not set: alerts are only logged")
        return
    # The URLs hold secrets, so they are named by their place.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    strange = [str(place) for place, url in enumerate(settings.alert_urls, 1) if not apprise.Apprise().add(url)]
    if strange:
        raise NotAsNeeded(f"LMS_ALERT_URLS: no. {', '.join(strange)} is no Apprise URL, so nobody would be alerted")
    yield ok("alerts", f"{number_of(len(settings.alert_urls), 'channel')}; --send-test sends to each")


def mail(settings: Settings) -> Iterator[Line]:
    """The mail server answers, encrypts and logs in; nothing is sent."""
    if settings.smtp_url is None:
        yield ok("mail", f"LMS_SMTP_URL is not set: reports are written to {settings.reports_dir}")
        return
    try:
        with SmtpMailer(SmtpServer.from_url(settings.smtp_url), attempts=1) as mailer:
            mailer.probe()
    except MailServerUnavailable as error:
        raise NotAsNeeded(f"{error}. Check LMS_SMTP_URL, and that this machine may reach that port") from None
    yield ok(
        "mail", f"{SmtpServer.from_url(settings.smtp_url)} answers and logs in; --send-test sends to LMS_MAIL_FROM"
    )


def reports_folder(settings: Settings) -> Iterator[Line]:
    """Where reports are files, their folder can be written or made."""
    if settings.smtp_url is not None:
        return
    folder = settings.reports_dir.absolute()
    there = next(each for each in (folder, *folder.parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise NotAsNeeded(f"{there} cannot be written ({error.strerror}): change it or LMS_REPORTS_DIR") from None
    yield ok("reports", f"{folder} {'can be written' if there == folder else 'can be made'}")


def secrets(settings: Settings) -> Iterator[Line]:
    """Each is long enough to be told from ordinary words."""
    for name in settings.weak_secrets:
        note = "its secret is too short or too common to be kept out of logs; choose a longer one"
        yield warning(name, note)


def test_messages(settings: Settings) -> Iterator[Line]:
    """Send one message to each alert channel and one mail to its own sender."""
    for place, url in enumerate(settings.alert_urls, 1):
        name = f"alert channel {place}"
        if notify(url, Message("lms-assets: a test", TEST, good=True)):
            yield ok(name, "took the test message; check that it arrived")
        else:
            yield problem(name, "did not accept the test message: check its token and that this machine may reach it")
    if settings.smtp_url is not None and settings.mail_from is not None:
        yield _test_mail(settings.smtp_url, settings.mail_from)


def _test_mail(smtp_url: str, mail_from: str) -> Line:
    try:
        own = sender(mail_from)
    except UnusableAddress as error:
        return problem("test mail", f"LMS_MAIL_FROM {error}")
    message = EmailMessage(policy=SMTP)
    message["From"] = message["To"] = own
    message["Subject"] = "lms-assets: a test"
    # Servers refuse a mail without them, or call it unwanted.
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=own.domain)
    message.set_content(TEST)
    try:
        with SmtpMailer(SmtpServer.from_url(smtp_url), attempts=1) as mailer:
            result = mailer.send(
                message, sender=own.addr_spec, recipient=own.addr_spec, hand_over=lambda: True, take_back=lambda: None
            )
    except MailServerUnavailable as error:
        return problem("test mail", f"{error}. Check LMS_SMTP_URL")
    if result.outcome == "sent":
        return ok("test mail", "the server took it for LMS_MAIL_FROM; check that it arrived")
    return problem("test mail", f"{result.outcome}: {result.reason}. May this login send as LMS_MAIL_FROM?")


# Without it people are read whole instead of those of whom a webhook told.
_OPTIONAL = {"GET /webhooks"}
_ASK = "ask the vendor's administrator for a key that may read it"


def northpass(settings: Settings) -> Iterator[Line]:
    """Address and key, the clock, and each list that the chain reads."""
    with northpass_client(settings) as client:
        client.probe()
        yield _clock(client.http, settings.northpass.base_url)
        yield from _rights("Northpass", client.rights())


def impartner(settings: Settings) -> Iterator[Line]:
    """Address, key and tenant, the clock, and each object that the chain reads."""
    with impartner_client(settings) as client:
        client.probe()
        yield _clock(client.http, settings.impartner.base_url)
        yield from _rights("Impartner", client.rights())


def target_fields(settings: Settings) -> Iterator[Line]:
    """Each field that is pushed: there, and not read-only. Only the first push shows whether the key may write."""
    wanted = wanted_fields(load_rules(settings), settings.portal_url)
    with impartner_client(settings) as client:
        fields = {name.lower(): info for name, info in client.describe("Account").items()}
    missing = [name for name in wanted if name.lower() not in fields]
    locked = [name for name in wanted if name.lower() in fields and fields[name.lower()].read_only]
    if missing or locked:
        problems = [f"missing on Account: {', '.join(missing)}"] if missing else []
        problems += [f"read-only on Account: {', '.join(locked)}"] if locked else []
        raise NotAsNeeded("; ".join(problems) + ". Ask the CRM's administrator, or change the mapping in the rules.")
    yield ok("Impartner fields", f"all {len(wanted)} target fields can be written")


def _clock(http: VendorHttp, base_url: str) -> Line:
    ahead = http.clock.seconds_ahead
    require_same_time(http.vendor, ahead)
    told = "its answers hold no time" if ahead is None else f"clocks {abs(ahead):.0f} s apart"
    return ok(http.vendor, f"{base_url}, key accepted, {told}")


def _rights(vendor: str, asked: Iterable[tuple[str, VendorError | None]]) -> Iterator[Line]:
    name = f"{vendor} rights"
    refused, may = [], []
    for call, error in asked:
        if error is None:
            may.append(call)
        elif call in _OPTIONAL:
            yield warning(name, f"{error}. The chain reads everybody instead, which takes longer")
        else:
            refused.append(call)
            yield problem(name, f"{error}. {_ASK[0].upper()}{_ASK[1:]}: {call}")
    if not refused:
        yield ok(name, f"may read {', '.join(call.removeprefix('GET ') for call in may)}")


NAME = "warehouse server"
LEAST_PACKET = 16 * 2**20
UTC_NAMES = {"UTC", "+00:00", "GMT", "Etc/UTC", "Universal", "Zulu"}


def tables(settings: Settings) -> Iterator[Line]:
    """It can be reached and written, and its tables are this version's."""
    warehouse = Warehouse(settings.warehouse_url)
    try:
        warehouse.check_reachable()
        try:
            warehouse.require_current_schema()
        except SchemaNotCurrent:
            if refusals := warehouse.plan_upgrade().refusals:
                raise UpgradeRefused(warehouse.name, refusals) from None
            raise
        warehouse.check_writable()
        for each in warehouse.plan_upgrade().warnings:
            yield problem("warehouse", each)
    finally:
        warehouse.close()
    yield ok("warehouse", f"{warehouse.name}, tables current")


def server(settings: Settings) -> Iterator[Line]:
    """Rights, size of a statement, character set, clock and zone of a MySQL or MariaDB server; nothing on SQLite."""
    warehouse = Warehouse(settings.warehouse_url)
    if warehouse.is_sqlite:
        return
    try:
        with warehouse.read() as connection:
            facts = server_facts(connection)
    finally:
        warehouse.close()
    yield from lines_of_server(facts, datetime.now(UTC))


def recipients(settings: Settings) -> Iterator[Line]:
    """Somebody gets the Monday reports."""
    warehouse = Warehouse(settings.warehouse_url)
    try:
        with warehouse.read() as connection:
            pams, bosses = len(managers(connection)), len(executives(connection))
    finally:
        warehouse.close()
    rows = {"partner_managers": pams, "executive_report_recipients": bosses}
    if empty := [table for table, number in rows.items() if not number]:
        yield warning("recipients", f"nobody in {' and '.join(empty)} gets a Monday report: insert their rows there")
    else:
        yield ok("recipients", f"account managers {pams}, executives {bosses}")


def lines_of_server(facts: ServerFacts, now: datetime) -> Iterator[Line]:
    """What the facts mean, as of this machine's clock (UTC)."""
    yield from _rights_of_this_user(facts)
    if facts.max_allowed_packet < LEAST_PACKET:
        size = f"{facts.max_allowed_packet / 2**20:.0f} MB"
        yield problem(
            NAME, f"max_allowed_packet is {size}: SET GLOBAL max_allowed_packet = {LEAST_PACKET}, and in my.cnf"
        )
    apart = abs(facts.now - now)
    if apart > TOLERANCE:
        yield problem(NAME, f"its clock and this machine's are {apart} apart: set both by NTP")
    if facts.charset != "utf8mb4":
        change = f"ALTER DATABASE `{facts.database}` CHARACTER SET utf8mb4"
        yield warning(NAME, f"tables that others make in it are {facts.charset} and refuse names: {change}")
    if facts.zone not in UTC_NAMES:
        yield warning(NAME, f"its zone is {facts.zone}: this program writes UTC, so the portal has to read UTC")
    yield ok(NAME, f"{facts.version}, max_allowed_packet {facts.max_allowed_packet / 2**20:.0f} MB, {facts.charset}")


def _rights_of_this_user(facts: ServerFacts) -> Iterator[Line]:
    missing = missing_rights(facts.grants, facts.database, metadata.tables)
    if missing is None:
        yield warning(
            NAME, "this user's rights come from a role, which SHOW GRANTS does not show: SHOW GRANTS FOR the role"
        )
    elif missing:
        yield problem(
            NAME, f"{', '.join(missing)} missing: GRANT {', '.join(missing)} ON `{facts.database}`.* TO this user"
        )
    later = missing_rights(facts.grants, facts.database, metadata.tables, FOR_UPGRADES)
    if later and not missing:
        yield warning(NAME, f"enough for runs; `lms-assets db upgrade` also needs {', '.join(later)}")
