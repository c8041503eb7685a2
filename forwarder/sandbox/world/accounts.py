"""People and bots."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BotProfile:
    """What makes an account a bot. With ``privacy`` it hears in groups only what is meant for it."""

    token: str
    owner: int | None = None
    privacy: bool = True
    can_join_groups: bool = True


@dataclass(frozen=True, slots=True)
class Account:
    """A person or a bot. ``password`` is the 2FA password of a person, None when there is none.

    ``hides_name``: forwards of what this person writes lead nowhere, they show a name only.
    """

    id: int
    first_name: str
    last_name: str = ""
    username: str | None = None
    phone: str | None = None
    password: str | None = None
    premium: bool = False
    language: str = "en"
    bot: BotProfile | None = None
    hides_name: bool = False

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()
