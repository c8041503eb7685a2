"""Formatted text: HTML and MarkdownV2 into text with entities, and entities from and to JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser

from forwarder.sandbox.world import Entity
from forwarder.sandbox.world.detect import with_found
from forwarder.sandbox.world.messages import utf16_length

from .arguments import Arguments, JsonObject
from .errors import bad_request

_TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "code": "code",
    "pre": "pre",
    "a": "text_link",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
    "span": "spoiler",
}
_MENTION = re.compile(r"tg://user\?id=(\d+)")
_MARKS = (("__", "underline"), ("||", "spoiler"), ("*", "bold"), ("_", "italic"), ("~", "strikethrough"))
_RESERVED = frozenset("_*[]()~`>#+-=|{}.!")


def formatted(arguments: Arguments, text_name: str, entities_name: str) -> tuple[str, tuple[Entity, ...]]:
    """Text and entities of a request, by its ``parse_mode`` or its list of entities; what is found is
    added.
    """
    text = arguments.text(text_name)
    mode = arguments.text("parse_mode").lower()
    if mode == "html":
        text, entities = parse_html(text)
    elif mode == "markdownv2":
        text, entities = parse_markdown(text)
    elif mode in ("", "none"):
        entities = tuple(
            entity_from_json(one) for one in arguments.sequence(entities_name) if isinstance(one, dict)
        )
    else:
        raise bad_request("unsupported parse_mode")
    return text, with_found(text, entities)


def link_entity(url: str, offset: int, length: int) -> Entity:
    """A text link; one to a user's id is a mention."""
    mention = _MENTION.match(url)
    if mention:
        return Entity("text_mention", offset, length, user=int(mention.group(1)))
    return Entity("text_link", offset, length, url=url)


@dataclass(slots=True)
class _Open:
    tag: str
    kind: str
    offset: int
    url: str = ""
    language: str = ""
    emoji: int = 0


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.parts: list[str] = []
        self.length = 0
        self.open: list[_Open] = []
        self.entities: list[Entity] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            offset = self.getpos()[1]
            raise bad_request(f'can\'t parse entities: Unsupported start tag "{tag}" at byte offset {offset}')
        values = {name: value or "" for name, value in attrs}
        kind = "expandable_blockquote" if tag == "blockquote" and "expandable" in values else _TAGS[tag]
        language = values.get("class", "").removeprefix("language-") if tag == "code" else ""
        emoji = values.get("emoji-id", "")
        self.open.append(
            _Open(
                tag, kind, self.length, values.get("href", ""), language, int(emoji) if emoji.isdigit() else 0
            )
        )

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1].tag != tag:
            expected = f', expected "</{self.open[-1].tag}>"' if self.open else ""
            raise bad_request(f'can\'t parse entities: Unmatched end tag "</{tag}>"{expected}')
        self._close(self.open.pop())

    def _close(self, tag: _Open) -> None:
        length = self.length - tag.offset
        if not length:
            return
        if tag.kind == "code" and tag.language and self.open and self.open[-1].tag == "pre":
            self.open[-1].language = tag.language
        elif tag.kind == "text_link":
            if tag.url:
                self.entities.append(link_entity(tag.url, tag.offset, length))
        else:
            self.entities.append(
                Entity(tag.kind, tag.offset, length, language=tag.language, custom_emoji=tag.emoji)
            )

    def handle_data(self, data: str) -> None:
        self.parts.append(data)
        self.length += utf16_length(data)

    def handle_entityref(self, name: str) -> None:
        self.handle_data(unescape(f"&{name};"))

    def handle_charref(self, name: str) -> None:
        self.handle_data(unescape(f"&#{name};"))


def parse_html(text: str) -> tuple[str, tuple[Entity, ...]]:
    """HTML style of https://core.telegram.org/bots/api#html-style. Raises 400 "can't parse entities"."""
    parser = _Html()
    parser.feed(text)
    parser.close()
    if parser.open:
        raise bad_request(
            f"can't parse entities: Can't find end tag corresponding to start tag \"{parser.open[-1].tag}\""
        )
    return "".join(parser.parts), _ordered(parser.entities)


