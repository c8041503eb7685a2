"""Loops among mappings, and the route of one: pure decisions over what the tables hold."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from forwarder.message import GENERAL_TOPIC, AccountKind, Route


@dataclass(frozen=True, slots=True)
class Place:
    """A chat and a topic in it; topic 0 is the whole chat as a source, and no topic as a destination."""

    chat_id: int
    topic: int = 0


@dataclass(frozen=True, slots=True)
class Edge:
    """Posts of ``source`` appear in ``destination``: by a mapping, or by Telegram in a discussion group."""

    source: Place
    destination: Place


def feeds(arriving: Place, heard: Place) -> bool:
    """Whether a post that arrives at one place is heard by a mapping that listens at the other."""
    if arriving.chat_id != heard.chat_id:
        return False
    if heard.topic == 0 or arriving.topic == heard.topic:
        return True
    return arriving.topic == 0 and heard.topic == GENERAL_TOPIC


def closes_loop(edges: Iterable[Edge], new: Edge) -> tuple[Place, ...] | None:
    """The shortest way on which a post of ``new`` would come back to its source, or None.

    The way begins with the new edge's source and ends with the place where the post is back; a mapping
    onto itself gives a way of two places in one chat.
    """
    known = list(edges)
    ways: deque[tuple[Place, ...]] = deque([(new.source, new.destination)])
    seen = {new.destination}
    while ways:
        way = ways.popleft()
        if feeds(way[-1], new.source):
            return way
        for edge in known:
            if feeds(way[-1], edge.source) and edge.destination not in seen:
                seen.add(edge.destination)
                ways.append((*way, edge.destination))
    return None


@dataclass(frozen=True, slots=True)
class Reach:
    """What one account may do for a mapping: read its source, post to its destination."""

    kind: AccountKind
    reads_source: bool
    posts_to_destination: bool

    @property
    def carries(self) -> bool:
        return self.reads_source and self.posts_to_destination


def choose_route(wanted: Route, reaches: Sequence[Reach]) -> Route | None:
    """The route of a lane: the bot where it can carry the mapping, else the user account; None if nobody can.

    A mapping that asks for one route gets that one or none.
    """
    able = {reach.kind for reach in reaches if reach.carries}
    for route, kind in ((Route.BOT, AccountKind.BOT), (Route.USER, AccountKind.USER)):
        if kind in able and wanted in (Route.AUTO, route):
            return route
    return None
