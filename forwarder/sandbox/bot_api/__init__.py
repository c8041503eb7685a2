"""The Bot API over HTTP, for an unmodified python-telegram-bot.

`door.BotApiDoor` listens; `methods` has what a bot may call; `updates` keeps what a bot has not read yet;
`views`
shows the world as JSON. Wording of errors follows the official server (github.com/tdlib/telegram-bot-api,
Client.cpp) and TDLib behind it.
"""

from .door import BotApiDoor

__all__ = ["BotApiDoor"]
