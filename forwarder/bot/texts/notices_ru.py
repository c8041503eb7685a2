"""Русский: что бот говорит сам и что с этим делать."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "notice.paused": "⏸ <b>Связка №{number} на паузе</b>\n{source} → {destination}",
    "notice.reason": "Причина: {reason}.",
    "notice.remedy": "Что делать: {remedy}",
    "notice.held": "{n:plural:Ждёт|Ждут|Ждут} вашего решения {n} {n:plural:пост|поста|постов}; ничего не потеряно.",
    "notice.held.none": "Новые посты будут ждать, пока вы её не возобновите; ничего не потеряно.",
    "notice.stopped.bot": "⛔️ <b>Бот {name} остановлен</b>",
    "notice.stopped.user": "⛔️ <b>Аккаунт {name} остановлен</b>",
    "notice.signed_out.bot": "⛔️ <b>Бот {name} потерял вход</b>",
    "notice.signed_out.user": "⛔️ <b>Аккаунт {name}: вход потерян</b>",
    "notice.account.waits": "Его посты ждут; ничего не потеряно.",
    "notice.quarantine": "⚠️ <b>В карантине {n} {n:plural:обновление|обновления|обновлений}</b>\n"
    "Пришло то, что не удалось сохранить ({account} {name}). Оно отложено как есть и ничему не мешает.",
    "notice.quarantine.remedy": "ошибка названа в журнале, запись <code>update_quarantined</code>. Сообщите о ней, "
    "пожалуйста.",
    "notice.unsure": "❓ <b>Связка №{number}: {n:plural:задержан|задержаны|задержано} "
    "{n} {n:plural:пост|поста|постов}</b>\n"
    "{source} → {destination}\nОтвет Telegram потерялся, и проверить, {n:plural:дошёл ли пост|дошли ли посты|"
    "дошли ли посты}, некому: {posts}.",
    "notice.unsure.post": "пост {post}",
    "notice.unsure.remedy": "загляните в приёмник и нажмите кнопку.",
    "notice.digest": "⚠️ <b>Нужно ваше внимание, всего дел: {n}</b>",
    "notice.line.paused": "• №{number} {source} → {destination} на паузе: {reason}",
    "notice.line.account": "• {account} {name} не работает: {reason}",
    "notice.line.quarantine": "• обновлений в карантине: {n}",
    "notice.line.unsure": "• №{number} {source} → {destination}: исход неизвестен у {n} "
    "{n:plural:поста|постов|постов}",
    "button.resume_send": "▶️ Возобновить и отправить",
    "button.resume_skip": "⏭ Возобновить, пропустив",
    "button.open_mapping": "🔀 Открыть связку",
    "button.start_account": "▶️ Снова в работу: {name}",
    "button.unsure_arrived": "✅ Дошло",
    "button.unsure_again": "📨 Отправить ещё раз",
    "unsure.settled": "Готово.",
    "account.started": "Снова работает.",
    "settings.alerts.on": "Оповещения об аккаунтах и связках без владельца: включены",
    "settings.alerts.off": "Оповещения об аккаунтах и связках без владельца: выключены",
    "button.alerts.on": "🔔 Включить оповещения",
    "button.alerts.off": "🔕 Выключить оповещения",
    "admin.alerts": "На паузе из-за ошибки:",
    "admin.alert": "• №{number} {source} → {destination}: {reason}",
    "admin.remedy": "   → {remedy}",
    "remedy.protected_content": "владелец источника может разрешить сохранение контента в настройках канала.",
    "remedy.no_right_to_post": "дайте боту или аккаунту право публиковать в приёмнике.",
    "remedy.restricted_there": "снимите с аккаунта ограничения в приёмнике.",
    "remedy.banned_there": "разблокируйте аккаунт в приёмнике. Если он заблокирован сразу во многих чатах, "
    "напишите с него @SpamBot.",
    "remedy.chat_unreachable": "проверьте, что оба чата существуют и бот или аккаунт в них состоит.",
    "remedy.recipient_unreachable": "получатель должен разблокировать бота и отправить ему /start.",
    "remedy.payment_required": "попросите для аккаунта бесплатное место в приёмнике или выключите связку.",
    "remedy.topic_closed": "откройте тему снова или создайте связку в другую.",
    "remedy.send_as_refused": "разрешите аккаунту публиковать в приёмнике под этим именем.",
    "remedy.no_route": "один и тот же аккаунт должен читать источник и публиковать в приёмнике: "
    "дайте боту или аккаунту оба права.",
    "remedy.unreadable": "сделайте бота администратором источника или вступите туда аккаунтом.",
    "remedy.spam_limited": "напишите с этого аккаунта @SpamBot и дождитесь снятия ограничений; "
    "затем верните его в работу.",
    "remedy.account_frozen": "откройте Telegram с этого аккаунта: там сказано, как подать апелляцию; "
    "когда его разморозят, верните его в работу.",
    "remedy.account_banned": "напишите на recover@telegram.org или выполните <code>manage.py login</code> "
    "с другим аккаунтом.",
    "remedy.session_lost": "выполните <code>manage.py login</code>; пропущенное будет получено потом.",
    "remedy.api_id_refused": "возьмите API_ID и API_HASH на my.telegram.org, выполните <code>manage.py login</code> "
    "и верните аккаунт в работу.",
    "remedy.token_refused": "скопируйте нынешний токен у @BotFather в BOT_TOKEN и перезапустите программу.",
    "remedy.token_in_use": "остановите другую программу, которая использует токен бота, и верните его в работу.",
    "remedy.webhook_set": "снимите webhook бота (deleteWebhook) и верните его в работу.",
}
