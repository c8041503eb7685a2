"""Older posts of a source, brought behind all live ones.

A run is a row first (``backfills``): whoever asks writes it and is done. The process that holds the account's login
reads the source page by page, never more ahead than a window, and moves the run's cursor in the transaction that
stores a page: after any crash it goes on behind what was stored. Nothing is doubled, because a message is one row and a
mapping has one delivery of a post, and because the ids of what retention has forgotten are remembered.
"""

from forwarder.backfill.runner import Backfiller
from forwarder.backfill.service import BackfillService, SpanDesk
from forwarder.backfill.values import BackfillView, Plan

__all__ = ["BackfillService", "BackfillView", "Backfiller", "Plan", "SpanDesk"]
