"""How far a mark may move, and which posts are complete: for every order of arrival."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from forwarder.collect import ALBUM_PARTS, ALBUM_SILENCE, Collecting, Progress, ready

ids = st.sets(st.integers(1, 60))


@given(st.integers(0, 20), st.lists(ids, max_size=6))
def test_a_mark_stands_exactly_below_the_first_hole(start: int, batches: list[set[int]]) -> None:
    progress = Progress(start)
    known = set(range(start + 1))
    for batch in batches:
        progress = progress.add(batch)
        known |= batch
        expected = next(n for n in range(start, 100) if n + 1 not in known)
        assert progress.mark == expected
        assert progress.top == max(known)


@given(st.integers(0, 20), ids, st.randoms())
def test_the_order_of_arrival_does_not_matter(start: int, heard: set[int], rng: object) -> None:
    shuffled = sorted(heard)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    one_by_one = Progress(start)
    for number in shuffled:
        one_by_one = one_by_one.add([number])
    assert one_by_one == Progress(start).add(heard)


@given(st.integers(0, 20), ids)
def test_holes_are_what_is_missing_and_filling_them_leaves_none(start: int, heard: set[int]) -> None:
    progress = Progress(start).add(heard)
    missing = {n for n in range(start + 1, max(heard | {start}) + 1) if n not in heard}
    assert set(progress.holes()) == missing
    assert list(progress.holes()) == sorted(missing)
    filled = progress.add(missing)
    assert filled.known == ()
    assert filled.mark == max(heard | {start})


@given(ids, st.integers(1, 10))
def test_holes_are_told_lowest_first_up_to_the_limit(heard: set[int], limit: int) -> None:
    progress = Progress(0).add(heard)
    assert progress.holes(limit) == progress.holes()[:limit]


def test_a_hole_of_millions_is_not_spelled_out() -> None:
    assert len(Progress(0).add([10_000_000]).holes()) == 1000


def test_ids_at_or_below_the_mark_change_nothing() -> None:
    assert Progress(10).add([3, 10]) == Progress(10)


@st.composite
def sources(draw: st.DrawFn) -> tuple[list[Collecting], int]:
    """One source's posts in order, albums and singles, and a mark anywhere among them."""
    posts: list[Collecting] = []
    next_id = 1
    for number in range(draw(st.integers(0, 8))):
        next_id += draw(st.integers(0, 2))
        parts = draw(st.integers(1, ALBUM_PARTS))
        silent = draw(st.sampled_from([0.0, 1.0, ALBUM_SILENCE, 9.0]))
        posts.append(Collecting(number, tuple(range(next_id, next_id + parts)), parts > 1, silent))
        next_id += parts
    return posts, draw(st.integers(0, next_id + 2))


@given(sources())
def test_ready_posts_are_the_first_ones_in_order_and_wholly_below_the_mark(
    given_: tuple[list[Collecting], int],
) -> None:
    posts, gate = given_
    done, again = ready(posts, gate)
    assert done == [post.post_id for post in posts[: len(done)]]
    assert all(max(post.ids) <= gate for post in posts[: len(done)])
    assert again is None or 0 < again <= ALBUM_SILENCE


@given(sources())
def test_an_open_album_is_never_delivered(given_: tuple[list[Collecting], int]) -> None:
    posts, gate = given_
    done, again = ready(posts, gate)
    if done and len(done) == len(posts):
        last = posts[-1]
        full = len(last.ids) == ALBUM_PARTS
        passed = gate > max(last.ids)
        assert not last.album or full or passed or last.silent_for >= ALBUM_SILENCE
    if again is not None:
        assert posts[len(done)].album


@given(sources(), st.integers(0, 30))
def test_a_higher_mark_never_takes_a_post_back(given_: tuple[list[Collecting], int], more: int) -> None:
    posts, gate = given_
    done, _ = ready(posts, gate)
    assert ready(posts, gate + more)[0][: len(done)] == done


def test_a_post_that_is_not_ready_holds_those_behind_it() -> None:
    posts = [Collecting(1, (1, 2), True, 0.0), Collecting(2, (5,), False, 0.0)]
    assert ready(posts, 2) == ([], ALBUM_SILENCE)
    assert ready(posts, 1) == ([], None)
    assert ready(posts, 5) == ([1, 2], None)
