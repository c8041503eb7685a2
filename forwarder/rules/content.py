"""When two posts say the same: the digest that deduplication compares."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from forwarder.message import Kind, SourceMessage
from forwarder.rules.entities import Edit, Rich, edited, from_utf16, whole_characters
from forwarder.rules.marks import BEHIND_A_LINK, LOOKS

TRACKING = re.compile(
    r"utm_.*|_openstat|y(s)?clid|[gd]clid|msclkid|fbclid|twclid|ttclid|[gw]braid|igsh(id)?|mc_[ce]id|mibextid"
    r"|erid|vero_id"
)


def content_hash(parts: Sequence[SourceMessage]) -> bytes | None:
    """Equal for posts with the same text and the same media, whatever their letters' form and case, their white
    space, and what their links carry to count readers.

    None where there is nothing to compare: no text, and media without an identity (a poll, a place, a dice). Two
    media without a caption are equal only by the media's identity.
    """
    if any(part.kind is not Kind.TEXT and part.media_id is None for part in parts):
        return None
    said = [(part.kind.value, *normalised(part), part.media_id or "") for part in parts]
    if not any(text or medium for _, text, _, medium in said):
        return None
    digest = hashlib.sha256()
    for one in said:
        digest.update("\x1f".join(one).encode() + b"\x1e")
    return digest.digest()


def normalised(part: SourceMessage) -> tuple[str, str]:
    """What a message says and where its words lead, as it is compared."""
    text = whole_characters(part.text)
    if "?" in text:
        text = LOOKS["url"].sub(_shortened, _marked_links_shortened(part).lower())
    hidden = (
        without_tracking(entity.url) for entity in part.entities if entity.type == "text_link" and entity.url
    )
    return _plain(text), whole_characters(" ".join(hidden))


def without_tracking(link: str) -> str:
    """A link without the parameters that only count where its readers come from."""
    try:
        parts = urlsplit(link)
    except ValueError:
        return link
    if not parts.query:
        return link
    kept = [
        (name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if not _tracks(name)
    ]
    return urlunsplit(parts._replace(query=urlencode(kept)))


def _marked_links_shortened(part: SourceMessage) -> str:
    """The text with what the server has marked as links, which it also does without a scheme: ``site.ru/p?a=b``."""
    rich = from_utf16(part.text, part.entities)
    edits: list[Edit] = []
    for entity in rich.entities:
        end = entity.offset + entity.length
        if entity.type == "url" and (not edits or entity.offset >= edits[-1].end):
            link = rich.text[entity.offset : end].lower()
            edits.append(Edit(entity.offset, end, Rich(without_tracking(link))))
    return edited(rich, edits).text


def _shortened(found: re.Match[str]) -> str:
    link = found[0].rstrip(BEHIND_A_LINK)
    return without_tracking(link) + found[0][len(link) :]


def _tracks(name: str) -> bool:
    return TRACKING.fullmatch(name.lower()) is not None


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())
