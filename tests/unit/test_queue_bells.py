"""Bells: which queue and priority a lane's work rings, and how lanes share a task."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from forwarder.message import AccountKind
from forwarder.outbox import BULK, FIX, LIVE, Due
from forwarder.services.queue import LANES_PER_TASK, bells_of

BOT, USER = AccountKind.BOT, AccountKind.USER

dues = st.lists(
    st.builds(
        Due,
        mapping_id=st.integers(1, 10**6),
        delivery_id=st.integers(0, 10**6),
        route=st.sampled_from(AccountKind),
        klass=st.sampled_from([FIX, LIVE, BULK]),
        important=st.booleans(),
    ),
    max_size=120,
    unique_by=lambda due: due.mapping_id,
)


def test_a_lone_lane_has_a_task_of_its_own() -> None:
    [bell] = bells_of([Due(7, 31, BOT, LIVE, important=False)])
    assert bell.lanes == ((7, 31),)


@given(dues)
def test_every_lane_rings_once_in_the_queue_of_its_route_and_class(given_: list[Due]) -> None:
    bells = bells_of(given_)
    rung = {lane: (bell.queue, bell.priority) for bell in bells for lane, _ in bell.lanes}
    assert sum(len(bell.lanes) for bell in bells) == len(given_) == len(rung)
    assert all(0 < len(bell.lanes) <= LANES_PER_TASK for bell in bells)
    for due in given_:
        queue, priority = rung[due.mapping_id]
        assert queue == f"{due.route.value}.{'bulk' if due.klass == BULK else 'live'}"
        assert priority == {FIX: 0, LIVE: 3 if due.important else 6, BULK: 9}[due.klass]


def test_the_lanes_of_a_burst_share_tasks() -> None:
    bells = bells_of([Due(n, n, USER, LIVE, important=False) for n in range(60)])
    assert [len(bell.lanes) for bell in bells] == [25, 25, 10]
