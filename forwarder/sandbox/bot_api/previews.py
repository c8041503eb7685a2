"""Link previews: which one a text gets, and how a message tells of it (LinkPreviewOptions)."""

from __future__ import annotations

from dataclasses import replace

from forwarder.sandbox.world import Content, Message, WebPage
from forwarder.sandbox.world.detect import first_link

from .arguments import Arguments

Json = dict[str, object]


def with_preview(arguments: Arguments, content: Content) -> Content:
    """A text with the preview that the request asks for, else that of its first link, unless none is wanted."""
    options = arguments.nested(arguments.mapping("link_preview_options"))
    content = replace(content, inverted=options.flag("show_above_text"))
    url = options.text("url") or first_link(content.text, content.entities)
    if options.flag("is_disabled") or not url:
        return content
    large = (
        True if options.flag("prefer_large_media") else False if options.flag("prefer_small_media") else None
    )
    return replace(content, page=WebPage(url, large))


def preview_json(message: Message) -> Json:
    """What a message shows of its preview; empty for what Telegram does by itself."""
    link = first_link(message.text, message.entities)
    shown: Json = {}
    if message.page is None:
        return {"is_disabled": True} if link and message.media is None else {}
    if message.page.url != link:
        shown["url"] = message.page.url
    if message.page.large is not None:
        shown["prefer_large_media" if message.page.large else "prefer_small_media"] = True
    if message.inverted:
        shown["show_above_text"] = True
    return shown
