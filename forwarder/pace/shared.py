"""Reserves slots and shares waits among all workers."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import accumulate

from redis.asyncio import Redis

from forwarder.message import AccountKind, DeliveryKind
from forwarder.pace import scripts, wait_scripts
from forwarder.pace.beat import KEPT_APART, Beat
from forwarder.pace.learning import SECONDS, Lesson
from forwarder.pace.limits import BOT_LIMITS, USER_LIMITS, Limits, Window
from forwarder.pace.refusals import LOOK_FROM, Refusal, Taught, seen_window
from forwarder.pace.slot_script import RESERVE
from forwarder.pace.values import HORIZON, Learned, Memory, Place, Run, Sent, family_of

EMPTIED = -1
ACCOUNT = "all:"
"""How the names of the account's windows begin."""

LOADED, LOADING = "pace:loaded", "pace:loading"
LOADING_TAKES = 1.0
"""Seconds for which a post is put off while another process tells an emptied Redis what it must know."""

BY_ONE_THAT_TAKES, BY_A_STRANGER = 1, 2
"""Who has met a suspected wait of the account."""

NEAR = 0.01
"""Seconds by which what Redis calls a time may differ from what is taken for it here."""

PEOPLE_STAY = 60
"""Seconds after an answer in which more are expected."""


