"""Tags of runs: what a person decided for one, or what it belongs to. Names only."""

ALLOW_TAG = "lms/allow"
"""The overrides of this run (domain.overrides), blanks between them."""

ALLOW_TOKEN_TAG = "lms/allow_token"  # noqa: S105
"""The token that makes the overrides valid, for this run only; `lms-assets allow` makes one."""

AS_OF_TAG = "lms/as_of"
"""The chain's start, ISO 8601 in UTC: the instant at which every partner is counted."""

JOB_TAG = "lms/job"
"""The job's name; two runs with one name never go at the same time (dagster.yaml, tag_concurrency_limits)."""

CONCURRENCY_GROUP_TAG = "lms/concurrency_group"
"""What the job writes; jobs of one concurrency group take turns (dagster.yaml, tag_concurrency_limits)."""

LEADS_TAG = "lms/leads"
"""`full`: read all leads and remove those that are over, instead of what changed since the last time."""

OFFBOARDING_PLAN_TAG = "lms/offboarding_plan"
"""The id of the reviewed plan that `offboarding_apply` is to carry out."""

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
"""Dagster's: the first and the last weekly partition of a run over several."""

PARTITION_TAG = "dagster/partition"
"""Dagster's: the weekly partition of a run over one."""

PUSH_PARTNER_TAG = "lms/push_partner"
"""The row id of the one partner that is sent again, whatever was confirmed of it."""

PEOPLE_TAG = "lms/people"
"""`queued`: read the transcripts of the people in the queue only (those whose completion a webhook reported)."""
