"""English: older posts."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "button.backfill": "🕰 Older posts",
    "button.backfill.last": "Last {n}",
    "button.backfill.all": "All",
    "button.backfill.start": "🕰 Bring them",
    "button.backfill.pause": "⏸ Pause",
    "button.backfill.resume": "▶️ Go on",
    "button.backfill.stop": "⏹ Stop",
    "backfill.ask": "<b>Older posts of {source}</b>\nWhich of the posts from before mapping #{number} began? Choose, "
    "or send me a number of posts (<code>250</code>), the day to begin with (<code>2026-11-25</code>) or the number of "
    "the first post, as its link ends (<code>#1200</code>). An end may follow, which is brought too: "
    "<code>2026-11-01 - 2026-11-25</code>, <code>#1200 - #1500</code>. Days and hours are those of UTC.\n"
    "They arrive oldest first, behind new posts; what was sent already is not sent again.",
    "backfill.confirm": "<b>Older posts, mapping #{number}</b>\n{source} → {destination}\n"
    "At most {n} {n:plural:message|messages}. Bring {n:plural:it|them}?",
    "backfill.running": "🕰 <b>Older posts, mapping #{number}</b>\n{source} → {destination}",
    "backfill.paused": "⏸ <b>Older posts, mapping #{number}: paused</b>\n{source} → {destination}",
    "backfill.stopped": "⏹ <b>Older posts, mapping #{number}: stopped</b>\n{source} → {destination}",
    "backfill.done": "✅ <b>Older posts, mapping #{number}: done</b>\n{source} → {destination}",
    "backfill.numbers": "{done} of {total} {total:plural:post|posts}",
    "backfill.passed": "Passed over, as sent before or not to be sent: {n}",
    "backfill.rate": "{rate} a minute",
    "backfill.left": "About {minutes} min left",
    "backfill.mapping_paused": "The mapping is paused; it goes on when you resume it.",
    "backfill.why": "Reason: {reason}",
    "backfill.until": "Next try {when}",
    "why.backfill": "   an older post, brought by a backfill",
    "reason.backfill_paused": "the backfill is paused",
    "reason.backfill_stopped": "the backfill was stopped",
    "reason.nobody_reads": "no process holds a login that can read the source",
    "reason.page_refused": "a message of the source could not be stored; the log says more",
    "error.backfill_not_understood": "Send a number of posts, such as 250, a date, such as 2026-11-25, or the number "
    "of the first post, such as #1200. An end may follow: 2026-11-01 - 2026-11-25. Or /cancel.",
    "error.backfill_ends_early": "{range} ends before it begins. Send it the other way round, or /cancel.",
    "error.backfill_no_login": "A bot cannot read older posts by itself. Set API_ID and API_HASH, and start the user "
    "worker.",
    "error.backfill_unreadable": "None of our accounts can read the older posts of {title}: join it with the user "
    "account, then check its rights.",
    "error.backfill_mapping_off": "The mapping #{mapping} is not active: resume it first, "
    "older posts travel by it too.",
    "error.backfill_runs": "A backfill of the mapping #{mapping} has not ended yet: let it end, or stop it first.",
    "error.backfill_nothing": "There are no older posts of {title} in this range. "
    "Posts newer than the mapping travel by themselves.",
    "error.backfill_not_found": "This backfill does not exist any more.",
    "error.no_backfill": "No backfill of the mapping #{mapping} is under way.",
    "error.history_too_far": "The bot cannot look so far back by date or count. Ask for all posts, or log in a user "
    "account.",
}