class Pace:
    """Raises redis's own errors; the caller turns them into Unavailable.

    ``recall`` answers what an emptied Redis must know before anything is sent. ``time`` and ``monotonic`` are
    the clocks, for tests.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        bot: Limits = BOT_LIMITS,
        user: Limits = USER_LIMITS,
        recall: Callable[[], Awaitable[Memory]] | None = None,
        time: str = scripts.TIME,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._limits = {AccountKind.BOT: bot, AccountKind.USER: user}
        self._recall = recall

        def register(body: str) -> Callable[..., Awaitable[list[bytes]]]:
            return redis.register_script(scripts.script(body, time))

        self._reserve = register(RESERVE)
        self._wait = register(wait_scripts.WAIT)
        self._refused = register(wait_scripts.REFUSED)
        self._clear = register(wait_scripts.CLEAR)
        self._learn = register(wait_scripts.LEARN)
        self._waiting = register(wait_scripts.WAITING)
        self._sent = register(wait_scripts.SENT)
        self._monotonic = monotonic
        self._offset: float | None = None
        self._beats: defaultdict[int, Beat] = defaultdict(Beat)
        self._taught: dict[int, Taught] = {}

    async def reserve(
        self,
        kind: AccountKind,
        account_id: int,
        chat_id: int,
        delivery: DeliveryKind,
        *,
        messages: int = 1,
        held: Place = Place.NONE,
        late: float = 0.0,
        bulk: bool = False,
        slow_mode: int = 0,
    ) -> Run:
        """Take the next slot for ``messages`` messages in this chat, or complete one that was ``held``.

        A held one that is completed more than HORIZON after its time (``late`` seconds) might meet a later slot
        of another lane in the same window: it counts only if nobody reserved after it, else a new one is taken.
        ``slow_mode``: seconds between two messages of this account in this chat, which holds for posts.
        """
        return await self._take(kind, account_id, chat_id, delivery, [messages], held, late, bulk, slow_mode)

    async def reserve_run(
        self,
        kind: AccountKind,
        account_id: int,
        chat_id: int,
        sizes: Sequence[int],
        *,
        held: Place = Place.NONE,
        late: float = 0.0,
        bulk: bool = False,
        slow_mode: int = 0,
    ) -> Run:
        """Take the next slot for the longest run of these posts that may go in one call.

        ``sizes`` are the messages of consecutive posts, which are never split. A run of more than one post
        goes within HORIZON and fits into every window. The first post alone is taken as by ``reserve``; one
        that is ``held`` goes alone, but for bulk, which only had its turn.
        """
        if held is not Place.NONE and not (bulk and held is Place.CHAT):
            sizes = sizes[:1]
        return await self._take(
            kind, account_id, chat_id, DeliveryKind.POST, sizes, held, late, bulk, slow_mode
        )

    async def _take(
        self,
        kind: AccountKind,
        account_id: int,
        chat_id: int,
        delivery: DeliveryKind,
        sizes: Sequence[int],
        held: Place,
        late: float,
        bulk: bool,
        slow_mode: int,
    ) -> Run:
        family = family_of(delivery)
        chat, account = self._windows(kind, delivery)
        if slow_mode and delivery is DeliveryKind.POST:
            chat = (*chat, Window(1, slow_mode))
        keys = keys_of(account_id, chat_id, family, len(chat), len(account))
        arguments: list[float | str] = [len(chat), len(account), HORIZON, int(held), late, int(bulk)]
        arguments += [
            f"{chat_id}:{family}",
            int(self._recall is not None),
            int(delivery is DeliveryKind.POST),
        ]
        for place, (field, window) in enumerate(fields_of(chat_id, family, chat, account)):
            by_beat = place >= len(chat) and window.seconds < SECONDS
            arguments += [window.limit, window.length - (KEPT_APART if by_beat else 0.0), field]
        asked = self._monotonic()
        expected = 0.0 if self._offset is None else asked + self._offset
        seconds, taken, count, now, limit, length, looks = await self._reserve(
            keys=keys, args=[*arguments, *accumulate(sizes), expected]
        )
        self._offset = self._offset_after(asked, float(now))
        self._beats[account_id].tell(int(limit), float(length))
        if int(taken) == EMPTIED:
            if await self.remember():
                return await self._take(
                    kind, account_id, chat_id, delivery, sizes, held, late, bulk, slow_mode
                )
            return Run(LOADING_TAKES, Place.NONE, 1)
        anew = held is not Place.ALL or float(seconds) > 0
        if int(taken) == Place.ALL and anew:
            answered = self._monotonic()
            messages = sum(sizes[: int(count)])
            self._beats[account_id].took_slot(answered, answered + float(seconds), messages)
        return Run(float(seconds), Place(int(taken)), int(count), bool(int(looks)))

    def beat(self, account_id: int) -> Beat:
        """The beat of this process's calls for an account, in the time of ``monotonic``."""
        return self._beats[account_id]

    def _offset_after(self, asked: float, now: float) -> float:
        """Steady time less our own, given that it was ``now`` at some moment since ``asked``."""
        least, most = now - self._monotonic(), now - asked
        known = (least + most) / 2 if self._offset is None else self._offset
        return min(max(known, least), most)

    def _windows(
        self, kind: AccountKind, delivery: DeliveryKind
    ) -> tuple[tuple[Window, ...], tuple[Window, ...]]:
        limits = self._limits[kind]
        return limits.chat if delivery is DeliveryKind.POST else limits.edits, limits.account

    async def refused(
        self,
        kind: AccountKind,
        account_id: int,
        chat_id: int,
        delivery: DeliveryKind,
        asked: float,
        *,
        messages: int = 1,
        made: float | None = None,
    ) -> Refusal:
        """What a call with so many ``messages`` met that was ``made`` then (by ``monotonic``; None for now), and was
        refused with a wait of ``asked`` seconds. Calls that were long under way may have arrived with it.

        Slots say when calls were to go; those of this process's calls in the window before the refused one that
        brought their posts are nearer to what Telegram has taken: some slots have passed without a call, or it went
        later.
        """
        family = family_of(delivery)
        chat, account = self._windows(kind, delivery)
        named = fields_of(chat_id, family, chat, account)
        arguments: list[float | str] = [len(named), messages]
        for field, window in named:
            arguments += [window.seconds, field]
        keys = keys_of(account_id, chat_id, family, len(chat), len(account))
        now, ago, *told = await self._refused(keys=keys, args=arguments)
        answered = self._monotonic()
        made = answered if made is None else made
        seen = [seen_window(w, told[5 * i : 5 * i + 5], float(now)) for i, (_, w) in enumerate(named)]
        beat = self._beats[account_id]
        for place, window in enumerate(account, len(chat)):
            if window.seconds >= SECONDS:
                continue
            proven = beat.proven(made)
            if beat.full(made - window.seconds, messages):
                seen[place] = replace(seen[place], used=window.limit, bunched=True, proven=proven)
            else:
                # What other processes have sent is known by their slots only.
                newest = answered - float(ago)
                own = beat.slots_in(newest - window.seconds - NEAR, answered + NEAR) - messages
                used = beat.took(made - window.seconds, made) + max(0, seen[place].used - own)
                seen[place] = replace(seen[place], used=used, proven=proven)
        if (taught := self._same_wait(account_id, made)) is not None:
            for place, used in enumerate(taught.used, len(chat)):
                seen[place] = replace(seen[place], used=max(used, seen[place].used))
        return Refusal(
            float(now),
            made,
            asked,
            tuple(field for field, _ in named),
            tuple(seen[: len(chat)]),
            tuple(seen[len(chat) :]),
        )

    def _same_wait(self, account_id: int, made: float) -> Taught | None:
        """The account's wait that a call met that was made then, where it is one that has taught already. One that a
        call went through since was not the account's."""
        taught, through = self._taught.get(account_id), self._beats[account_id].through
        if taught is None or made >= taught.ends or (through is not None and through > taught.met):
            return None
        return taught

    async def wait(
        self,
        account_id: int,
        seconds: float,
        *,
        chat_id: int | None,
        delivery: DeliveryKind,
        refusal: Refusal | None = None,
        suspected: bool = False,
    ) -> Learned | None:
        """Hold this chat (for this family of methods) or, with no chat, the whole account for ``seconds``.

        Where it is only ``suspected`` that the account must wait as well as the chat, single calls are let through
        to look, ever more rarely. Answers what the ``refusal`` taught, for PostgreSQL to keep.
        """
        family = family_of(delivery)
        account = max((len(limits.account) for limits in self._limits.values()), default=0)
        keys = keys_of(account_id, chat_id or 0, family, 0, account)
        field = "" if chat_id is None else f"{chat_id}:{family}"
        await self._wait(keys=keys, args=[seconds, field, 0, account, 0])
        if suspected:
            met = BY_ONE_THAT_TAKES if refusal is not None and refusal.chat_takes else BY_A_STRANGER
            await self._wait(keys=keys, args=[seconds, "", 0, account, met])
        lesson = refusal.lesson(whole=chat_id is None) if refusal is not None else None
        if lesson is None:
            return None
        name, learned = lesson
        if field and name.startswith(ACCOUNT):
            # The account was too fast, though for now only this chat is held: what was given out ahead goes back.
            await self._wait(keys=keys, args=[0, "", 0, account, 0])
        if name.startswith(ACCOUNT) and refusal is not None:
            used = tuple(window.used for window in refusal.account)
            self._taught[account_id] = Taught(refusal.made, refusal.made + refusal.asked, used)
        await self._learn(keys=keys[: scripts.FIRST_KEYS], args=[name, written(learned), learned.share])
        return Learned(account_id, name, learned.share, learned.hold, 0.0)

    async def clear(self, account_id: int, ago: float) -> bool:
        """A call that was made ``ago`` seconds ago, to show whether the account waits, went through. Answers whether
        the account is free now: it is not where a wait was met since."""
        return bool(await self._clear(keys=keys_of(account_id, 0, "", 0, 0), args=[ago]))

    async def waiting(
        self, account_id: int, chat_id: int, delivery: DeliveryKind = DeliveryKind.POST
    ) -> float:
        """Seconds until no wait holds this chat any more; 0 when none does."""
        family = family_of(delivery)
        _, _, *left = await self._waiting(
            keys=keys_of(account_id, chat_id, family, 0, 0), args=["", f"{chat_id}:{family}"]
        )
        return max(float(seconds) for seconds in left)

    async def people(self, account_id: int) -> None:
        """Keep a share of the bot's pace for the answers that people are about to be given."""
        await self._redis.set(f"pace:{account_id}:people", 1, ex=PEOPLE_STAY)

    async def remember(self) -> bool:
        """Tell an emptied Redis what it must know; answers whether this process did."""
        if self._recall is None or await self._redis.exists(LOADED):
            return False
        if not await self._redis.set(LOADING, 1, nx=True, ex=10):
            return False
        await self.restore(await self._recall())
        await self._redis.set(LOADED, 1)
        return True

    async def restore(self, memory: Memory) -> None:
        """Reload what PostgreSQL knows: running waits first."""
        for wait in memory.waits:
            keys = keys_of(wait.account_id, 0, "", 0, 0)
            whole = wait.chat_id is None
            field = "" if whole else f"{wait.chat_id}:{wait.family}"
            await self._wait(
                keys=keys,
                args=[wait.seconds, field, 0, 0, BY_A_STRANGER if whole and wait.seconds >= LOOK_FROM else 0],
            )
        for learned in memory.learned:
            keys = keys_of(learned.account_id, 0, "", 0, 0)
            now = float((await self._waiting(keys=keys, args=[""]))[0])
            lesson = Lesson(learned.share, now - learned.ago, learned.hold)
            await self._learn(keys=keys, args=[learned.field, written(lesson), lesson.share_at(now)])
        for sent in memory.sent:
            await self._enter(sent)

    async def _enter(self, sent: Sent) -> None:
        family = family_of(DeliveryKind.POST)
        chat, account = self._windows(sent.kind, DeliveryKind.POST)
        keys = keys_of(sent.account_id, sent.chat_id, family, len(chat), len(account))
        limits = [window.limit for window in (*chat, *account)]
        await self._sent(keys=keys, args=[sent.ago, sent.messages, *limits])


def keys_of(account_id: int, chat_id: int, family: str, chat: int, account: int) -> list[str]:
    """The keys of every script: see ``scripts``; ``chat`` and ``account`` are how many windows there are."""
    prefix = f"pace:{account_id}"
    first = [f"{prefix}:{name}" for name in ("waits", "lessons")] + [LOADED]
    first += [f"{prefix}:{name}" for name in ("people", "turn", "granted")]
    logs = [f"{prefix}:{chat_id}:{family}:{i}" for i in range(chat)]
    return ["pace:shift", *first, *logs, *(f"{prefix}:all:{i}" for i in range(account))]


def fields_of(
    chat_id: int, family: str, chat: Sequence[Window], account: Sequence[Window]
) -> list[tuple[str, Window]]:
    """Each window under the name by which what was learned of it is kept."""
    named = [(f"{chat_id}:{family}:{window.seconds:g}", window) for window in chat]
    return named + [(f"{ACCOUNT}{window.seconds:g}", window) for window in account]


def written(lesson: Lesson) -> str:
    return f"{lesson.share:.9f} {lesson.since:.6f} {lesson.hold:.3f}"
