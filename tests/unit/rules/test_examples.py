"""Help and texts know every verb, condition and outcome, in both languages."""

from __future__ import annotations

from typing import Any

import pytest

from forwarder.bot.texts import TEXTS
from forwarder.models import Language
from forwarder.rules import CONDITIONS, PROBLEMS, VERBS, parse
from forwarder.rules.examples import CONDITION_EXAMPLES, VERB_EXAMPLES


@pytest.mark.parametrize(("verb", "value"), VERB_EXAMPLES.items())
def test_the_example_of_a_verb_is_a_rule(verb: str, value: Any) -> None:
    assert parse({"rules": [{verb: value}]}).rules[0].verb == verb


@pytest.mark.parametrize(("condition", "value"), CONDITION_EXAMPLES.items())
def test_the_example_of_a_condition_is_one(condition: str, value: Any) -> None:
    assert parse({"rules": [{"deny": {condition: value}}]}).filters


def test_no_verb_and_no_condition_is_without_an_example() -> None:
    assert (set(VERB_EXAMPLES), set(CONDITION_EXAMPLES)) == (set(VERBS), set(CONDITIONS))


@pytest.mark.parametrize("language", list(Language))
def test_everything_that_rules_say_has_words(language: Language) -> None:
    wanted = (
        {f"rule.{verb}" for verb in VERBS}
        | {f"condition.{condition}" for condition in CONDITIONS}
        | {f"error.{code}" for code in PROBLEMS}
        | {f"refused.{reason}" for reason in ("denied", "denied.words", "not_allowed", "nothing_left")}
    )
    assert wanted - set(TEXTS[language]) == set()
