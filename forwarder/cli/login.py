"""``login``: the user account's logins, and the bot's own over MTProto."""

from __future__ import annotations

import asyncio
import sys

import click
from cryptography.fernet import Fernet

from forwarder.cli.ground import tool_settings, with_database
from forwarder.errors import SettingsError
from forwarder.settings import Need, Settings

PROMPTS = {
    "phone": "Phone number of the user account, with country code",
    "code": "The code that Telegram has just sent to that account",
    "password": "Two-step verification password (not shown)",
}
"""By the values of ``telegram.login.Question``; KINDS by those of ``LoginName``."""
KINDS = {"listener": "to listen", "sender": "to send", "bot": "of the bot"}


@click.command()
def login() -> None:
    """Log the user account in: once by a code, then by itself for each process that needs a login.

    Harmless to run again: only what is missing is made. Needs API_ID, API_HASH and ENCRYPTION_KEY.
    """
    settings = tool_settings()
    _offer_key(settings)
    settings.require(Need.USER)
    from forwarder.processes.logins import make_logins  # Telethon: half a second that --help need not take

    for made in with_database(settings, lambda db: make_logins(settings, db, _ask, _tell)):
        state = "made" if made.fresh else "there already"
        name = f"@{made.username}" if made.username else f"account {made.telegram_id}"
        click.echo(f"The login {KINDS[made.name]} is {state}: {name}.")
    click.echo("Start `manage.py run` now.")


def _offer_key(settings: Settings) -> None:
    if settings.encryption_key is not None:
        return
    click.echo(
        "Logins are kept encrypted. Put this line into .env, keep a copy, and run the command again:\n\n"
        f"ENCRYPTION_KEY={Fernet.generate_key().decode()}\n",
        err=True,
    )
    raise SettingsError(
        "\n".join(["The login is refused without a key:", *(f"  * {m}" for m in settings.missing(Need.USER))])
    )


async def _ask(question: str) -> str:
    hidden = question == "password" and sys.stdin.isatty()
    answer = await asyncio.to_thread(click.prompt, PROMPTS[question], hide_input=hidden, err=True)
    return str(answer)


async def _tell(sentence: str) -> None:
    click.echo(sentence, err=True)
