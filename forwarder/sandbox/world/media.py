"""What a message may carry besides text. All values are frozen; files are named by their id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SpecialKind = Literal["giveaway", "paid_media", "story"]
DocumentKind = Literal["document", "video", "animation", "audio", "voice", "video_note", "sticker"]


@dataclass(frozen=True, slots=True)
class File:
    """The bytes behind a photo or document; shared by all messages that show it."""

    id: int
    content: bytes
    name: str = ""
    mime_type: str = "application/octet-stream"

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.content)


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture shown as a picture. Width and height in pixels."""

    file: int
    width: int = 640
    height: int = 480
    spoiler: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A file of any other kind. Duration in seconds, width and height in pixels."""

    file: int
    kind: DocumentKind = "document"
    name: str = ""
    mime_type: str = "application/octet-stream"
    duration: float = 0.0
    width: int = 0
    height: int = 0
    title: str = ""
    performer: str = ""
    emoji: str = ""
    spoiler: bool = False


@dataclass(frozen=True, slots=True)
class Poll:
    """A poll or quiz; ``correct`` holds the indexes of a quiz's right answers."""

    id: int
    question: str
    options: tuple[str, ...]
    quiz: bool = False
    correct: tuple[int, ...] = ()
    explanation: str = ""
    public_voters: bool = False
    multiple: bool = False
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Contact:
    phone: str
    first_name: str
    last_name: str = ""
    user_id: int = 0
    vcard: str = ""


@dataclass(frozen=True, slots=True)
class Location:
    """A point on the map, degrees; with a title it is a venue, with a ``live_period`` in seconds it moves."""

    latitude: float
    longitude: float
    title: str = ""
    address: str = ""
    live_period: int = 0


@dataclass(frozen=True, slots=True)
class Dice:
    """An animated emoji with a random value; the world draws the value when it is sent as 0."""

    emoji: str = "\N{GAME DIE}"
    value: int = 0


@dataclass(frozen=True, slots=True)
class Game:
    """A medium that can be forwarded but not copied."""

    id: int
    title: str


@dataclass(frozen=True, slots=True)
class Special:
    """What is neither written nor uploaded: it can be forwarded but not copied. ``chat`` is whose it is."""

    kind: SpecialKind
    id: int
    chat: int


Media = Photo | Document | Poll | Contact | Location | Dice | Game | Special


@dataclass(frozen=True, slots=True)
class WebPage:
    """The preview of a link below a text; ``large`` None leaves its size to the client."""

    url: str
    large: bool | None = None


def takes_caption(media: Media | None) -> bool:
    """Whether text beside this medium is shown as its caption."""
    if isinstance(media, Document):
        return media.kind not in ("sticker", "video_note")
    return isinstance(media, Photo)


def album_class(media: Media | None) -> str | None:
    """Which media may share an album: visual with visual, documents and audio only with their own kind.

    Returns None for what can't be in an album (https://core.telegram.org/api/files#albums-grouped-media).
    """
    if isinstance(media, Photo):
        return "visual"
    if isinstance(media, Document):
        return {"video": "visual", "document": "document", "audio": "audio"}.get(media.kind)
    return None


def send_right(media: Media | None) -> str:
    """The member's right that sending this needs, as in chatBannedRights."""
    if media is None:
        return "send_plain"
    if isinstance(media, Photo):
        return "send_photos"
    if isinstance(media, Poll):
        return "send_polls"
    if isinstance(media, Game):
        return "send_games"
    if isinstance(media, Document):
        return {
            "document": "send_docs",
            "video": "send_videos",
            "animation": "send_gifs",
            "audio": "send_audios",
            "voice": "send_voices",
            "video_note": "send_roundvideos",
            "sticker": "send_stickers",
        }[media.kind]
    return "send_plain"


def file_of(media: Media | None) -> int | None:
    """The id of the file that a medium shows, or None."""
    return media.file if isinstance(media, Photo | Document) else None
