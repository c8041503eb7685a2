"""Loops among mappings and the choice of a route, as pure decisions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.message import AccountKind, Route
from forwarder.services.graph import Edge, Place, Reach, choose_route, closes_loop

A, B, C, D = (Place(-1001), Place(-1002), Place(-1003), Place(-1004))


def test_a_new_pair_among_strangers_closes_nothing() -> None:
    assert closes_loop([Edge(C, D)], Edge(A, B)) is None


def test_a_mapping_onto_itself_is_the_shortest_loop() -> None:
    assert closes_loop([], Edge(A, A)) == (A, A)


def test_the_way_back_is_named_from_source_to_source() -> None:
    assert closes_loop([Edge(B, C), Edge(C, A)], Edge(A, B)) == (A, B, C, A)


def test_the_shortest_way_is_named() -> None:
    edges = [Edge(B, C), Edge(C, D), Edge(D, A), Edge(C, A)]
    assert closes_loop(edges, Edge(A, B)) == (A, B, C, A)


def test_two_sources_into_one_destination_are_no_loop() -> None:
    assert closes_loop([Edge(A, C), Edge(C, D)], Edge(B, C)) is None


def test_a_loop_elsewhere_does_not_catch_the_search() -> None:
    assert closes_loop([Edge(C, D), Edge(D, C)], Edge(A, C)) is None


@pytest.mark.parametrize(
    ("arriving", "heard", "comes_round"),
    [
        (7, 0, True),  # into a topic, heard by a mapping of the whole chat
        (7, 7, True),
        (7, 8, False),
        (0, 1, True),  # into no topic: a forum shows it in General
        (0, 8, False),
        (0, 0, True),
    ],
)
def test_a_topic_hears_only_what_arrives_in_it(arriving: int, heard: int, comes_round: bool) -> None:
    edges = [Edge(B, Place(A.chat_id, arriving))]
    assert (closes_loop(edges, Edge(Place(A.chat_id, heard), B)) is not None) is comes_round


def test_one_topic_may_feed_another_of_the_same_chat() -> None:
    assert closes_loop([], Edge(Place(-1001, 2), Place(-1001, 3))) is None


def test_a_whole_chat_may_not_feed_its_own_topic() -> None:
    assert closes_loop([], Edge(Place(-1001, 0), Place(-1001, 3))) is not None


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=20))
def test_accepting_only_what_closes_no_loop_keeps_the_graph_free_of_loops(
    pairs: list[tuple[int, int]],
) -> None:
    edges: list[Edge] = []
    for source, destination in pairs:
        new = Edge(Place(source), Place(destination))
        if closes_loop(edges, new) is None:
            edges.append(new)
    depth: dict[int, int] = dict.fromkeys(range(6), 0)
    for _ in range(7):
        for edge in edges:
            depth[edge.destination.chat_id] = max(
                depth[edge.destination.chat_id], depth[edge.source.chat_id] + 1
            )
    assert max(depth.values()) < 6


def reach(kind: AccountKind, *, reads: bool, posts: bool) -> Reach:
    return Reach(kind, reads, posts)


BOT_ABLE = reach(AccountKind.BOT, reads=True, posts=True)
USER_ABLE = reach(AccountKind.USER, reads=True, posts=True)
BOT_BLIND = reach(AccountKind.BOT, reads=False, posts=True)
USER_MUTE = reach(AccountKind.USER, reads=True, posts=False)


@pytest.mark.parametrize(
    ("wanted", "reaches", "route"),
    [
        (Route.AUTO, [BOT_ABLE, USER_ABLE], Route.BOT),
        (Route.AUTO, [BOT_BLIND, USER_ABLE], Route.USER),
        (Route.AUTO, [BOT_BLIND, USER_MUTE], None),  # between them they could, but one account must do both
        (Route.AUTO, [], None),
        (Route.USER, [BOT_ABLE, USER_ABLE], Route.USER),
        (Route.BOT, [BOT_BLIND, USER_ABLE], None),
    ],
)
def test_the_bot_carries_where_it_can_else_the_user_account(
    wanted: Route, reaches: list[Reach], route: Route | None
) -> None:
    assert choose_route(wanted, reaches) is route
