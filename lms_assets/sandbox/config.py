"""How the sandbox behaves: one frozen value, validated once. No data and no HTTP live here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

NORTHPASS_KEY = "sandbox-northpass-key"
IMPARTNER_KEY = "sandbox-impartner-key"
IMPARTNER_TENANT = "1"
LARGEST_SCALE = 10

EmptyAnswer = Literal["404", "list"]


def start_of_current_hour() -> datetime:
    """The current UTC hour's first second: the default instant that all generated data refers to."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """Everything that can be set.

    The vendor state is the same for the same `seed`, `scale` and `now`; other settings change how it is served.

    * `now`: aware UTC, whole seconds. Given: the sandbox's clock stands still there until the `clock` action moves
      it. None: data refers to the start of the current hour and the clock runs with the real one.
    * `northpass_rps`, `impartner_rps`: most requests in any one second; 0 means unlimited.
    * `latency_ms`: added to each vendor answer, in milliseconds.
    * `jitter_ms`: the way to the vendor takes so many milliseconds, up to as many less or more, by chance.
    * `record_calls`: keep when each call arrived, for `GET /sandbox/arrivals` (about 200 bytes a call).
    * `empty_memberships`: answer for a group without members: "404", "list", or "mixed" (fixed for each group).
    * `empty_transcripts`: answer for a person without transcripts: "404" or "list".
    * `retry_after`: whether a 429 carries a Retry-After header; "sometimes" is every second one.
    * `activity_moves_updated_at`: whether a completion moves the person's `updated_at`, besides `last_active_at`.
    * `crm_numbers`: how the CRM shows a decimal number: as one (3.0), as `text` ("3.00"), or `rounded` as binary
      fractions are (2.9999999998).
    * `hidden_account_fields`: fields of accounts that this key may write but not read: they are never shown.
    * `rejecting_accounts`: Impartner account ids for which every PATCH record fails validation.
    """

    seed: int = 1
    scale: float = 0.05
    northpass_rps: int = 10
    impartner_rps: int = 10
    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    record_calls: bool = False
    now: datetime | None = None
    northpass_key: str = field(default=NORTHPASS_KEY, repr=False)
    impartner_key: str = field(default=IMPARTNER_KEY, repr=False)
    impartner_tenant: str = IMPARTNER_TENANT
    empty_memberships: Literal["404", "list", "mixed"] = "mixed"
    empty_transcripts: EmptyAnswer = "404"
    retry_after: Literal["always", "sometimes", "never"] = "sometimes"
    activity_moves_updated_at: bool = True
    crm_numbers: Literal["number", "text", "rounded"] = "number"
    hidden_account_fields: tuple[str, ...] = ()
    rejecting_accounts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse values that would make a vendor state nobody expects; raises ValueError naming the setting."""
        if not 0 < self.scale <= LARGEST_SCALE:
            raise ValueError(f"scale is {self.scale}; give a number above 0 and at most {LARGEST_SCALE}")
        if min(self.northpass_rps, self.impartner_rps, self.latency_ms, self.jitter_ms) < 0:
            raise ValueError("northpass_rps, impartner_rps, latency_ms and jitter_ms must not be negative")
        if self.now is not None and (self.now.tzinfo is None or self.now.microsecond):
            raise ValueError("now must be zone-aware and in whole seconds")

    @property
    def reference_time(self) -> datetime:
        """The instant the data refers to: `now`, else the start of the current hour."""
        return self.now.astimezone(UTC) if self.now is not None else start_of_current_hour()
