"""English: taking back, comparing and mending."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "reason.taken_back": "taken back by hand",
    "reason.deputy_away": "the account that would have to delete it did not answer",
    "error.post_not_kept": "{reference} is not known here: it was never heard, or so long ago that only its copies are "
    "left. Delete these by hand.",
    "error.nothing_to_take_back": "There is nothing to take back: no copies were made, or they are gone.",
    "error.unreadable": "None of our accounts can read this chat. Make the bot an administrator there, or join with "
    "the user account.",
    "error.audit_too_long": "That is {ids} message ids, and one comparison reads at most {most}. Choose a later time.",
    "error.bad_minutes": "Minutes go from 1 to {most} (a year).",
    "reason.restored": "paused until it is compared with its destination: the database was restored from a backup",
    "remedy.restored": "an administrator runs <code>manage.py db restored --go</code>; "
    "resuming by hand could send posts twice.",
    "error.not_restored": "Run <code>manage.py db restored</code> first: it pauses everything.",
}
