"""The outbox: lanes are claimed under a lease with a fence, results are recorded, due lanes are found.

Plain statements in short transactions, read committed. A claim takes two statements, each with a fresh
snapshot: one that locks the lane, one that looks at its rows; a single statement would see the rows as
they were before it waited for the lock. See docs/architecture.md for the drawing of the states.
"""

from forwarder.outbox.jobs import (
    NEXT_JOB,
    answered_copy,
    copies_of,
    job_of,
    known_copies,
    next_job,
    parts_of,
    remembered,
    start_sending,
    successor_of,
)
from forwarder.outbox.lanes import (
    DUE_LANES,
    LET_GO,
    TAKE_LANE,
    due_lanes,
    release,
    renew,
    still_ours,
    switch_route,
    take_lane,
)
from forwarder.outbox.results import ended_without_success, note_wait, record, record_sent
from forwarder.outbox.values import (
    BULK,
    FIX,
    LEASE_SECONDS,
    LIVE,
    CopyOf,
    Due,
    Job,
    LaneHeld,
    Nothing,
    Part,
    Result,
    Worker,
    random_id,
)

__all__ = [
    "BULK",
    "DUE_LANES",
    "FIX",
    "LEASE_SECONDS",
    "LET_GO",
    "LIVE",
    "NEXT_JOB",
    "TAKE_LANE",
    "CopyOf",
    "Due",
    "Job",
    "LaneHeld",
    "Nothing",
    "Part",
    "Result",
    "Worker",
    "answered_copy",
    "copies_of",
    "due_lanes",
    "ended_without_success",
    "job_of",
    "known_copies",
    "next_job",
    "note_wait",
    "parts_of",
    "random_id",
    "record",
    "record_sent",
    "release",
    "remembered",
    "renew",
    "start_sending",
    "still_ours",
    "successor_of",
    "switch_route",
    "take_lane",
]
