"""The rules of lists and of a mapping, as one set."""

from __future__ import annotations

import json
from typing import Any

from forwarder.rules import Rules
from forwarder.services.kept_rules import together

Written = list[dict[str, Any]]


def joined(own: Written, **lists: Written) -> Rules:
    """``lists`` are called ``list_1`` and so on."""
    kept = tuple((int(name[5:]), json.dumps(rules), 1) for name, rules in lists.items())
    return together(7, json.dumps({"rules": own}), kept, 3)


def names(rules: Rules) -> list[str]:
    return [rule.label for rule in rules.rules]


DENY = {"deny": {"words": ["x"]}}


def test_a_rule_with_a_name_is_called_by_it_wherever_it_is_from() -> None:
    rules = joined([{"name": "own", **DENY}], list_2=[{"name": "adverts", **DENY}])
    assert names(rules) == ["adverts", "own"]


def test_rules_that_are_called_the_same_say_which_list_they_are_of() -> None:
    adverts = [{"name": "adverts", **DENY}]
    assert names(joined(adverts, list_2=adverts)) == ["list:2 adverts", "adverts"]
    assert names(joined([], list_2=adverts, list_5=adverts)) == ["list:2 adverts", "list:5 adverts"]


def test_a_rule_without_a_name_says_whose_it_is() -> None:
    assert names(joined([DENY], list_2=[DENY])) == ["list:2 deny #1", "deny #1"]


def test_the_mappings_own_spoiler_counts_whole_and_else_the_last_lists() -> None:
    everything, media, words = ([{"spoiler": chosen}] for chosen in ("all", "media", "text"))
    assert names(joined(media, list_2=everything)) == ["spoiler #1"]
    assert names(joined([], list_2=everything, list_5=words)) == ["list:5 spoiler #1"]
    assert names(joined([*media, *words], list_2=everything)) == ["spoiler #1", "spoiler #2"]
    assert names(joined([DENY], list_2=everything)) == ["list:2 spoiler #1", "deny #1"]
