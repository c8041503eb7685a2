"""What lanes, jobs and results are."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from forwarder.message import (
    PLAIN_LOOK,
    AccountKind,
    Button,
    DeliveryKind,
    Entity,
    Kind,
    Look,
    Mode,
    Rewrite,
    State,
)
from forwarder.models import CLASS_ORDER, WhenUnsure
from forwarder.pace import Place

LEASE_SECONDS = 10.0

ALONE = "one_by_one"
"""The reason of a post that shared a refused call: it belongs to no call any more, and goes by itself."""


FIX, LIVE, BULK = CLASS_ORDER["fix"], CLASS_ORDER["live"], CLASS_ORDER["bulk"]


@dataclass(frozen=True, slots=True)
class Worker:
    """Who claims: ``holder`` names the process, ``account_id`` the account it sends by."""

    holder: str
    kind: AccountKind
    account_id: int


@dataclass(frozen=True, slots=True)
class LaneHeld:
    """A lane under our lease, with what its mapping asks for. Chat ids are marked Telegram ids.

    ``silent``: its copies make no sound, whatever their posts did.
    ``slow_mode``: seconds between two messages of this account in the destination, 0 where that does not hold.
    """

    mapping_id: int
    fence: int
    source_id: int
    source: int
    source_protected: bool
    destination_id: int
    destination: int
    destination_topic: int
    destination_is_source: bool
    mode: Mode
    copy_fallback: bool
    auto_route: bool
    silent: bool
    when_unsure: WhenUnsure
    revision: int
    has_rules: bool = False
    slow_mode: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """One delivery that is this lane's to do now.

    ``source`` is the chat in which its post was heard: of a group that became a supergroup, the old one.
    ``content`` are the messages of a post that were not deleted, without their texts. ``age`` is seconds since it
    was last set sending, ``late`` since the time it was put off to, ``due_in`` until then (None: at once).
    ``batch`` names the call that carries it together with others. ``rewrite`` is what rules have made of the post,
    ``revision`` that of the rules that were asked; ``sent_ids`` are the copies that stand already where further calls
    are to follow. ``silent``: its author sent it silently, as far as anybody of ours has heard.
    """

    delivery_id: int
    post_id: int
    source_id: int
    source: int
    kind: DeliveryKind
    klass: int
    state: State
    position: int
    attempts: int
    epoch: int
    place: Place
    reason: str | None
    mode: Mode | None
    route: AccountKind | None
    account_id: int | None
    message_ids: tuple[int, ...]
    random_ids: tuple[int, ...]
    seen_id: int
    parts: tuple[int, ...]
    age: float
    late: float = 0.0
    unsettled: bool = False
    batch: int | None = None
    content: tuple[Part, ...] = ()
    due_in: float | None = None
    rewrite: Rewrite | None = None
    revision: int | None = None
    sent_ids: tuple[int, ...] = ()
    silent: bool = False

    @property
    def maybe_sent(self) -> bool:
        """Whether a call with its ids may have been executed."""
        return self.unsettled or self.state in (State.SENDING, State.UNSURE)

    @property
    def begun(self) -> bool:
        """Whether the first of several calls is done; the further ones are what is left."""
        return self.rewrite is not None and bool(self.sent_ids)

    @property
    def messages(self) -> int:
        """What its calls count as; a post that has been in a call has the messages that this carried."""
        further = self.rewrite.further_calls if self.rewrite is not None else 0
        if self.begun:
            return max(further, 1)
        return (len(self.message_ids if self.maybe_sent else self.content) or 1) + further

    @property
    def due(self) -> bool:
        return self.due_in is None or self.due_in <= 0


@dataclass(frozen=True, slots=True)
class Run:
    """Deliveries of one lane that go in one call: one, or consecutive posts over MTProto."""

    jobs: tuple[Job, ...]

    @property
    def head(self) -> Job:
        return self.jobs[0]

    @property
    def single(self) -> bool:
        return len(self.jobs) == 1

    @property
    def sizes(self) -> tuple[int, ...]:
        """What each post counts as."""
        return tuple(job.messages for job in self.jobs)

    def first(self, count: int) -> Run:
        return self if count >= len(self.jobs) else Run(self.jobs[:count])


@dataclass(frozen=True, slots=True)
class Start:
    """What a call is about to carry: per delivery its message ids and random ids, stored before the call."""

    lane: LaneHeld
    jobs: tuple[Job, ...]
    mode: Mode
    message_ids: tuple[tuple[int, ...], ...]
    random_ids: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Done:
    """A job of a lane that we hold, or held, and what became of it."""

    lane: LaneHeld
    job: Job
    result: Result


@dataclass(frozen=True, slots=True)
class Due:
    """A lane with work that nobody does; what its bell needs to know."""

    mapping_id: int
    delivery_id: int
    route: AccountKind
    klass: int
    important: bool


@dataclass(frozen=True, slots=True)
class RuledBy:
    """The rule that decided about a delivery, the words that did it, and the revision of the mapping it holds for.

    ``lists`` are those whose rules held too, by number, each with the revision of its own. ``owner`` says whose rules
    do not read, ``mapping:7`` or ``list:2``; ``rule`` is the place in them then.
    """

    rule: str
    words: tuple[str, ...]
    revision: int
    lists: tuple[tuple[int, int], ...] = ()
    owner: str = ""

    @property
    def details(self) -> str:
        """As a delivery keeps it; shown to people and never logged."""
        kept: dict[str, object] = {"rule": self.rule, "words": self.words}
        if self.lists:
            kept["lists"] = self.lists
        if self.owner:
            kept["owner"] = self.owner
        return json.dumps(kept, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a job. ``sent_ids`` are aligned with ``message_ids``. ``wait`` (seconds) puts a queued or unsure
    row off; ``attempt`` counts it. ``unsettled`` says whether a call may have been executed; None leaves that as
    it is. ``by`` is the rule that decided, where one did; ``put_off_by`` is the revision of the rules of time that have
    put it off.
    """

    state: State
    reason: str | None = None
    message_ids: tuple[int, ...] = ()
    sent_ids: tuple[int | None, ...] = ()
    wait: float | None = None
    attempt: bool = False
    place: Place = Place.NONE
    mode: Mode | None = None
    new_epoch: bool = False
    unsettled: bool | None = None
    by: RuledBy | None = None
    put_off_by: int | None = None


