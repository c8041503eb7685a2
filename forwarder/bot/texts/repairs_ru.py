"""Russian: taking back, comparing and mending."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "reason.taken_back": "отозвано вручную",
    "reason.deputy_away": "аккаунт, который должен был её удалить, не ответил",
    "error.post_not_kept": "Пост {reference} здесь неизвестен: его не было слышно, или так давно, что остались только "
    "копии. Удалите их вручную.",
    "error.nothing_to_take_back": "Отзывать нечего: копий не было или их уже нет.",
    "error.not_understood": "Сообщение {number} имеет вид, который эта версия прочесть не может, поэтому сравнить "
    "ничего нельзя. Обновите программу.",
    "error.unreadable": "Ни один наш аккаунт не может читать этот чат. Сделайте бота администратором там или вступите "
    "в чат аккаунтом.",
    "error.audit_too_long": "Это {ids} номеров сообщений, а одна сверка читает не больше {most}. Выберите время позже.",
    "error.bad_minutes": "Минуты — от 1 до {most} (год).",
    "reason.restored": "стоит до сверки с каналом-получателем: база восстановлена из резервной копии",
    "remedy.restored": "администратор запускает <code>manage.py db restored --go</code>; "
    "если продолжить вручную, посты могут уйти дважды.",
    "error.not_restored": "Сначала запустите <code>manage.py db restored</code>: он всё приостановит.",
    "button.takeback": "🗑 Отозвать",
    "button.takeback_sure": "🗑 Да, удалить",
    "button.takeback_recent": "🗑 Отозвать",
    "button.minutes": "{n} мин",
    "button.hours": "{n} ч",
    "button.audit": "🔍 Сверить",
    "button.mend": "🔧 Исправить",
    "button.mend_delete": "🔧 Исправить и удалить лишние: {n}",
    "takeback.ask.minutes": "<b>Связка #{number}</b>\nЗа сколько последних минут удалить копии?",
    "takeback.ask": "<b>Удалить {n} {n:plural:копию|копии|копий}?</b> Ещё не отправлено и будет отозвано: {unsent}.",
    "takeback.line": "• #{number} {destination}: {n}",
    "takeback.line.paused": "• #{number} {destination}: {n}, когда связка будет продолжена",
    "takeback.line.disabled": "• #{number} {destination}: {n} останутся, связка отключена; удалите их вручную",
    "takeback.done": "Отзывается: {n} {n:plural:пост|поста|постов}.",
    "audit.ask": "<b>Связка #{number}</b>\nЗа сколько последних часов перечитать посты и сверить с получателем?",
    "audit.reading": "Перечитываю чаты связки #{number}…",
    "audit.title": "<b>Связка #{number} сверена</b>",
    "audit.counts": "{posts} {posts:plural:пост|поста|постов}, {copies} {copies:plural:копия|копии|копий}, не "
    "хватает: {missing}, лишних: {doubles}",
    "audit.partial": "Неполных альбомов: {n}",
    "audit.stray": "Копий удалённых постов: {n}",
    "audit.stale": "Устарело: {n}",
    "audit.unrecorded": "Есть, но не записано: {n}",
    "audit.waiting": "В пути: {n}",
    "audit.explained": "Без копии: {n} ({reason})",
    "audit.good": "✅ Всё в порядке.",
    "audit.mended": "Снова в очереди: {queued}. Удалено: {deleted}. Правок в очереди: {edited}. Записано как "
    "отправленное: {recorded}.",
    "audit.repeats": "Не поставлено в очередь, потому что то же самое уже есть у получателя от другого поста или "
    "другой связки или идёт туда: {n}.",
    "audit.unheard": "{n} {n:plural:сообщение не было|сообщения не были|сообщений не были} услышаны: их "
    "принесёт загрузка старых постов.",
}
