"""When the jobs run, all in UTC. Off until somebody switches them on; the demo does."""

from __future__ import annotations

import dagster as dg

SCHEDULES: list[dg.ScheduleDefinition] = []
