"""What an entry of the registry (`lineage.py`) says of an asset. No I/O, and no Dagster: commands start without it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from lms_assets.domain.rules import Rules
from lms_assets.domain.schedule import CHAIN, Cadence

OWNER = "team:partner_data"
# The concurrency group of all but a few steps: the rows that counts are made of.
LEARNING_ROWS = "learning"


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One asset.

    Attributes:
        key: its name, and the name of its step.
        tier: the group in which the UI shows it.
        deps: assets and sources (`northpass/people`) that it is made of.
        table: the table that it writes, whose columns the UI shows.
        sync_type: what the portal calls its sync (`sync_logs.sync_type`, and the type of its task).
        jobs: the jobs that run it.
        task: its name on the portal's task page, and with that its place in the chain log; None: in neither.
        cadence: how often it must come through; None: nobody expects it at a time.
        pool: the vendor that it calls.
        records: kinds of records that its sync may set aside (`sync_failures.entity_type`).
        required: a failure ends the chain. Otherwise the last good state stays, and the chain ends `partial`.
        group: the concurrency group, the rows that it writes.
        weekly: whether it has a partition for each week of activity.
        rules: names of the rules that it applies (`domain.rules`); a change of one makes its rows outdated in the UI.
        version: counted up by hand when the code would write other rows from the same sources.
    """

    key: str
    tier: str
    deps: tuple[str, ...]
    description: str
    table: str
    sync_type: str
    cadence: Cadence | None
    jobs: tuple[str, ...] = (CHAIN,)
    task: str | None = None
    pool: str | None = None
    records: tuple[str, ...] = ()
    required: bool = True
    group: str = LEARNING_ROWS
    kinds: tuple[str, ...] = ("python", "mysql")
    personal_data: bool = False
    weekly: bool = False
    rules: tuple[str, ...] = ()
    version: str = "1"

    @property
    def code_version(self) -> str:
        """What the asset's rows depend on beside their sources: its version, and the default rules that it applies.

        A rules file is not looked at: the graph is loaded without reading a setting. `lms-assets rules diff` does.
        """
        default = Rules()
        applied = repr([(name, getattr(default, name)) for name in self.rules])
        return f"{self.version}-{blake2b(applied.encode(), digest_size=4).hexdigest()}" if self.rules else self.version
