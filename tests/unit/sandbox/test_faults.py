"""What fault rules match, when they strike, and what they tell the door."""

from __future__ import annotations

import pytest

from forwarder.sandbox.faults import BadRule, FaultRule, Faults, error_named, rule_from_json, rule_to_json
from forwarder.sandbox.gate import GO, Call

CALL = Call("bot_api", 7, "sendMessage", chat=-1001, messages=1, params={"text": "hi"})


def test_a_rule_strikes_as_often_as_it_says_and_then_rests() -> None:
    faults = Faults()
    number = faults.add(FaultRule("cut", skip=1, times=2))
    cuts = [faults.order("before", CALL).cut for _ in range(5)]
    assert cuts == [False, True, True, False, False]
    assert faults.struck(number) == 2


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (FaultRule("drop", door="bot_api", account=7, method="send*", chat=-1001), True),
        (FaultRule("drop", params={"text": "hi"}), True),
        (FaultRule("drop", params={"text": "other"}), False),
        (FaultRule("drop", door="mtproto"), False),
        (FaultRule("drop", account=8), False),
        (FaultRule("drop", method="editMessageText"), False),
        (FaultRule("drop", chat=-1002), False),
        (FaultRule("drop", predicate=lambda call: call.messages > 1), False),
    ],
)
def test_a_rule_concerns_only_the_calls_it_describes(rule: FaultRule, expected: bool) -> None:
    assert rule.matches(CALL) is expected
    faults = Faults()
    faults.add(rule)
    assert faults.order("before", CALL).drop is expected


def test_before_and_after_are_different_moments() -> None:
    faults = Faults()
    faults.add(FaultRule("error", "after", error="RPC_CALL_FAIL"))
    assert faults.order("before", CALL) == GO
    order = faults.order("after", CALL)
    assert order.error is not None
    assert (order.error.code, order.error.name) == (500, "RPC_CALL_FAIL")


def test_chance_is_the_same_for_the_same_seed() -> None:
    def drawn(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.add(FaultRule("drop", times=None, probability=0.5))
        return [faults.order("before", CALL).drop for _ in range(64)]

    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)
    assert 10 < sum(drawn(5)) < 54


def test_a_removed_rule_strikes_no_more() -> None:
    faults = Faults()
    number = faults.add(FaultRule("cut", times=None))
    assert faults.order("before", CALL).cut
    assert faults.remove(number)
    assert not faults.remove(number)
    assert faults.order("before", CALL) == GO


def test_a_wait_may_be_written_either_way() -> None:
    for error in (error_named("FLOOD_WAIT_30"), error_named("FLOOD_WAIT_X", seconds=30)):
        assert (error.code, error.name, error.seconds, error.wire_name) == (
            420,
            "FLOOD_WAIT_X",
            30,
            "FLOOD_WAIT_30",
        )


def test_rules_travel_as_json() -> None:
    rule = FaultRule(
        "error", "after", "mtproto", 5, "messages.*", -1001, {"n": 1}, None, 2, 3, 0.5, "X_ERROR"
    )
    assert rule_from_json(rule_to_json(rule)) == rule


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"action": "explode"}, "Unknown action"),
        ({"action": "error"}, "name of the error"),
        ({"action": "drop", "colour": "red"}, "colour"),
        ({"action": "double"}, 'moment to "push"'),
        ({"action": "http"}, "status"),
        ({"action": "odd"}, 'moment to "after"'),
        ({"moment": "before"}, "needs an action"),
        ({"action": "cut", "probability": 2}, "between 0 and 1"),
    ],
)
def test_a_senseless_rule_is_refused_with_a_sentence(values: dict[str, object], words: str) -> None:
    with pytest.raises(BadRule, match=words):
        rule_from_json(values)