FIX_MAY_GO = """(select p.state from deliveries p
                 where p.mapping_id = d.mapping_id and p.post_id = d.post_id and p.kind = 'post')
            in ('sent', 'failed', 'withdrawn')"""
"""Whether the edit or deletion ``d`` has what it concerns: its post has been sent, or has ended after its first message
(what hung on one that ended before that was closed with it). A subquery and no "exists": that could become a join,
which reads a lane's whole history."""


def first_class(lane: str) -> str:
    """The class of posts from which the head of a lane is taken, as SQL; ``lane`` is the SQL of its number.

    Live ones first, but where the first of these waits by its mapping's delay: it keeps its place among them, and older
    posts of a backfill go on meanwhile. They would have no turn at all where a source posts more often than its delay
    is long. (Asked in the order of the index of open rows, so that no plan reads the finished ones.)
    """
    return f"""coalesce((
            select case when h.reason = 'delay' and h.not_before > clock_timestamp() and (
                             select b.id from deliveries b
                              where b.mapping_id = {lane} and b.done_at is null and b.class = {BULK}
                                and b.state <> 'held' order by b.position, b.id limit 1) is not null then {BULK} end
              from deliveries h
             where h.mapping_id = {lane} and h.done_at is null and h.class = {LIVE} and h.state <> 'held'
             order by h.position, h.id limit 1), {LIVE})"""  # noqa: S608 - our own words and numbers


MAY_HAVE_COPIES = """(p.state in ('sending', 'unsure', 'sent') or (p.state in ('queued', 'held') and p.unsettled)
            or (p.state in ('failed', 'withdrawn') and p.sent_ids is not null))"""
"""Whether a message of the post delivery ``p`` may stand in the destination; a post that rules have split may have
ended after its first."""

HOLD_KEYS = "select 1 from fingerprints where delivery_id = any(:ids) order by scope, topic, key for update"
"""Has whoever finds one of these deliveries' places taken wait, and waits for whoever just has."""

GIVE_UP_KEYS = "delete from fingerprints where delivery_id = any(:ids)"
"""Others may have the places of these deliveries."""

KEY_IS_FREE = """(f.until < statement_timestamp() and not exists (
                 select 1 from deliveries o where o.id = f.delivery_id and o.done_at is null))"""
"""Whether nobody holds the place in deduplication that the fingerprint ``f`` is: its window has ended, and the post of
its delivery does not wait any more. The window begins when that is sent."""

WINDOW_BEGINS = """
    update fingerprints f set until = clock_timestamp() + make_interval(hours => m.dedup_hours)
      from changed c join mappings m on m.id = c.mapping_id
     where f.delivery_id = c.id
       and f.until < clock_timestamp() + make_interval(hours => m.dedup_hours) - interval '1 minute'
"""
"""What a statement that records deliveries as sent does with their places besides; ``changed`` are their ids and
mappings. Within a minute of its reservation the window's end is near enough, and a write spared."""

FIX_AGAIN = """
    again = d.state = 'sending', done_at = null, attempts = 0,
    not_before = case when d.done_at is null then d.not_before end,
    reserved = case when d.done_at is null then d.reserved else 0 end,
    reason = case when d.state = 'sending' then null else excluded.reason end,
    state = case when d.state = 'sending' then 'sending' else excluded.state end
"""
"""What becomes of an edit or deletion ``d`` when another comes for its post: one that is being applied is applied
again, one that waits goes on waiting, or quick edits would overtake the pace."""


def random_id(
    mapping_id: int,
    source: int,
    message_id: int,
    kind: DeliveryKind,
    epoch: int,
    run: int = 0,
    *,
    rest: bool = False,
) -> int:
    """The MTProto ``random_id`` of one message: the same for every attempt, so that Telegram sends it once.

    It does not depend on the mode, so the copy that stands in for a refused forward shares it. Signed 64
    bits, never 0. ``rest`` is a message that follows because the post's text was too long for one. ``run`` is
    always 0 so far: a post is one row of its mapping, whether a backfill brought it or not.
    """
    words = f"{mapping_id}:{run}:{source}:{message_id}:{kind}:{epoch}" + (":rest" if rest else "")
    number = int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big", signed=True)
    return number or 1


@dataclass(frozen=True, slots=True)
class Nothing:
    """The lane has no job now. ``due_in``: seconds until its head is due; None where nothing is queued."""

    due_in: float | None


@dataclass(frozen=True, slots=True)
class Part:
    """A message of the post as it reads now."""

    message_id: int
    kind: Kind
    protected: bool
    text: str = ""
    entities: tuple[Entity, ...] = ()
    reply_to: int | None = None
    replaced: bool = False
    file_id: str | None = None
    look: Look = PLAIN_LOOK
    button: Button | None = None
    cover: bool = False


@dataclass(frozen=True, slots=True)
class CopyOf:
    """A message of ours in the destination, and the source message that it stands for."""

    message_id: int
    source_message_id: int
    mode: Mode
