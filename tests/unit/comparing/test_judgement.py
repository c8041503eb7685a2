"""What is missing, doubled, stray or out of date between a source and a destination: a table of scenes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from forwarder.comparing.judgement import How, Judgement, Match, Scene, judge
from forwarder.message import Heard, Kind, Origin, SourceMessage

SOURCE, THERE, ELSEWHERE = -1001, -1002, -1009
NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def said(number: int, words: str, **values: object) -> SourceMessage:
    """A message of the source; its id is also its minute."""
    at = NOON + timedelta(minutes=number)
    return SourceMessage(SOURCE, number, at, Kind.TEXT, Heard.POLL, words, **values)  # type: ignore[arg-type]


def copy(number: int, words: str, **values: object) -> SourceMessage:
    """A message of the destination, younger than everything in the source."""
    at = NOON + timedelta(hours=2, minutes=number)
    return replace(said(number, words, **values), chat_id=THERE, date=at)


def forward(number: int, of: SourceMessage) -> SourceMessage:
    origin = of.origin or Origin(of.chat_id, of.message_id)
    return copy(number, of.text, origin=origin, forwarded=of.forwarded or of.date)


def picture(message: SourceMessage, medium: str) -> SourceMessage:
    return replace(message, kind=Kind.PHOTO, media_id=medium)


ONE, TWO, THREE = said(1, "one"), said(2, "two"), said(3, "three")
SAME = said(4, "one")
FROM_A_PERSON = said(5, "hello", forwarded=NOON)
PART_A = picture(said(6, "a", album_id="9"), "mt:photo:1")
PART_B = picture(said(7, "", album_id="9"), "mt:photo:2")


@dataclass(frozen=True)
class Found:
    """A judgement in ids: matches and doubles as (source, copy)."""

    pairs: tuple[tuple[int, int], ...] = ()
    absent: tuple[int, ...] = ()
    partial: tuple[int, ...] = ()
    doubles: tuple[tuple[int, int], ...] = ()
    strays: tuple[tuple[int, int], ...] = ()
    stale: tuple[tuple[int, int], ...] = ()


def in_ids(judgement: Judgement) -> Found:
    def pairs(matches: tuple[Match, ...]) -> tuple[tuple[int, int], ...]:
        return tuple((match.source, match.copy) for match in matches)

    return Found(
        pairs=tuple(sorted(pairs(tuple(judgement.matches.values())))),
        absent=tuple(post[0].message_id for post in judgement.absent),
        partial=tuple(post[0].message_id for post in judgement.partial),
        doubles=pairs(judgement.doubles),
        strays=pairs(judgement.strays),
        stale=pairs(judgement.stale),
    )


SCENES: dict[str, tuple[Scene, Found]] = {
    "all arrived, and nobody has a record of it": (
        Scene(((ONE,), (TWO,)), (copy(10, "one"), copy(11, "two"))),
        Found(pairs=((1, 10), (2, 11))),
    ),
    "one is missing": (
        Scene(((ONE,), (TWO,), (THREE,)), (copy(10, "one"), copy(11, "three"))),
        Found(pairs=((1, 10), (3, 11)), absent=(2,)),
    ),
    "a record of a copy that is not there is no copy": (
        Scene(((ONE,),), (), records={10: 1}),
        Found(absent=(1,)),
    ),
    "a record that contradicts what stands there counts for nothing": (
        Scene(((ONE,), (TWO,)), (copy(10, "two"), copy(11, "one")), records={10: 1, 11: 2}),
        Found(pairs=((1, 11), (2, 10))),
    ),
    "a copy that reads differently is known by the record, and is out of date": (
        Scene(((replace(ONE, text="one, corrected", edit_date=NOON),),), (copy(10, "one"),), records={10: 1}),
        Found(pairs=((1, 10),), stale=((1, 10),)),
    ),
    "where rules change the words, a different text is not out of date": (
        Scene(((ONE,),), (copy(10, "ONE!"),), records={10: 1}, verbatim=False),
        Found(pairs=((1, 10),)),
    ),
    "without a record another text is no copy": (
        Scene(((ONE,),), (copy(10, "something else"),)),
        Found(absent=(1,)),
    ),
    "a second copy is a double, and the recorded one is kept": (
        Scene(((ONE,),), (copy(10, "one"), copy(11, "one")), records={11: 1}),
        Found(pairs=((1, 11),), doubles=((1, 10),)),
    ),
    "of two unrecorded copies the older one is kept": (
        Scene(((ONE,),), (copy(10, "one"), copy(11, "one"))),
        Found(pairs=((1, 10),), doubles=((1, 11),)),
    ),
    "two equal posts have two equal copies": (
        Scene(((ONE,), (SAME,)), (copy(10, "one"), copy(11, "one"))),
        Found(pairs=((1, 10), (4, 11))),
    ),
    "of two equal posts with one copy the later is missing": (
        Scene(((ONE,), (SAME,)), (copy(10, "one"),)),
        Found(pairs=((1, 10),), absent=(4,)),
    ),
    "a copy of another mapping is not ours": (
        Scene(((ONE,),), (copy(10, "one"),), foreign=frozenset({10})),
        Found(absent=(1,)),
    ),
    "what is older than the post is no copy of it": (
        Scene(((ONE,),), (replace(copy(10, "one"), date=NOON),)),
        Found(absent=(1,)),
    ),
    "a forward is known by its header": (
        Scene(((ONE,), (TWO,)), (forward(10, TWO), forward(11, ONE))),
        Found(pairs=((1, 11), (2, 10))),
    ),
    "a forward of a forward names the first appearance": (
        Scene(((replace(ONE, origin=Origin(ELSEWHERE, 77), forwarded=NOON),),),
              (copy(10, "one", origin=Origin(ELSEWHERE, 77), forwarded=NOON),)),
        Found(pairs=((1, 10),)),
    ),
    "a forward of somebody else's post is none of ours": (
        Scene(((ONE,),), (copy(10, "other", origin=Origin(ELSEWHERE, 1), forwarded=NOON),)),
        Found(absent=(1,)),
    ),
    "a person's post is known by what it says and the date in the header": (
        Scene(((FROM_A_PERSON,),), (copy(10, "hello", forwarded=NOON),)),
        Found(pairs=((5, 10),)),
    ),
    "a forward that was made twice is a double by its header": (
        Scene(((ONE,),), (forward(10, ONE), forward(11, ONE))),
        Found(pairs=((1, 10),), doubles=((1, 11),)),
    ),
    "a forward cannot be out of date": (
        Scene(((replace(ONE, text="corrected", edit_date=NOON),),), (forward(10, ONE),)),
        Found(pairs=((1, 10),)),
    ),
    "an album of which a part lacks is partial": (
        Scene(((PART_A, PART_B),), (picture(copy(10, "a"), "mt:photo:1"),)),
        Found(pairs=((6, 10),), partial=(6,)),
    ),
    "an album is matched part by part": (
        Scene(((PART_A, PART_B),), (picture(copy(10, "a"), "mt:photo:1"), picture(copy(11, ""), "mt:photo:2"))),
        Found(pairs=((6, 10), (7, 11))),
    ),
    "a recorded copy whose post is gone is a stray": (
        Scene(((ONE,),), (copy(10, "one"), copy(11, "gone")), records={10: 1, 11: 9}),
        Found(pairs=((1, 10),), strays=((9, 11),)),
    ),
    "what people write there is nobody's copy": (
        Scene(((ONE,),), (copy(10, "one"), copy(11, "nice post!"))),
        Found(pairs=((1, 10),)),
    ),
    "places look alike, and a second one is not called a double": (
        Scene(((replace(said(1, ""), kind=Kind.LOCATION),),),
              tuple(replace(copy(n, ""), kind=Kind.LOCATION) for n in (10, 11))),
        Found(pairs=((1, 10),)),
    ),
    "service messages are nobody's copy": (
        Scene(((ONE,),), (replace(copy(10, "one"), kind=Kind.SERVICE),)),
        Found(absent=(1,)),
    ),
}  # fmt: skip


EDITED = replace(ONE, text="newer", edit_date=NOON + timedelta(days=1))


def test_a_copy_of_what_a_post_said_before_is_found_by_what_is_remembered() -> None:
    there = (copy(10, "one"),)
    assert in_ids(judge(Scene(((EDITED,),), there, earlier={1: ("one",)}))).pairs == ((1, 10),)
    forgotten = judge(Scene(((EDITED,),), there))
    assert forgotten.absent == forgotten.doubtful == ((EDITED,),)
    assert judge(Scene(((EDITED,),), (picture(copy(10, "one"), "mt:photo:1"),))).doubtful == ()


def test_where_rules_change_the_words_any_other_text_may_be_the_copy() -> None:
    scene = Scene(((ONE,),), (copy(10, "ONE!"),), verbatim=False)
    assert judge(scene).doubtful == ((ONE,),)
    assert judge(replace(scene, verbatim=True)).doubtful == ()


@pytest.mark.parametrize("name", SCENES)
def test_what_differs(name: str) -> None:
    scene, found = SCENES[name]
    assert in_ids(judge(scene)) == found


def test_each_match_says_by_what_it_was_recognised() -> None:
    scene = Scene(((ONE,), (TWO,), (THREE,)), (forward(10, ONE), copy(11, "two"), copy(12, "three")), {11: 2})
    assert [match.how for match in judge(scene).matches.values()] == [How.HEADER, How.RECORD, How.CONTENT]


def test_ten_thousand_posts_are_compared_in_a_moment() -> None:
    posts = tuple((said(number, f"post {number}"),) for number in range(10_000))
    there = tuple(replace(part, chat_id=THERE, date=part.date + timedelta(seconds=1)) for (part,) in posts)
    judgement = judge(Scene(posts, there))
    assert len(judgement.matches) == 10_000
    assert (judgement.absent, judgement.doubles) == ((), ())
