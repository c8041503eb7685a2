"""English: taking back, comparing and mending."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "reason.taken_back": "taken back by hand",
    "reason.deputy_away": "the account that would have to delete it did not answer",
    "error.post_not_kept": "{reference} is not known here: it was never heard, or so long ago that only its copies are "
    "left. Delete these by hand.",
    "error.nothing_to_take_back": "There is nothing to take back: no copies were made, or they are gone.",
    "error.not_understood": "Message {number} is in a form that this version cannot read, so nothing can be compared. "
    "Update the program.",
    "error.unreadable": "None of our accounts can read this chat. Make the bot an administrator there, or join with "
    "the user account.",
    "error.audit_too_long": "That is {ids} message ids, and one comparison reads at most {most}. Choose a later time.",
    "error.bad_minutes": "Minutes go from 1 to {most} (a year).",
    "reason.restored": "paused until it is compared with its destination: the database was restored from a backup",
    "remedy.restored": "an administrator runs <code>manage.py db restored --go</code>; "
    "resuming by hand could send posts twice.",
    "error.not_restored": "Run <code>manage.py db restored</code> first: it pauses everything.",
    "button.takeback": "🗑 Take back",
    "button.takeback_sure": "🗑 Yes, delete",
    "button.takeback_recent": "🗑 Take back",
    "button.minutes": "{n} min",
    "button.hours": "{n} h",
    "button.audit": "🔍 Compare",
    "button.mend": "🔧 Mend",
    "button.mend_delete": "🔧 Mend and delete {n} extra",
    "takeback.ask.minutes": "<b>Mapping #{number}</b>\nDelete the copies of the last how many minutes?",
    "takeback.ask": "<b>Delete {n} {n:plural:copy|copies}?</b> Not sent yet and withdrawn: {unsent}.",
    "takeback.line": "• #{number} {destination}: {n}",
    "takeback.line.paused": "• #{number} {destination}: {n}, when it is resumed",
    "takeback.line.disabled": "• #{number} {destination}: {n} stay, because the mapping is disabled; delete them by "
    "hand",
    "takeback.done": "{n} {n:plural:post is|posts are} being taken back.",
    "audit.ask": "<b>Mapping #{number}</b>\nRead the posts of the last how many hours again, and compare "
    "them with the destination?",
    "audit.reading": "Reading the chats of mapping #{number} again…",
    "audit.title": "<b>Mapping #{number} compared</b>",
    "audit.counts": "{posts} {posts:plural:post|posts}, {copies} {copies:plural:copy|copies}, {missing} "
    "missing, {doubles} double",
    "audit.partial": "Incomplete albums: {n}",
    "audit.stray": "Copies of deleted posts: {n}",
    "audit.stale": "Out of date: {n}",
    "audit.unrecorded": "There, but not recorded: {n}",
    "audit.waiting": "On their way: {n}",
    "audit.explained": "Without a copy: {n} ({reason})",
    "audit.good": "✅ All is well.",
    "audit.mended": "Queued again: {queued}. Deleted: {deleted}. Edits queued: {edited}. Recorded as sent: {recorded}.",
    "audit.repeats": "Not queued, because the same content is in the destination by another post or mapping, or on its "
    "way there: {n}.",
    "audit.unheard": "{n} {n:plural:message was|messages were} never heard: a backfill brings them.",
}
