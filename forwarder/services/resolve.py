"""Ask every account of ours about one chat, and lay what they say together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from forwarder.errors import AccountNotReady, ForwarderError, InvalidRequest, NotFound
from forwarder.message import AccountKind, ChatCard
from forwarder.seam import Directory
from forwarder.services.values import Rights

KNOWN_BUT_CLOSED = frozenset({"chat_unreadable", "not_a_member"})
"""Refusals of a directory that say: the chat exists, this account is not in it."""

CANNOT_OPEN_INVITE = "bot_cannot_use_invite"
"""What a bot says to an invite link: it tells nothing about the chat."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What the accounts said about one chat.

    ``cards`` are the answers; ``refused`` the accounts that do not know the chat or are not in it;
    ``silent`` those that could not answer now, so that nothing may be concluded from them.
    """

    cards: Mapping[AccountKind, ChatCard]
    refused: Mapping[AccountKind, InvalidRequest] = field(default_factory=dict)
    silent: Mapping[AccountKind, ForwarderError] = field(default_factory=dict)

    @property
    def card(self) -> ChatCard:
        """One card from all: facts of the chat from whoever reads it, the user account first."""
        order = sorted(
            self.cards.items(), key=lambda item: (not item[1].may_read, item[0] is AccountKind.BOT)
        )
        cards = [card for _, card in order]
        return replace(
            cards[0],
            protected=any(card.protected for card in cards),
            forum=any(card.forum for card in cards),
            slow_mode=max(card.slow_mode for card in cards),
            username=next((card.username for card in cards if card.username), None),
            linked_chat_id=next((card.linked_chat_id for card in cards if card.linked_chat_id), None),
            migrated_to=next((card.migrated_to for card in cards if card.migrated_to), None),
        )

    def rights(self) -> dict[AccountKind, Rights]:
        """The rights of every account that gave an answer; a refusal means none."""
        found = {kind: Rights() for kind in self.refused}
        for kind, card in self.cards.items():
            found[kind] = Rights(card.may_read, card.may_post, card.may_edit, card.may_delete, card.slowed)
        return found


async def ask_accounts(directories: Mapping[AccountKind, Directory], reference: str) -> Findings:
    """Look the chat up as every account.

    What one account finds by a name or an invite link, the others are asked again by its id. A basic
    group that became a supergroup is followed to it. Raises InvalidRequest where nobody knows the chat,
    and the account's own error where nobody could answer.
    """
    findings = await _ask(directories, reference)
    if not findings.cards:
        for error in findings.refused.values():
            if error.code == "chat_migrated" and reference != str(error.fields.get("chat_id")):
                return await ask_accounts(directories, str(error.fields.get("chat_id")))
        raise _nobody(findings, reference)
    card = findings.card
    if card.migrated_to:
        return await ask_accounts(directories, str(card.migrated_to))
    again = {kind: directories[kind] for kind in findings.refused}
    if again and reference != str(card.chat_id):
        second = await _ask(again, str(card.chat_id))
        return Findings(
            cards={**findings.cards, **second.cards},
            refused={kind: error for kind, error in findings.refused.items() if kind not in second.cards},
            silent={**findings.silent, **second.silent},
        )
    return findings


async def _ask(directories: Mapping[AccountKind, Directory], reference: str) -> Findings:
    kinds = list(directories)
    answers = await asyncio.gather(
        *(directories[kind].look_up(reference) for kind in kinds), return_exceptions=True
    )
    cards: dict[AccountKind, ChatCard] = {}
    refused: dict[AccountKind, InvalidRequest] = {}
    silent: dict[AccountKind, ForwarderError] = {}
    for kind, answer in zip(kinds, answers, strict=True):
        if isinstance(answer, ChatCard):
            cards[kind] = answer
        elif isinstance(answer, InvalidRequest):
            refused[kind] = answer
        elif isinstance(answer, ForwarderError):
            silent[kind] = answer
        else:
            raise answer
    return Findings(cards, refused, silent)


def _nobody(findings: Findings, reference: str) -> ForwarderError:
    if not findings.refused:
        if findings.silent:
            return next(iter(findings.silent.values()))
        return AccountNotReady("No account can be asked: set BOT_TOKEN, or log in with `manage.py login`.")
    by_code = {error.code: error for error in findings.refused.values()}
    for code, error in by_code.items():
        if code not in KNOWN_BUT_CLOSED | {"chat_not_found", CANNOT_OPEN_INVITE}:
            return error  # the reference itself is wrong; every account says the same
    for code in sorted(KNOWN_BUT_CLOSED):
        if code in by_code:
            return by_code[code]
    if set(by_code) == {CANNOT_OPEN_INVITE}:
        return by_code[CANNOT_OPEN_INVITE]
    if findings.silent:
        return InvalidRequest(
            "chat_not_found_now",
            f"The bot does not know {reference}, and the user account does not answer right now. "
            "Start the user worker and try again, or add the bot to the chat.",
            reference=reference,
        )
    return NotFound(
        "chat_not_found",
        f"No chat is found by {reference}. Check the name or link; "
        "a private chat must have the bot or the user account as a member.",
        reference=reference,
    )
