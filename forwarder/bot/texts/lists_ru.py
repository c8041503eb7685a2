"""Русский: списки источников и приёмников."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "error.list_not_found": "Списка {list} нет.",
    "error.bad_list_name": "В имени списка от 1 до {most} символов, и это не число.",
    "error.list_name_taken": "Так уже называется список {number}: «{name}»; выберите другое имя.",
    "error.list_ambiguous": "Имя «{name}» у нескольких списков; назовите номер, один из {numbers}.",
    "error.not_in_list": "{title} не входит в список «{name}» с этой стороны: что в нём есть, покажет "
    "`manage.py list show {number}`.",
}
