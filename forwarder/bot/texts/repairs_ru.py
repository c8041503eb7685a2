"""Russian: taking back, comparing and mending."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "reason.taken_back": "отозвано вручную",
    "reason.deputy_away": "аккаунт, который должен был её удалить, не ответил",
    "error.post_not_kept": "Пост {reference} здесь неизвестен: его не было слышно, или так давно, что остались только "
    "копии. Удалите их вручную.",
    "error.nothing_to_take_back": "Отзывать нечего: копий не было или их уже нет.",
    "error.unreadable": "Ни один наш аккаунт не может читать этот чат. Сделайте бота администратором там или вступите "
    "в чат аккаунтом.",
    "error.audit_too_long": "Это {ids} номеров сообщений, а одна сверка читает не больше {most}. Выберите время позже.",
    "error.bad_minutes": "Минуты — от 1 до {most} (год).",
    "reason.restored": "стоит до сверки с каналом-получателем: база восстановлена из резервной копии",
    "remedy.restored": "администратор запускает <code>manage.py db restored --go</code>; "
    "если продолжить вручную, посты могут уйти дважды.",
    "error.not_restored": "Сначала запустите <code>manage.py db restored</code>: он всё приостановит.",
}
