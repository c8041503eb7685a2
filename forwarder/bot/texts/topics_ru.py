"""Texts about topics of forums, in Russian."""

from __future__ import annotations

TEXTS = {
    "new.topic.source": "<b>{title}</b> — форум. Из какой темы? Нажмите на неё или пришлите ссылку на тему.",
    "new.topic.destination": "<b>{title}</b> — форум. В какую тему? Нажмите на неё или пришлите ссылку на тему.",
    "button.all_topics": "📚 Все темы",
    "button.general_topic": "💬 General",
    "topic.number": "Тема {topic}",
    "error.not_a_forum": "В {title} нет тем: это не форум. Уберите тему или включите темы в настройках группы и "
    "нажмите «Проверить права» в её карточке.",
    "error.no_such_topic": "В {title} нет темы {topic}. Откройте тему в Telegram и скопируйте ссылку на неё.",
    "error.not_a_topic": "Это не ссылка на тему в {title}. Откройте тему в Telegram и скопируйте ссылку на неё.",
}
