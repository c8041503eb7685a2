"""Where a dialog of several steps stands; kept in the person's row, so that a restart does not forget it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from forwarder.bot.cb import Side, Step
from forwarder.message import Mode


@dataclass(frozen=True, slots=True)
class Adding:
    """The person is asked which chat to add."""

    side: Side


@dataclass(frozen=True, slots=True)
class Backfilling:
    """The person is asked which older posts of a mapping to bring."""

    mapping_id: int


@dataclass(frozen=True, slots=True)
class Grouping:
    """The person is asked for the group of a destination, whose card stands on this page of the list."""

    channel_id: int
    page: int = 0


@dataclass(frozen=True, slots=True)
class ChosenTopic:
    """The topic of a forum that was chosen; 0 is all of them as a source, and General as a destination."""

    channel_id: int
    topic_id: int = 0
    title: str = ""


NO_TOPIC = ChosenTopic(0)


@dataclass(frozen=True, slots=True)
class Draft:
    """Mappings that are being put together; ``page`` is the page of the list being chosen from.

    ``forum`` is the channel whose topic is asked for, in the steps about topics; ``answered`` the newest message
    that has answered such a question.
    """

    step: Step = Step.SOURCES
    sources: tuple[int, ...] = ()
    destinations: tuple[int, ...] = ()
    mode: Mode = Mode.FORWARD
    page: int = 0
    source_topics: tuple[ChosenTopic, ...] = ()
    destination_topics: tuple[ChosenTopic, ...] = ()
    forum: int = 0
    answered: int = 0

    @property
    def chosen(self) -> tuple[int, ...]:
        """What is ticked in the list of this step."""
        return self.sources if self.step is Step.SOURCES else self.destinations

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        return tuple((source, destination) for source in self.sources for destination in self.destinations)

    def source_topic(self, channel_id: int) -> ChosenTopic:
        return next((one for one in self.source_topics if one.channel_id == channel_id), NO_TOPIC)

    def destination_topic(self, channel_id: int) -> ChosenTopic:
        return next((one for one in self.destination_topics if one.channel_id == channel_id), NO_TOPIC)


Dialog = Adding | Backfilling | Grouping | Draft


def to_json(dialog: Dialog) -> dict[str, object]:
    if isinstance(dialog, Adding):
        return {"name": "adding", "side": dialog.side.value}
    if isinstance(dialog, Backfilling):
        return {"name": "backfilling", "mapping": dialog.mapping_id}
    if isinstance(dialog, Grouping):
        return {"name": "grouping", "channel": dialog.channel_id, "page": dialog.page}
    return {
        "name": "draft",
        "step": dialog.step.value,
        "sources": list(dialog.sources),
        "destinations": list(dialog.destinations),
        "mode": dialog.mode.value,
        "page": dialog.page,
        "source_topics": [asdict(one) for one in dialog.source_topics],
        "destination_topics": [asdict(one) for one in dialog.destination_topics],
        "forum": dialog.forum,
        "answered": dialog.answered,
    }


def from_json(stored: Mapping[str, object] | None) -> Dialog | None:
    """The dialog that was stored; None for none, or for one that this version does not know."""
    if stored is None:
        return None
    try:
        if stored["name"] == "adding":
            return Adding(Side(str(stored["side"])))
        if stored["name"] == "backfilling":
            return Backfilling(int(str(stored["mapping"])))
        if stored["name"] == "grouping":
            return Grouping(int(str(stored["channel"])), int(str(stored["page"])))
        if stored["name"] == "draft":
            return Draft(
                Step(str(stored["step"])),
                _numbers(stored["sources"]),
                _numbers(stored["destinations"]),
                Mode(str(stored["mode"])),
                int(str(stored["page"])),
                _topics(stored.get("source_topics", [])),
                _topics(stored.get("destination_topics", [])),
                int(str(stored.get("forum", 0))),
                int(str(stored.get("answered", 0))),
            )
    except (KeyError, ValueError, TypeError):
        return None
    return None


def _numbers(value: object) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise TypeError(value)
    return tuple(int(item) for item in value)


def _topics(value: object) -> tuple[ChosenTopic, ...]:
    if not isinstance(value, list):
        raise TypeError(value)
    return tuple(
        ChosenTopic(int(one["channel_id"]), int(one["topic_id"]), str(one["title"])) for one in value
    )
