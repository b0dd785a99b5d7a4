"""Alerts people of incidents, once when they begin and once when they are resolved; calls the heartbeat after a chain.

Nothing here can fail a sync: an error is logged, and everything is tried again a minute later.
"""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import dagster as dg

from lms_assets.automation.alerting.collect import State, collect
from lms_assets.checks.incidents import incident_evaluations
from lms_assets.domain.operations.check_warnings import Level, Risen, digest_is_due, digest_of, follow, key_of
from lms_assets.domain.operations.incident import CheckFinding, Incident, Kind, Message, begun, over, past_grace_period
from lms_assets.domain.operations.incident_detection import find_incidents
from lms_assets.domain.wording import number_of
from lms_assets.redaction import redact, scrub
from lms_assets.resources import AlertsResource, WarehouseResource
from lms_assets.settings import Settings
from lms_assets.vendors.transport.client import beat
from lms_assets.warehouse.bookkeeping.alerts import (
    OUTBOX,
    Outgoing,
    close_incident,
    give_back,
    incidents_to_announce,
    lease_due,
    mark_announced,
    open_incidents,
    put_out,
    raise_incident,
    remove_sent,
)
from lms_assets.warehouse.bookkeeping.chain_log import ChainRow
from lms_assets.warehouse.engine import Connection, Warehouse
from lms_assets.warehouse.sync_state import get_state, put_state, set_aside_unreadable

_FIRST_SEEN = "incidents_first_seen"
_LEVELS = "warnings_known"
_DIGEST = "daily_digest_sent_on"
_HEARTBEAT = "heartbeat_for_chain"
# Nothing but alerting depends on these.
_OWN_STATES = (_FIRST_SEEN, _HEARTBEAT, _LEVELS, _DIGEST, OUTBOX)
# After an older chain the heartbeat is not called: the service that waits for it has noticed by then.
HEARTBEAT_WITHIN = timedelta(hours=26)
BODY_LENGTH = 4000


@dataclass(frozen=True)
class IncidentMonitor:
    """Finds incidents in the state and alerts people. `log` gets what concerns the channels themselves."""

    instance: dg.DagsterInstance
    warehouse: Warehouse
    settings: Settings
    log: logging.Logger

    def collect_and_report(self, now: datetime) -> tuple[Incident, ...]:
        """Compare what is wrong now with what was, alert people of the difference; gives the open incidents."""
        seen = collect(self.instance, self.warehouse, now)
        self.warehouse.in_transaction(lambda connection: self._record(connection, seen, now))
        self._send(now)
        self._call_heartbeat(seen.chain, now)
        with self.warehouse.read() as connection:
            return open_incidents(connection)

    def _record(self, connection: Connection, seen: State, now: datetime) -> None:
        """Open and close incidents, and write the messages about them, in one transaction."""
        set_aside_unreadable(connection, _OWN_STATES, now=now)
        warnings = [each for each in seen.facts.findings if each.level == "warning"]
        risen, known = _follow_warnings(connection, warnings, now)
        first_seen = _instants(get_state(connection, _FIRST_SEEN))
        incidents, first_seen = past_grace_period(find_incidents(seen.facts, risen), first_seen, now)
        put_state(connection, _FIRST_SEEN, {key: at.isoformat() for key, at in first_seen.items()}, now=now)
        update_incidents(connection, incidents, seen.undecided, now=now, unannounced=known)
        announced = incidents_to_announce(connection)
        messages = [self._message(incident) for incident in announced]
        if not self.settings.alert_urls:
            for message in messages:
                self.log.warning("%s (LMS_ALERT_URLS is empty: nobody was alerted)\n%s", message.title, message.body)
        if "warning" not in seen.undecided:
            messages += self._digest(connection, warnings, risen, now)
        put_out(connection, messages, self._channels(), now=now)
        mark_announced(connection, announced, now=now)

    def _digest(
        self, connection: Connection, warnings: Sequence[CheckFinding], risen: Iterable[Risen], now: datetime
    ) -> list[Message]:
        if not self.settings.daily_digest or not digest_is_due(get_state(connection, _DIGEST, lock=True), now):
            return []
        put_state(connection, _DIGEST, now.date().isoformat(), now=now)
        # As in `_message`: before it is quoted.
        clean = [
            replace(each, description=self._clean(each.description), remedy=self._clean(each.remedy))
            for each in warnings
        ]
        message = digest_of(clean, risen, self.settings.ui_url)
        return [] if message is None else [self._cleaned(message)]

    def _message(self, incident: Incident) -> Message:
        # Before it is quoted: a secret with a sign in it that is quoted would not be found any more.
        clean = replace(
            incident,
            what=self._clean(incident.what),
            effect=self._clean(incident.effect),
            remedy=self._clean(incident.remedy),
        )
        closed, url, docs = incident.closed_at, self.settings.ui_url, self.settings.docs_url
        return self._cleaned(begun(clean, url, docs) if closed is None else over(clean, closed, url))

    def _cleaned(self, text: Message) -> Message:
        return Message(self._clean(text.title, 200), self._clean(text.body, BODY_LENGTH), text.good)

    def _clean(self, text: str, limit: int = BODY_LENGTH) -> str:
        return scrub(redact(text, self.settings.secrets), limit)

    def _channels(self) -> Mapping[str, str]:
        """Digest to URL of every channel."""
        return {blake2b(url.encode(), digest_size=8).hexdigest(): url for url in self.settings.alert_urls}

    def _send(self, now: datetime) -> None:
        channels = self._channels()
        if not channels:
            return
        for message in self.warehouse.in_transaction(lambda connection: lease_due(connection, channels, now=now)):
            sent = notify(channels[message.channel], message)
            if not sent:
                self.log.warning(
                    "An alert channel did not accept a message; it is sent again later (attempt %d)", message.tries + 1
                )
            after = remove_sent if sent else give_back
            self.warehouse.in_transaction(lambda c, after=after, message=message: after(c, message, now=now))  # type: ignore[misc]

    def _call_heartbeat(self, chain: ChainRow | None, now: datetime) -> None:
        url = self.settings.heartbeat_url
        if url is None or chain is None or chain.status != "completed" or chain.completed_at is None:
            return
        with self.warehouse.read() as connection:
            known = get_state(connection, _HEARTBEAT)
        mark = f"{chain.run_id} {chain.completed_at.isoformat()}"
        if known == mark or now - chain.completed_at > HEARTBEAT_WITHIN:
            return
        problem = beat(url)
        if problem:
            self.log.warning("%s; it is tried again", problem)
            return
        self.warehouse.in_transaction(lambda connection: put_state(connection, _HEARTBEAT, mark, now=now))


