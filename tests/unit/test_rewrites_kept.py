"""A rewrite that a delivery keeps is read back as it was."""

from __future__ import annotations

import pytest

from forwarder.message import Button, Entity, Kind, Look, NewPart, Rewrite
from forwarder.outbox.rewrites import rewrite_from, rewrite_json

PART = NewPart(
    1, Kind.PHOTO, "Кот 😀", (Entity("text_link", 0, 3, url="https://e.org"),), True,
    Look(preview_hidden=True, inverted=True), spoiler=True, cover=True, file_id="f",
)  # fmt: skip


@pytest.mark.parametrize(
    "rewrite",
    [
        Rewrite((PART,)),
        Rewrite((PART, NewPart(2, Kind.VIDEO)), NewPart(1, Kind.TEXT, "rest"), captions_follow=True),
        Rewrite((NewPart(3, Kind.TEXT, "x"),), button=Button("Source", "https://e.org")),
    ],
)
def test_it_is_read_back(rewrite: Rewrite) -> None:
    assert rewrite_from(rewrite_json(rewrite)) == rewrite


def test_other_details_and_none_at_all_are_no_rewrite() -> None:
    assert rewrite_json(None) is None
    assert rewrite_from(None) is None
    assert rewrite_from('{"rule": "x", "words": []}') is None
