"""English: what the bot says unasked, and what to do about it."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "notice.paused": "⏸ <b>Mapping #{number} is paused</b>\n{source} → {destination}",
    "notice.reason": "Reason: {reason}.",
    "notice.remedy": "What to do: {remedy}",
    "notice.held": "{n} {n:plural:post waits|posts wait} for your decision; nothing is lost.",
    "notice.held.none": "New posts are held until you resume it; nothing is lost.",
    "notice.stopped.bot": "⛔️ <b>The bot {name} has been stopped</b>",
    "notice.stopped.user": "⛔️ <b>The user account {name} has been stopped</b>",
    "notice.signed_out.bot": "⛔️ <b>The bot {name} has lost its login</b>",
    "notice.signed_out.user": "⛔️ <b>The user account {name} is signed out</b>",
    "notice.account.waits": "Its posts wait; nothing is lost.",
    "notice.quarantine": "⚠️ <b>{n} {n:plural:update|updates} in quarantine</b>\n"
    "{account} {name} heard something that could not be stored. It is kept as it came and holds up nothing else.",
    "notice.quarantine.remedy": "the log names the error, under <code>update_quarantined</code>. Please report it.",
    "notice.unsure": "❓ <b>Mapping #{number}: {n} {n:plural:post is|posts are} held</b>\n"
    "{source} → {destination}\nTelegram's answer was lost, and nobody could see whether "
    "{n:plural:it has|they have} arrived: {posts}.",
    "notice.unsure.post": "post {post}",
    "notice.unsure.remedy": "look into the destination, then press a button.",
    "notice.digest": "⚠️ <b>{n} things need you</b>",
    "notice.line.paused": "• #{number} {source} → {destination} is paused: {reason}",
    "notice.line.account": "• {account} {name} is stopped: {reason}",
    "notice.line.quarantine": "• updates in quarantine: {n}",
    "notice.line.unsure": "• #{number} {source} → {destination}: {n} {n:plural:post|posts} of unknown outcome",
    "button.resume_send": "▶️ Resume and send",
    "button.resume_skip": "⏭ Resume and skip",
    "button.open_mapping": "🔀 Open the mapping",
    "button.start_account": "▶️ Let {name} work again",
    "button.unsure_arrived": "✅ It has arrived",
    "button.unsure_again": "📨 Send again",
    "unsure.settled": "Done.",
    "account.started": "It works again.",
    "settings.alerts.on": "Alerts about accounts and mappings without an owner: on",
    "settings.alerts.off": "Alerts about accounts and mappings without an owner: off",
    "button.alerts.on": "🔔 Turn alerts on",
    "button.alerts.off": "🔕 Turn alerts off",
    "admin.alerts": "Paused by an error:",
    "admin.alert": "• #{number} {source} → {destination}: {reason}",
    "admin.remedy": "   → {remedy}",
    # Remedies, by the code of the reason
    "remedy.protected_content": "the owner of the source can allow saving content in the channel's settings.",
    "remedy.no_right_to_post": "give the bot or the user account the right to post in the destination.",
    "remedy.restricted_there": "lift the restriction of the account in the destination.",
    "remedy.banned_there": "unban the account in the destination. If it is banned in many chats at once, "
    "ask @SpamBot from that account.",
    "remedy.chat_unreachable": "make sure that both chats exist and that the bot or the user account is a member.",
    "remedy.recipient_unreachable": "the recipient must unblock the bot and send it /start.",
    "remedy.payment_required": "ask for a place in the destination that is free of charge, or disable the mapping.",
    "remedy.topic_closed": "open the topic again, or make a mapping into another one.",
    "remedy.send_as_refused": "allow the account to post under this name in the destination.",
    "remedy.no_route": "one account must be able to read the source and to post in the destination: "
    "give the bot or the user account both rights.",
    "remedy.unreadable": "make the bot an administrator of the source, or join with the user account.",
    "remedy.spam_limited": "write to @SpamBot from this account and wait until the limit is lifted; "
    "then let it work again.",
    "remedy.account_frozen": "open Telegram with this account, which shows how to appeal; "
    "once it is free, let it work again.",
    "remedy.account_banned": "write to recover@telegram.org, or run <code>manage.py login</code> with another account.",
    "remedy.session_lost": "run <code>manage.py login</code>; what was missed is fetched afterwards.",
    "remedy.api_id_refused": "take API_ID and API_HASH from my.telegram.org, run <code>manage.py login</code>, "
    "then let it work again.",
    "remedy.token_refused": "copy the current token from @BotFather into BOT_TOKEN and restart.",
    "remedy.token_in_use": "stop the other program that uses the bot's token, then let it work again.",
    "remedy.webhook_set": "remove the bot's webhook (deleteWebhook), then let it work again.",
}
