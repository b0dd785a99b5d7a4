"""Preflight's look at both vendors: address, key, what the key may read, the clock, and the CRM's target fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lms_assets.console.installation.preflight.lines import Line, NotAsNeeded, ok, problem, warning
from lms_assets.domain.counting.push_plan import target_fields as wanted_fields
from lms_assets.domain.safety.clocks import require_same_time
from lms_assets.resources import impartner_client, northpass_client
from lms_assets.rules_file import load_rules
from lms_assets.settings import Settings
from lms_assets.vendors.transport.client import VendorHttp
from lms_assets.vendors.transport.errors import VendorError

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
    told = "its answers do not say the time" if ahead is None else f"clocks {abs(ahead):.0f} s apart"
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
