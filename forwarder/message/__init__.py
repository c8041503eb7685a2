"""The words of the field as frozen values; what every room above this one speaks.

Chat ids are *marked* ids as the Bot API writes them: ``-100…`` for channels and supergroups, ``-…``
for basic groups, positive for private chats. Offsets and lengths of entities count UTF-16 code
units, as Telegram does.
"""

from forwarder.message.chats import ChatCard, Topic, is_basic_group, is_channel
from forwarder.message.heard import (
    NO_FACTS,
    PLAIN_LOOK,
    Deleted,
    Edited,
    Empty,
    Entity,
    Facts,
    Look,
    News,
    Origin,
    SourceMessage,
    look_of,
    without_nul,
)
from forwarder.message.history import Fetched, HistoryPage, Span, Unreadable, Wish
from forwarder.message.orders import (
    Button,
    DeleteOrder,
    EditOrder,
    FindOrder,
    Medium,
    NewPart,
    Remembered,
    Rewrite,
    SendOrder,
)
from forwarder.message.words import (
    FINAL_STATES,
    GENERAL_TOPIC,
    AccountKind,
    ChatKind,
    DeliveryKind,
    Heard,
    Kind,
    Mode,
    Route,
    State,
)

__all__ = [
    "FINAL_STATES",
    "GENERAL_TOPIC",
    "NO_FACTS",
    "PLAIN_LOOK",
    "AccountKind",
    "Button",
    "ChatCard",
    "ChatKind",
    "DeleteOrder",
    "Deleted",
    "DeliveryKind",
    "EditOrder",
    "Edited",
    "Empty",
    "Entity",
    "Facts",
    "Fetched",
    "FindOrder",
    "Heard",
    "HistoryPage",
    "Kind",
    "Look",
    "Medium",
    "Mode",
    "NewPart",
    "News",
    "Origin",
    "Remembered",
    "Rewrite",
    "Route",
    "SendOrder",
    "SourceMessage",
    "Span",
    "State",
    "Topic",
    "Unreadable",
    "Wish",
    "is_basic_group",
    "is_channel",
    "look_of",
    "without_nul",
]
