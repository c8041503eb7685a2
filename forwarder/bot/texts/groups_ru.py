"""Русский: группы приёмников, которые получают одно и то же один раз."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "channel.group": "Группа: {name}; одинаковое попадает только в один из её приёмников",
    "button.group": "🔗 Группа",
    "group": "<b>{title}</b>\n\nОдинаковые посты попадают только в один приёмник группы. Выберите группу или "
    "напишите имя новой.",
    "group.member": "• {name}: {destinations}",
    "button.group.none": "Без группы",
    "group.joined": "Теперь он в группе «{name}».",
    "group.left": "Теперь он без группы.",
    "error.not_a_destination": "{title} не приёмник; сначала добавьте его как приёмник.",
    "error.bad_group_name": "В имени группы от 1 до {most} символов.",
}
