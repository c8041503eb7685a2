"""Which messages of a forum an audit of a topic's mapping counts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from forwarder.comparing.audit import is_placed, is_wanted
from tests.builders import post


@pytest.mark.parametrize(
    ("mapping", "lies_in", "counts"),
    [(0, 0, True), (0, 7, True), (7, 7, True), (7, 0, False), (7, 9, False), (1, 0, True), (1, 7, False)],
)
def test_a_posts_topic_decides_whether_the_mapping_wants_it(mapping: int, lies_in: int, counts: bool) -> None:
    terms: Any = SimpleNamespace(source_topic=mapping)
    assert is_wanted(terms, (post(1, topic_id=lies_in),)) is counts


@pytest.mark.parametrize(("mapping", "lies_in", "counts"), [(7, 7, True), (7, 0, False), (0, 0, True)])
def test_a_copys_topic_decides_whether_it_may_be_the_mappings(
    mapping: int, lies_in: int, counts: bool
) -> None:
    terms: Any = SimpleNamespace(destination_topic=mapping)
    assert is_placed(terms, post(1, topic_id=lies_in)) is counts
