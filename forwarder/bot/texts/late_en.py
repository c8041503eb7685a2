"""English: late posts, after an outage and behind a source that is too fast."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "notice.outage": "🕓 <b>Mapping #{number}: {n} {n:plural:post|posts} from the time when nobody listened</b>\n"
    "{source} → {destination}\n{n:plural:It appeared|They appeared} long before we could hear "
    "{n:plural:it|them}. New posts travel on meanwhile.",
    "notice.outage.remedy": "say whether to send them all, the last few, or none. Until then they wait.",
    "notice.line.outage": "• #{number} {source} → {destination}: {n} {n:plural:post|posts} from an outage",
    "button.outage.all": "📨 Send all ({n})",
    "button.outage.last": "The last {n}",
    "button.outage.none": "⏭ None",
    "outage.answered": "To be sent: {sent}. Left out: {skipped}.",
    "mapping.outage": "🕓 {n} {n:plural:post|posts} from an outage {n:plural:waits|wait} for your answer:",
    "mapping.backlog": "📈 It falls behind: {now} {now:plural:post waits|posts wait}, an hour ago {ago}. "
    "The source posts faster than the destination may receive.",
    "mapping.backlog.shrinks": "📉 It catches up: {now} {now:plural:post waits|posts wait}, an hour ago {ago}.",
    "admin.outages": "Waiting for an answer after an outage:",
    "admin.outage": "• #{number} {source} → {destination}: {n} {n:plural:post|posts}",
    "button.late": "🕓 Late posts",
    "late": "<b>Late posts of #{number}</b>\n{source} → {destination}",
    "late.after_outage.ask": "After an outage: you are asked what to do with the posts of that time.",
    "late.after_outage.send": "After an outage: all posts of that time are sent.",
    "late.after_outage.skip": "After an outage: the posts of that time are left out.",
    "late.catch_up": "Where the source is faster than the destination may receive: all posts are sent, however late.",
    "late.skip": "Where the source is faster than the destination may receive: posts older than {n} h are left out.",
    "button.after_outage.ask": "Ask me",
    "button.after_outage.send": "Send",
    "button.after_outage.skip": "Skip",
    "button.catch_up": "Catch up with all",
    "button.skip_after": "Skip after {n} h",
    "new.too_fast": "⚠️ {source} posts about {hour} times an hour; {destination} may receive {limit}. Posts will come "
    "late: choose under “Late posts” whether to catch up or to skip.",
    "reason.outage": "it appeared while nobody listened; waits for an answer",
    "reason.outage_skipped": "it appeared while nobody listened, and was left out",
    "reason.too_old": "it had waited too long for its destination",
}
