"""Buttons as values: what a press means, packed into Telegram's 64 bytes of callback data.

Each kind of press is a frozen dataclass with a short code; its fields are whole numbers, truths, or enums
of text. A button keeps what it needs by id; everything else is looked up when it is pressed, so an old
button of a vanished thing is noticed and not obeyed.

A press says what shall be, never what shall be turned over, and names the question it answers: Telegram brings
the same press twice where an answer was lost (getUpdates repeats what was not confirmed), and an app sends a tap
again that met no answer, under a new number (github.com/tdlib/telegram-bot-api/issues/699). One tap is one decision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TypeVar, cast, get_type_hints

from forwarder.message import Mode
from forwarder.models import AfterOutage, Language

LONGEST = 64
"""Bytes of callback data that Telegram accepts (core.telegram.org/bots/api#inlinekeyboardbutton)."""

EVERY = 2**31 - 1
"""More posts than a mapping will ever hold."""

P = TypeVar("P", bound="Press")


class Press:
    """What a button means; the kinds below are all there are."""


KINDS: dict[str, type[Press]] = {}
CODES: dict[type[Press], str] = {}


class Side(StrEnum):
    SOURCE = "source"
    DESTINATION = "destination"


class Held(StrEnum):
    """What to do, on resuming, with what was held meanwhile."""

    ASK = "ask"
    SEND = "send"
    SKIP = "skip"


class Step(StrEnum):
    """The steps to new mappings."""

    SOURCES = "sources"
    SOURCE_TOPICS = "source_topics"
    DESTINATIONS = "destinations"
    DESTINATION_TOPICS = "destination_topics"
    MODE = "mode"
    CONFIRM = "confirm"


class Act(StrEnum):
    """What to do with a backfill."""

    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"


def press(code: str) -> Callable[[type[P]], type[P]]:
    def register(kind: type[P]) -> type[P]:
        assert code not in KINDS, code
        KINDS[code] = kind
        CODES[kind] = code
        return kind

    return register


def encode(what: Press) -> str:
    """Pack a press. Raises ValueError where Telegram would refuse the button."""
    words = [CODES[type(what)]]
    for field in fields(what):  # type: ignore[arg-type]  # every kind is a dataclass
        value = getattr(what, field.name)
        words.append(str(int(value)) if isinstance(value, bool) else str(value))
    packed = ":".join(words)
    if len(packed.encode()) > LONGEST:
        raise ValueError(f"callback data of {len(packed.encode())} bytes: {packed}")
    return packed


def decode(data: str) -> Press | None:
    """Unpack a press; None for anything that :func:`encode` did not make."""
    code, *words = data.split(":")
    kind = KINDS.get(code)
    if kind is None:
        return None
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # every kind is a dataclass
    if len(names) != len(words):
        return None
    try:
        return kind(**{name: _read(hints[name], word) for name, word in zip(names, words, strict=True)})
    except ValueError:
        return None


def _read(hint: type, word: str) -> object:
    if issubclass(hint, bool):
        return {"0": False, "1": True}[word] if word in ("0", "1") else _refuse(word)
    if issubclass(hint, int):
        return int(word) if word.lstrip("-").isdecimal() and len(word) <= 20 else _refuse(word)
    return cast("Callable[[str], object]", hint)(word)  # an enum of text


def _refuse(word: str) -> object:
    raise ValueError(word)


@press("menu")
@dataclass(frozen=True, slots=True)
class OpenMenu(Press):
    pass


@press("help")
@dataclass(frozen=True, slots=True)
class OpenHelp(Press):
    pass


@press("adm")
@dataclass(frozen=True, slots=True)
class OpenAdmin(Press):
    pass


@press("set")
@dataclass(frozen=True, slots=True)
class OpenSettings(Press):
    pass


@press("lang")
@dataclass(frozen=True, slots=True)
class SetLanguage(Press):
    language: Language


@press("al")
@dataclass(frozen=True, slots=True)
class SetAlerts(Press):
    on: bool


@press("as")
@dataclass(frozen=True, slots=True)
class StartAccount(Press):
    """Let an account that was stopped work again."""

    account_id: int


@press("un")
@dataclass(frozen=True, slots=True)
class SettleUnsure(Press):
    """What to do with a mapping's posts of unknown outcome, those that were told: send them ``again`` or count them
    as arrived. ``until`` is that of HeldUnsure."""

    mapping_id: int
    again: bool
    until: int


@press("ao")
@dataclass(frozen=True, slots=True)
class AnswerOutage(Press):
    """What to do with posts that an outage has held: send the ``last`` so many, ``EVERY`` one, or none (0)."""

    mapping_id: int
    last: int


@press("lp")
@dataclass(frozen=True, slots=True)
class OpenLate(Press):
    """What a mapping does with late posts."""

    mapping_id: int
    page: int = 0


@press("lo")
@dataclass(frozen=True, slots=True)
class SetAfterOutage(Press):
    mapping_id: int
    policy: AfterOutage
    page: int = 0


@press("ls")
@dataclass(frozen=True, slots=True)
class SetSkipAfter(Press):
    """``hours`` 0 sends all posts, however late."""

    mapping_id: int
    hours: int
    page: int = 0


@press("x")
@dataclass(frozen=True, slots=True)
class Cancel(Press):
    """Leave the dialog."""


@press("n")
@dataclass(frozen=True, slots=True)
class Nothing(Press):
    """A button that only tells something, like the number of the page."""


@press("cs")
@dataclass(frozen=True, slots=True)
class OpenChannels(Press):
    side: Side
    page: int = 0


@press("c")
@dataclass(frozen=True, slots=True)
class OpenChannel(Press):
    """``page`` is the page of the list to go back to."""

    channel_id: int
    side: Side
    page: int = 0


@press("cc")
@dataclass(frozen=True, slots=True)
class CheckChannel(Press):
    channel_id: int
    side: Side
    page: int = 0


@press("cr")
@dataclass(frozen=True, slots=True)
class RemoveChannel(Press):
    channel_id: int
    side: Side
    page: int = 0
    sure: bool = False


@press("add")
@dataclass(frozen=True, slots=True)
class AddChannel(Press):
    side: Side


@press("ms")
@dataclass(frozen=True, slots=True)
class OpenMappings(Press):
    """``channel_id`` 0 is all channels."""

    page: int = 0
    channel_id: int = 0


@press("m")
@dataclass(frozen=True, slots=True)
class OpenMapping(Press):
    mapping_id: int
    page: int = 0


@press("mp")
@dataclass(frozen=True, slots=True)
class PauseMapping(Press):
    mapping_id: int
    page: int = 0


@press("mr")
@dataclass(frozen=True, slots=True)
class ResumeMapping(Press):
    mapping_id: int
    page: int = 0
    held: Held = Held.ASK


@press("md")
@dataclass(frozen=True, slots=True)
class DisableMapping(Press):
    mapping_id: int
    page: int = 0
    sure: bool = False


@press("new")
@dataclass(frozen=True, slots=True)
class NewMapping(Press):
    """``source_id`` is chosen already when the button stands on a source's card; else 0."""

    source_id: int = 0


@press("nt")
@dataclass(frozen=True, slots=True)
class SetChoice(Press):
    """Tick a channel in the list of this side, or take the tick away."""

    channel_id: int
    side: Side
    ticked: bool


@press("np")
@dataclass(frozen=True, slots=True)
class TurnChoices(Press):
    page: int


@press("nd")
@dataclass(frozen=True, slots=True)
class ChoicesDone(Press):
    side: Side


@press("tp")
@dataclass(frozen=True, slots=True)
class ChooseTopic(Press):
    """A topic of the forum that is asked about; 0 is all of them as a source, and General as a destination."""

    topic_id: int
    forum_id: int
    side: Side


@press("nm")
@dataclass(frozen=True, slots=True)
class ChooseMode(Press):
    mode: Mode


@press("nb")
@dataclass(frozen=True, slots=True)
class StepBack(Press):
    """Back from this step to the one before it."""

    step: Step


@press("ok")
@dataclass(frozen=True, slots=True)
class ConfirmMappings(Press):
    pass


@press("b")
@dataclass(frozen=True, slots=True)
class OpenBackfill(Press):
    """The backfill of a mapping that is under way, or the question which older posts to bring."""

    mapping_id: int
    page: int = 0


@press("bp")
@dataclass(frozen=True, slots=True)
class PlanBackfill(Press):
    """Bring the newest ``last`` of the older messages; 0 is all."""

    mapping_id: int
    last: int


@press("bs")
@dataclass(frozen=True, slots=True)
class StartBackfill(Press):
    """Bring what was shown."""

    mapping_id: int
    first_id: int
    last_id: int
    total: int


@press("bc")
@dataclass(frozen=True, slots=True)
class ChangeBackfill(Press):
    backfill_id: int
    act: Act