@dataclass(slots=True)
class _Markdown:
    """One walk over a MarkdownV2 text."""

    source: str
    at: int = 0
    out: list[str] = field(default_factory=list)
    length: int = 0
    open: dict[str, int] = field(default_factory=dict)
    entities: list[Entity] = field(default_factory=list)
    links: list[int] = field(default_factory=list)

    def put(self, text: str) -> None:
        self.out.append(text)
        self.length += utf16_length(text)

    def step(self) -> None:
        source, at = self.source, self.at
        if source[at] == "\\" and at + 1 < len(source):
            self.put(source[at + 1])
            self.at += 2
        elif source[at] == "`":
            self._code()
        elif source[at] == "[":
            self.links.append(self.length)
            self.at += 1
        elif source[at] == "]" and self.links:
            self._link()
        elif not self._mark():
            if source[at] in _RESERVED:
                raise bad_request(
                    f"can't parse entities: Character '{source[at]}' is reserved and must be escaped "
                    f"with the preceding '\\'"
                )
            self.put(source[at])
            self.at += 1

    def _mark(self) -> bool:
        for mark, kind in _MARKS:
            if self.source.startswith(mark, self.at):
                self.at += len(mark)
                begun = self.open.pop(kind, None)
                if begun is None:
                    self.open[kind] = self.length
                elif self.length > begun:
                    self.entities.append(Entity(kind, begun, self.length - begun))
                return True
        return False

    def _code(self) -> None:
        fence = "```" if self.source.startswith("```", self.at) else "`"
        end = self.source.find(fence, self.at + len(fence))
        if end < 0:
            raise bad_request(f"can't parse entities: Can't find end of code entity at byte offset {self.at}")
        body = re.sub(r"\\(.)", r"\1", self.source[self.at + len(fence) : end])
        language = ""
        if fence == "```" and (first := re.match(r"(\w*)\n", body)):
            language, body = first.group(1), body[first.end() :]
        if body:
            kind = "pre" if fence == "```" else "code"
            self.entities.append(Entity(kind, self.length, utf16_length(body), language=language))
        self.put(body)
        self.at = end + len(fence)

    def _link(self) -> None:
        begun = self.links.pop()
        match = re.match(r"\]\(((?:\\.|[^)\\])*)\)", self.source[self.at :])
        if match is None:
            raise bad_request("can't parse entities: Can't find end of a URL")
        if self.length > begun:
            url = re.sub(r"\\(.)", r"\1", match.group(1))
            self.entities.append(link_entity(url, begun, self.length - begun))
        self.at += match.end()


def parse_markdown(text: str) -> tuple[str, tuple[Entity, ...]]:
    """MarkdownV2 of https://core.telegram.org/bots/api#markdownv2-style (without block quotations)."""
    walk = _Markdown(text)
    while walk.at < len(text):
        walk.step()
    if walk.open or walk.links:
        kind = next(iter(walk.open), "link")
        raise bad_request(f"can't parse entities: Can't find end of {kind.capitalize()} entity")
    return "".join(walk.out), _ordered(walk.entities)


def _ordered(entities: Iterable[Entity]) -> tuple[Entity, ...]:
    return tuple(sorted(entities, key=lambda entity: (entity.offset, -entity.length)))


def entity_from_json(values: JsonObject) -> Entity:
    """One MessageEntity (https://core.telegram.org/bots/api#messageentity)."""
    one = Arguments(values)
    return Entity(
        one.text("type"),
        one.number("offset"),
        one.number("length"),
        url=one.text("url"),
        user=Arguments(one.mapping("user")).number("id"),
        language=one.text("language"),
        custom_emoji=one.number("custom_emoji_id"),
    )
