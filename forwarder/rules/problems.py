"""What can be wrong with rules as people write them: one sentence each, shared by the command line and the bot.

``{place}`` says where, as a path: ``rules[2].deny.words[1]``, counted from 1.
"""

from __future__ import annotations

from collections.abc import Mapping

from forwarder.errors import InvalidRequest

PROBLEMS: Mapping[str, str] = {
    "rule_bad_json": "This is no JSON: {reason}, line {line}, column {column}. Texts stand in "
    '"double quotes", and a backslash in them is written twice.',
    "rule_word_twice": "“{word}” stands twice in one object, and only one of them would count: write each word once.",
    "rule_not_object": "{place}: write an object, such as {example}.",
    "rule_unknown_word": "{place}: “{word}” is not known here; known are {known}.",
    "rule_verb_missing": "{place}: say what the rule does, with exactly one of {known}.",
    "rule_condition_missing": "{place}: write one condition; several stand together as {example}. Known are {known}.",
    "rule_word_missing": "{place}: “{word}” is missing.",
    "rule_not_text": "{place}: write a text of 1 to {most} characters.",
    "rule_not_seen": "{place}: nothing of this text is seen, and Telegram takes it for none; write one that is seen.",
    "rule_odd_character": "{place}: the text has a character that cannot be stored or sent.",
    "rule_not_number": "{place}: write a whole number from {least} to {most}.",
    "rule_not_flag": "{place}: write true or false.",
    "rule_not_true": "{place}: write true; to do without it, remove the rule.",
    "rule_not_list": "{place}: write a list of 1 to {most}, such as {example}.",
    "rule_not_choice": "{place}: write one of {known}.",
    "rule_bad_id": "{place}: write a numeric id such as -1001234567890; names can pass to somebody else.",
    "rule_bad_name": "{place}: “{word}” cannot be one; write it without spaces, as in Telegram.",
    "rule_bad_domain": "{place}: “{word}” is no domain; write it as example.com.",
    "rule_bad_link": "{place}: “{word}” is no link; write it whole, as https://example.com/page.",
    "rule_user_link": "{place}: a button leads to nobody by number, for Telegram refuses that for most people; "
    "write https://t.me/name.",
    "rule_many_words": "{place}: these are too many words, or too long ones, for one rule; write several.",
    "rule_long_ending": "{place}: the ending is longer than {most} of Telegram's units, of which most emoji have two.",
    "rule_bad_pattern": "{place}: RE2 refuses the pattern “{pattern}”: {reason}.",
    "rule_empty_pattern": "{place}: the pattern “{pattern}” also matches nothing at all, that is, everywhere.",
    "rule_bad_group": "{place}: the pattern has no group {group}; it has {count}.",
    "rule_bad_zone": "{place}: there is no time zone “{word}”; write one as Europe/Moscow.",
    "rule_bad_time": "{place}: write a time of day as 23:00.",
    "rule_same_times": "{place}: it begins and ends at the same time.",
    "rule_never": "{place}: together with the other rules of time it leaves no moment at which a post may go.",
    "rule_empty_range": "{place}: nothing is at least {least} and at most {most}; say “min”, “max”, or both.",
    "rule_bad_tag": "{place}: the tag “{word}” is not known or not closed; known are {known}.",
    "rule_bad_field": "{place}: there is no {word}; known are {known}. A brace itself is written twice.",
    "rule_only_once": "{place}: a set has one “{word}”, and {other} is it; change or remove one of them.",
    "rule_same_name": "{place}: {other} is called “{word}” already; choose another name.",
    "rule_too_deep": "{place}: conditions go at most {most} deep.",
    "rule_no_such": "There is no rule {number}; the set has {count}.",
    "rule_bad_order": "Name every rule once, in the new order: {count} numbers, each from 1 to {count}.",
    "rule_no_target": "“{word}” is neither a mapping's number nor list:NUMBER.",
}


def wrong(code: str, **fields: object) -> InvalidRequest:
    """The error for a problem; its fields are those that the sentence mentions."""
    return InvalidRequest(code, PROBLEMS[code].format(**fields), **fields)
