"""Topics of forums, as far as a bot may do something with them; it can't list them."""

from __future__ import annotations

from forwarder.sandbox.bot_api.request import Handler, Request, writable_chat

Json = dict[str, object]


def create(request: Request) -> Json:
    chat_id = writable_chat(request)
    topic = request.world.create_topic(request.bot.id, chat_id, request.arguments.text("name"))
    return {"message_thread_id": topic.id, "name": topic.title, "icon_color": topic.icon_color}


def edit(request: Request) -> bool:
    request.world.edit_topic(
        request.bot.id,
        writable_chat(request),
        _number(request),
        title=request.arguments.text("name") or None,
    )
    return True


def close(request: Request) -> bool:
    request.world.edit_topic(request.bot.id, writable_chat(request), _number(request), closed=True)
    return True


def reopen(request: Request) -> bool:
    request.world.edit_topic(request.bot.id, writable_chat(request), _number(request), closed=False)
    return True


def delete(request: Request) -> bool:
    request.world.delete_topic(request.bot.id, writable_chat(request), _number(request))
    return True


def _number(request: Request) -> int:
    return request.arguments.required_number(
        "message_thread_id", "invalid message thread identifier specified"
    )


METHODS: dict[str, Handler] = {
    "createForumTopic": create,
    "editForumTopic": edit,
    "closeForumTopic": close,
    "reopenForumTopic": reopen,
    "deleteForumTopic": delete,
}
