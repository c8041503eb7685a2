"""Posts become rows: the one place where what was heard enters the outbox.

``receive`` runs in one transaction: messages and posts, the listener's mark, and one delivery for each
mapping of each post that is complete. Only after its commit may an update be confirmed to Telegram, and only
then are bells rung. The sources concerned are locked first, in the order of their ids, so that two listeners
that hear the same source take turns; each row is unique, so hearing a message twice changes nothing.
"""

from forwarder.ingest.hearing import Ingest, Received, chat_of
from forwarder.ingest.sources import source_chats

__all__ = ["Ingest", "Received", "chat_of", "source_chats"]
