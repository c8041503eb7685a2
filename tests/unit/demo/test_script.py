"""The demo's script: the same for the same seed, all kinds in it, nothing in it twice."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from forwarder.demo.script import CAPTIONED, KINDS, Delete, Edit, Post, marker, write_script
from forwarder.demo.stage import DELETIONS_HEARD, DESTINATIONS, MAPPINGS, SOURCES
from forwarder.message import Mode, Route


def test_the_same_seed_gives_the_same_script() -> None:
    assert write_script(7, 60) == write_script(7, 60)
    assert write_script(7, 60) != write_script(8, 60)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 300))
def test_every_script_has_all_kinds_sources_and_albums_within_limits(seed: int, posts: int) -> None:
    steps = write_script(seed, posts)
    made = [step.act for step in steps if isinstance(step.act, Post)]
    assert sorted(post.number for post in made) == list(range(1, posts + 1))
    assert {post.kind for post in made} == set(KINDS)
    assert {post.source for post in made} == {chat.key for chat in SOURCES}
    assert all(2 <= len(post.parts) <= 10 for post in made if post.kind in ("album", "documents"))
    assert [step.at for step in steps] == sorted(step.at for step in steps)


def test_no_two_messages_have_the_same_content() -> None:
    made = [step.act for step in write_script(1, 300) if isinstance(step.act, Post)]
    contents = Counter(repr(part) for post in made for part in post.parts)
    assert contents.most_common(1)[0][1] == 1


def test_only_what_can_be_edited_is_edited_and_only_what_is_heard_of_is_deleted() -> None:
    steps = write_script(3, 300)
    posts = {step.act.number: (step.at, step.act) for step in steps if isinstance(step.act, Post)}
    edits = [(step.at, step.act) for step in steps if isinstance(step.act, Edit)]
    deletions = [(step.at, step.act) for step in steps if isinstance(step.act, Delete)]
    assert len(edits) > 20
    assert len(deletions) > 5
    for at, edit in edits:
        posted_at, post = posts[edit.number]
        assert at > posted_at
        assert post.kind in CAPTIONED
        assert marker(edit.number) in edit.text
    for at, deletion in deletions:
        posted_at, post = posts[deletion.number]
        assert at > posted_at
        assert post.source in DELETIONS_HEARD


def test_entities_count_utf16_units() -> None:
    made = [step.act for step in write_script(1, 60) if isinstance(step.act, Post)]
    part = next(post for post in made if post.kind == "formatted").parts[0]
    units = part.text.encode("utf-16-le")
    bold = next(entity for entity in part.entities if entity["type"] == "bold")
    start, length = bold["offset"], bold["length"]
    assert isinstance(start, int)
    assert isinstance(length, int)
    assert units[start * 2 : (start + length) * 2].decode("utf-16-le").startswith("№")


def test_the_stage_has_five_sources_and_twelve_mappings_of_every_kind() -> None:
    chats = {chat.key: chat for chat in (*SOURCES, *DESTINATIONS)}
    assert len(SOURCES) == 5
    assert len({(one.source, one.destination) for one in MAPPINGS}) == len(MAPPINGS) == 12
    assert {(one.mode, one.route) for one in MAPPINGS} == {
        (m, r) for m in Mode for r in (Route.BOT, Route.USER)
    }
    for one in MAPPINGS:
        by_bot = chats[one.source].bot and chats[one.destination].bot
        assert (one.route is Route.BOT) == by_bot
        assert by_bot or (chats[one.source].account and chats[one.destination].account)
