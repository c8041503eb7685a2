"""Rules: what passes, what changes, and when it goes. Pure functions over a source post.

``parse`` reads a set and refuses what could fail later, with its place; ``decide`` says what becomes of a post;
``when`` says when it goes; ``content_hash`` says whether two posts are the same.
"""

from forwarder.rules.content import content_hash
from forwarder.rules.decide import Context, Outcome, Part, Passed, Refused, Rest, decide, linked_posts
from forwarder.rules.problems import PROBLEMS, wrong
from forwarder.rules.read_conditions import CONDITIONS
from forwarder.rules.read_verbs import VERBS
from forwarder.rules.rewriting import button_of, new_parts, rewrite_of
from forwarder.rules.ruleset import NO_RULES, Rule, Rules, check_rule, check_times, parse, read_json, to_json
from forwarder.rules.when import Counters, Decision, Hold, NotBefore, Now, Withdraw, when

__all__ = [
    "CONDITIONS",
    "NO_RULES",
    "PROBLEMS",
    "VERBS",
    "Context",
    "Counters",
    "Decision",
    "Hold",
    "NotBefore",
    "Now",
    "Outcome",
    "Part",
    "Passed",
    "Refused",
    "Rest",
    "Rule",
    "Rules",
    "Withdraw",
    "button_of",
    "check_rule",
    "check_times",
    "content_hash",
    "decide",
    "linked_posts",
    "new_parts",
    "parse",
    "read_json",
    "rewrite_of",
    "to_json",
    "when",
    "wrong",
]  # fmt: skip