def _follow_warnings(
    connection: Connection, warnings: Iterable[CheckFinding], now: datetime
) -> tuple[tuple[Risen, ...], frozenset[str]]:
    """The warnings that need a person now, and the keys of those that are known by now, which no person resolved."""
    levels = _levels(get_state(connection, _LEVELS))
    risen, after = follow(warnings, levels, now)
    put_state(connection, _LEVELS, {check: level.as_json() for check, level in after.items()}, now=now)
    known = {
        key_of(each.check, each.asset)
        for each in warnings
        if each.check in levels and after[each.check].known > levels[each.check].known
    }
    return risen, frozenset(known)


def _instants(stored: Any) -> dict[str, datetime]:
    """What is stored as instants by name; what is none is as if it were not there."""
    found = {}
    for name, at in stored.items() if isinstance(stored, dict) else ():
        with suppress(ValueError, TypeError):
            found[name] = datetime.fromisoformat(at).astimezone(UTC)
    return found


def _levels(stored: Any) -> dict[str, Level]:
    found = {}
    for check, level in stored.items() if isinstance(stored, dict) else ():
        with suppress(TypeError):
            found[check] = Level(**level)
    return found


def update_incidents(
    connection: Connection,
    incidents: Iterable[Incident],
    undecided: frozenset[Kind],
    *,
    now: datetime,
    unannounced: frozenset[str] = frozenset(),
) -> None:
    """Make the open incidents equal to those that were found; kinds that are undecided stay as they are.

    Args:
        unannounced: keys whose end is not announced, as no person resolved them.
    """
    known = {incident.key: incident for incident in open_incidents(connection)}
    found = {incident.key: incident for incident in incidents}
    for key, incident in known.items():
        if key not in found and incident.kind not in undecided:
            close_incident(connection, key, now=now)
            if key in unannounced:
                mark_announced(connection, [replace(incident, closed_at=now)], now=now)
    for key, incident in found.items():
        if incident.kind in undecided:
            continue
        if key in known and known[key].grade != incident.grade:
            # Better or worse than people were alerted of: alerted again, without calling the one before resolved.
            close_incident(connection, key, now=now)
        raise_incident(connection, incident, now=now)


def notify(url: str, message: Outgoing | Message) -> bool:
    """Send one message over one Apprise URL; False when it was not taken, for whatever reason."""
    # Here, since every run would wait for its import, and few have anything to report.
    import apprise

    # Its own log lines would show the channels' URLs, which hold their passwords.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    try:
        channel = apprise.Apprise(asset=apprise.AppriseAsset(app_id="lms-assets", async_mode=False))
        if not channel.add(url):
            return False
        kind = apprise.NotifyType.SUCCESS if message.good else apprise.NotifyType.FAILURE
        return bool(channel.notify(title=message.title, body=message.body, notify_type=kind, body_format="text"))
    except Exception:  # noqa: BLE001 - whatever a channel's plug-in does, the others and the syncs go on
        return False


def look_after_quietly(instance: dg.DagsterInstance, warehouse: Warehouse, settings: Settings, now: datetime) -> None:
    """Monitor once after a run from a terminal, for machines without a daemon; an error is logged, never raised."""
    log = logging.getLogger(__name__)
    try:
        IncidentMonitor(instance, warehouse, settings, log).collect_and_report(now)
    except Exception as error:  # noqa: BLE001 - the run is over and has its own outcome
        log.warning("Incidents could not be monitored: %s", scrub(redact(str(error), settings.secrets), 500))


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Alerts people of incidents, once each, and shows open ones as failing checks.",
)
def open_incidents_sensor(
    context: dg.SensorEvaluationContext, warehouse: WarehouseResource, alerts: AlertsResource
) -> dg.SensorResult | dg.SkipReason:
    """Monitor once, and bring the checks in the UI up to date."""
    with warehouse.open() as database:
        monitor = IncidentMonitor(context.instance, database, alerts.settings(), logging.getLogger(__name__))
        incidents = monitor.collect_and_report(warehouse.now())
    shown: dict[str, Any] = json.loads(context.cursor or "{}")
    evaluations, now_shown = incident_evaluations(incidents, shown)
    if not evaluations:
        return dg.SkipReason(f"{number_of(len(incidents), 'open incident')}, as before")
    return dg.SensorResult(asset_events=list(evaluations), cursor=json.dumps(now_shown))
