"""Russian: older posts."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "button.backfill": "🕰 Старые посты",
    "button.backfill.last": "Последние {n}",
    "button.backfill.all": "Все",
    "button.backfill.start": "🕰 Перенести",
    "button.backfill.pause": "⏸ Пауза",
    "button.backfill.resume": "▶️ Продолжить",
    "button.backfill.stop": "⏹ Остановить",
    "backfill.ask": "<b>Старые посты из {source}</b>\nКакие посты, вышедшие до начала связки №{number}, перенести? "
    "Выберите или пришлите число постов (<code>250</code>), день, с которого начать (<code>2026-11-25</code>), или "
    "номер первого поста из конца его ссылки (<code>#1200</code>). Можно указать и конец, он тоже войдёт: "
    "<code>2026-11-01 - 2026-11-25</code>, <code>#1200 - #1500</code>. Дни и часы считаются по UTC.\n"
    "Они придут от старых к новым, пропуская новые посты вперёд; уже отправленное не повторится.",
    "backfill.confirm": "<b>Старые посты, связка №{number}</b>\n{source} → {destination}\n"
    "Не больше {n} {n:plural:сообщения|сообщений|сообщений}. Перенести?",
    "backfill.running": "🕰 <b>Старые посты, связка №{number}</b>\n{source} → {destination}",
    "backfill.paused": "⏸ <b>Старые посты, связка №{number}: пауза</b>\n{source} → {destination}",
    "backfill.stopped": "⏹ <b>Старые посты, связка №{number}: остановлено</b>\n{source} → {destination}",
    "backfill.done": "✅ <b>Старые посты, связка №{number}: готово</b>\n{source} → {destination}",
    "backfill.numbers": "{done} из {total} {total:plural:поста|постов|постов}",
    "backfill.passed": "Пропущено (отправлено раньше или не отправляется): {n}",
    "backfill.rate": "{rate} в минуту",
    "backfill.left": "Осталось около {minutes} мин",
    "backfill.mapping_paused": "Связка на паузе; перенос пойдёт дальше, когда вы её возобновите.",
    "backfill.why": "Причина: {reason}",
    "backfill.until": "Следующая попытка: {when}",
    "why.backfill": "   старый пост, перенесён отдельно",
    "reason.backfill_paused": "перенос старых постов на паузе",
    "reason.backfill_stopped": "перенос старых постов остановлен",
    "reason.nobody_reads": "ни один процесс не держит вход, который может читать источник",
    "reason.page_refused": "одно из сообщений источника не удалось сохранить; подробности в журнале",
    "error.backfill_not_understood": "Пришлите число постов, например 250, день, например 2026-11-25, или номер "
    "первого поста, например #1200. Можно указать и конец: 2026-11-01 - 2026-11-25. Или /cancel.",
    "error.backfill_ends_early": "Промежуток {range} кончается раньше, чем начинается. Пришлите его наоборот или "
    "/cancel.",
    "error.backfill_no_login": "Сам бот не может читать старые посты. Задайте API_ID и API_HASH и запустите "
    "процесс аккаунта.",
    "error.backfill_unreadable": "Ни один наш аккаунт не может читать старые посты {title}: вступите туда аккаунтом "
    "и проверьте права.",
    "error.backfill_mapping_off": "Связка №{mapping} не работает: сначала возобновите её, старые посты идут по ней же.",
    "error.backfill_runs": "Перенос по связке №{mapping} ещё не закончен: дождитесь конца или остановите его.",
    "error.backfill_nothing": "В этом промежутке нет старых постов {title}. "
    "Посты новее связки приходят сами.",
    "error.backfill_not_found": "Этого переноса больше нет.",
    "error.no_backfill": "По связке №{mapping} ничего не переносится.",
    "error.history_too_far": "Бот не может заглянуть так далеко по дате или числу. Выберите все посты или войдите "
    "аккаунтом.",
}
