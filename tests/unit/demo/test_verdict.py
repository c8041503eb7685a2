"""Each fault of a world raises its own count, and nothing else does."""

from __future__ import annotations

from dataclasses import replace

from forwarder.demo.verdict import Expected, Seen, Verdict, Way, judge
from forwarder.message import Mode

SOURCE, COPIES, FORWARDS, ELSEWHERE = -1001, -1002, -1003, -1004
WAYS = (Way(SOURCE, COPIES, Mode.COPY), Way(SOURCE, FORWARDS, Mode.FORWARD))


def message(number: int, content: str = "", album: str | None = None) -> Seen:
    return Seen(SOURCE, number, f"id{number}", content or f"text {number}", album)


POSTS = (
    Expected(1, SOURCE, (message(1),)),
    Expected(2, SOURCE, (message(2, album="a"), message(3, album="a"))),
    Expected(3, SOURCE, (message(4, "new"),), versions=("old", "new")),
    Expected(4, SOURCE, (message(5),), deleted=True),
)

World = dict[int, list[Seen]]


def copied(chat: int, offset: int, *, header: bool) -> list[Seen]:
    parts = [part for post in POSTS for part in post.messages]
    return [
        replace(
            part,
            chat=chat,
            id=part.id + offset,
            album=f"{chat}" if part.album else None,
            origin=(SOURCE, part.id) if header else None,
            deleted=part.id == 5,
        )
        for part in parts
    ]


def good_world() -> World:
    return {
        SOURCE: [part for post in POSTS for part in post.messages],
        COPIES: copied(COPIES, 10, header=False),
        FORWARDS: copied(FORWARDS, 20, header=True),
    }


def verdict(world: World) -> Verdict:
    return judge(POSTS, WAYS, world)


def only(found: Verdict, **counts: int) -> None:
    assert {name: count for name, count in found.counts().items() if count} == counts
    assert not found.good


def changed(chat: int, place: int, **values: object) -> World:
    world = good_world()
    world[chat][place] = replace(world[chat][place], **values)  # type: ignore[arg-type]
    return world


def test_a_world_where_all_went_well_is_good() -> None:
    found = verdict(good_world())
    assert found.good
    assert (found.posted, found.expected, found.delivered) == (4, 6, 6)
    assert found.faults == ()


def test_an_empty_world_loses_everything_that_was_not_deleted() -> None:
    found = verdict({SOURCE: good_world()[SOURCE]})
    only(found, lost=6)
    assert (found.expected, found.delivered) == (6, 0)


def test_a_missing_copy_is_lost() -> None:
    world = good_world()
    del world[COPIES][0]
    found = verdict(world)
    only(found, lost=1)
    assert found.delivered == 5


def test_a_copy_that_was_deleted_without_reason_is_lost() -> None:
    only(verdict(changed(COPIES, 0, deleted=True)), lost=1)


def test_a_missing_part_of_an_album_is_lost() -> None:
    world = good_world()
    del world[COPIES][2]
    only(verdict(world), lost=1)


def test_a_second_copy_is_doubled_even_when_it_was_deleted_again() -> None:
    for deleted in (False, True):
        world = good_world()
        world[COPIES].append(replace(world[COPIES][0], id=99, deleted=deleted))
        only(verdict(world), doubled=1)


def test_a_second_copy_of_a_deleted_post_is_doubled() -> None:
    world = good_world()
    world[COPIES].append(replace(world[COPIES][4], id=99))
    only(verdict(world), doubled=1)


def test_posts_in_another_order_than_the_sources_are_counted() -> None:
    world = good_world()
    world[COPIES][0] = replace(world[COPIES][0], id=98)
    found = verdict(world)
    only(found, out_of_order=2)


def test_parts_of_an_album_in_another_order_are_counted() -> None:
    world = good_world()
    first, second = world[COPIES][1:3]
    world[COPIES][1:3] = [replace(first, id=second.id), replace(second, id=first.id)]
    only(verdict(world), out_of_order=1)


def test_a_copy_that_says_something_else_has_wrong_content() -> None:
    only(verdict(changed(COPIES, 0, content="other")), wrong_content=1)


def test_a_copy_with_a_header_has_wrong_content() -> None:
    only(verdict(changed(COPIES, 0, origin=(SOURCE, 1))), wrong_content=1)


def test_a_forward_without_its_header_has_wrong_content() -> None:
    only(verdict(changed(FORWARDS, 0, origin=None)), wrong_content=1)


def test_a_copy_in_a_chat_that_no_mapping_names_is_in_the_wrong_place() -> None:
    world = good_world()
    world[ELSEWHERE] = [replace(world[COPIES][0], chat=ELSEWHERE)]
    only(verdict(world), wrong_place=1)


def test_a_message_that_nobody_posted_is_in_the_wrong_place() -> None:
    world = good_world()
    world[SOURCE].append(replace(message(77), identity="stranger"))
    only(verdict(world), wrong_place=1)


def test_an_album_in_two_pieces_is_split() -> None:
    only(verdict(changed(COPIES, 2, album=None)), album_split=1)


def test_a_single_message_in_an_album_is_split() -> None:
    only(verdict(changed(COPIES, 0, album="other")), album_split=1)


def test_an_album_with_a_message_too_many_is_split() -> None:
    only(verdict(changed(COPIES, 0, album=f"{COPIES}")), album_split=2)


def test_a_copy_with_the_text_from_before_the_edit_is_stale() -> None:
    only(verdict(changed(COPIES, 3, content="old")), stale_edit=1)


def test_a_forward_may_show_what_its_source_said_before_the_edit() -> None:
    assert verdict(changed(FORWARDS, 3, content="old")).good


def test_a_copy_that_outlives_its_source_is_undeleted() -> None:
    only(verdict(changed(COPIES, 4, deleted=False)), undeleted=1)


def test_a_post_deleted_before_it_was_sent_needs_no_copy() -> None:
    world = good_world()
    del world[COPIES][4], world[FORWARDS][4]
    assert verdict(world).good


def test_faults_are_told_in_words() -> None:
    assert verdict(changed(COPIES, 0, deleted=True)).faults == (
        "lost: post 1 in chat -1002: 1 of 1 messages",
    )
