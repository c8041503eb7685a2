"""English: lists of sources and destinations."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "error.list_not_found": "There is no list {list}.",
    "error.bad_list_name": "A list's name has 1 to {most} characters and is no number.",
    "error.list_name_taken": "The list {number} is called “{name}” already; choose another name.",
    "error.list_ambiguous": "Several lists are called “{name}”: say its number, one of {numbers}.",
    "error.not_in_list": "{title} is not in the list “{name}” in that way: "
    "`manage.py list show {number}` says what is.",
}
