"""English: groups of destinations that get the same content once."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "channel.group": "Group: {name}: what is the same goes to one of its destinations only",
    "button.group": "🔗 Group",
    "group": "<b>{title}</b>\n\nPosts that are the same go to one destination of a group only. Choose a group, or "
    "write the name of a new one.",
    "group.member": "• {name}: {destinations}",
    "button.group.none": "No group",
    "group.joined": "It is in the group “{name}” now.",
    "group.left": "It is in no group now.",
    "error.not_a_destination": "{title} is no destination; add it as one first.",
    "error.bad_group_name": "A group's name has 1 to {most} characters.",
}
