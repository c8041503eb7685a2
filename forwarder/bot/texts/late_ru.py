"""Русский: опоздавшие посты, после простоя и когда источник слишком быстр."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "notice.outage": "🕓 <b>Связка №{number}: {n} {n:plural:пост|поста|постов} за время простоя</b>\n"
    "{source} → {destination}\n{n:plural:Он появился|Они появились|Они появились} задолго до того, как мы смогли "
    "{n:plural:его|их|их} услышать. Новые посты тем временем идут дальше.",
    "notice.outage.remedy": "решите: отправить все, последние несколько или ни одного. До тех пор они ждут.",
    "notice.line.outage": "• №{number} {source} → {destination}: {n} {n:plural:пост|поста|постов} за время простоя",
    "button.outage.all": "📨 Отправить все ({n})",
    "button.outage.last": "Последние {n}",
    "button.outage.none": "⏭ Ни одного",
    "outage.answered": "Будет отправлено: {sent}. Пропущено: {skipped}.",
    "mapping.outage": "🕓 {n:plural:Ждёт|Ждут|Ждут} вашего ответа {n} {n:plural:пост|поста|постов} за время простоя:",
    "mapping.backlog": "📈 Отстаёт: {now:plural:ждёт|ждут|ждут} {now} {now:plural:пост|поста|постов}, час назад {ago}. "
    "Источник публикует быстрее, чем приёмник может принять.",
    "mapping.backlog.shrinks": "📉 Догоняет: {now:plural:ждёт|ждут|ждут} {now} {now:plural:пост|поста|постов}, "
    "час назад {ago}.",
    "admin.outages": "Ждут ответа после простоя:",
    "admin.outage": "• №{number} {source} → {destination}: {n} {n:plural:пост|поста|постов}",
    "button.late": "🕓 Опоздавшие посты",
    "late": "<b>Опоздавшие посты связки №{number}</b>\n{source} → {destination}",
    "late.after_outage.ask": "После простоя: спросить вас, что делать с постами за это время.",
    "late.after_outage.send": "После простоя: отправить все посты за это время.",
    "late.after_outage.skip": "После простоя: пропустить посты за это время.",
    "late.catch_up": "Если источник быстрее, чем приёмник может принять: отправить все посты, пусть и поздно.",
    "late.skip": "Если источник быстрее, чем приёмник может принять: пропускать посты старше {n} ч.",
    "button.after_outage.ask": "Спросить",
    "button.after_outage.send": "Отправить",
    "button.after_outage.skip": "Пропустить",
    "button.catch_up": "Догонять всё",
    "button.skip_after": "Старше {n} ч мимо",
    "new.too_fast": "⚠️ {source} публикует около {hour} постов в час; {destination} может принять {limit}. Посты будут "
    "опаздывать: решите в «Опоздавшие посты», догонять или пропускать.",
    "reason.outage": "появился, пока никто не слушал; ждёт ответа",
    "reason.outage_skipped": "появился, пока никто не слушал, и пропущен",
    "reason.too_old": "слишком долго ждал своей очереди в приёмник",
}
