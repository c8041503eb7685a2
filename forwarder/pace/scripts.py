"""The scripts that Redis runs: each is one decision, made for all workers at once.

A window of ``limit`` messages in ``seconds`` is the log of its last slots, newest first: the next slot is free
when the slot ``limit`` places back has left the window. That is exact where a token bucket would let a burst
and a refill share one window. Slots may lie in the future; a reservation holds whatever happens to the process
that made it.

Times are steady: Redis's clock plus a shift. Each process says what time it expects by its own monotonic clock;
where Redis's was set meanwhile, the first one to ask corrects the shift for all. Waits and logs then stand where they
stood. Redis replicates effects, so TIME is allowed before writes.

Every script has the same first KEYS: 1 the shift, 2 the waits, 3 the lessons, 4 the sign that Redis has not been
emptied, 5 whether people are being answered, 6 the next turn and 7 the last granted slot of bulk; then the logs of
the chat's windows and of the account's.
"""

from __future__ import annotations

from forwarder.pace.beat import PROVEN_FOR
from forwarder.pace.learning import HOLD_UNEXPLAINED, QUICK_RECOVERY, RECOVERY
from forwarder.pace.values import HORIZON

TIME = "redis.call('TIME')"

FIRST_KEYS = 7

EARLY, LATE = 1.0, 3.0
"""Seconds by which Redis's clock may be before or after what a process expects. A call that was held up runs late."""

KEEP_MS = 86_400_000
"""Logs and waits outlive their use by a day, for the clock by which Redis forgets may jump forward."""

BULK_PORTION = 0.8
"""The share of each window that bulk fills; the rest stays free for live posts."""

BULK_GRANTED = 0.05
"""The share of the account's pace that bulk has even where live posts would fill it all."""

LATE_SLOT = 10.0
"""Seconds for which a slot whose time is past still counts, where each process's own beat keeps its calls apart: when
a post goes to a thousand chats, their rows cannot all be woken in time, and slots in the past are lost to everybody."""

PEOPLE_PORTION = 0.9
"""The share of the bot's windows that posts fill while people are being answered."""

MOST_LOOKED_AT = 5000
"""Entries of a log among which the fullest window is looked for, when a call was refused."""

FIRST_LOOK, LOOK_FACTOR, STRANGERS_FACTOR = 1.0, 4.0, 0.5
"""A wait that is only suspected to be the account's is looked at after a second, and again when it has stood for four
times longer than at the look before: six calls in an hour. What a chat finds that may have a wait of its own says less:
then after half as long again."""

LOOKING = 2.0
"""Seconds for which everybody else waits for what one call finds."""

STRANGERS, LONGEST_STRANGE = 1.0, 30.0
"""Seconds for which that call is left at least to a chat that has taken posts before, and for which others are put off
at most: they hear of it late where the account was free."""

CLOCK = """
local time = {time}
local shift = redis.call('GET', KEYS[1]) or '0'
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6 + tonumber(shift)
local function written(number) return string.format('%.6f', number) end
local LOGS = {first_keys}
local function entry(i, place)
  return tonumber(redis.call('LINDEX', KEYS[LOGS + i], place) or '0')
end
local function share_of(lesson)
  if not lesson then return 1 end
  local share, since, hold = string.match(lesson, '(%S+) (%S+) (%S+)')
  local recovery = tonumber(hold) <= {hold_unexplained} and {quick_recovery} or {recovery}
  return math.min(1, tonumber(share) + math.max(0, now - tonumber(since) - tonumber(hold)) / recovery)
end
-- When it began and when it ends that a wait is suspected to be the account's, from when on any chat may look, and when
-- a wait of the account was met last; nil where none is.
local function suspected()
  local kept = redis.call('HGET', KEYS[3], 'suspected')
  if not kept then return nil end
  local began, ends, anybody, met = string.match(kept, '(%S+) (%S+) (%S+) (%S+)')
  if tonumber(ends) <= now then return nil end
  return tonumber(began), tonumber(ends), tonumber(anybody), tonumber(met)
end
local function suspect(began, ends, anybody)
  local times = {written(began), written(ends), written(anybody), written(now)}
  redis.call('HSET', KEYS[3], 'suspected', table.concat(times, ' '))
  redis.call('PEXPIRE', KEYS[3], 7 * {keep})
end
"""

# The first place at which a log is at or before a time: entries descend.
PLACES = """
local function place_of(i, time)
  local low, high = 0, redis.call('LLEN', KEYS[LOGS + i])
  while low < high do
    local half = math.floor((low + high) / 2)
    if entry(i, half) > time then low = half + 1 else high = half end
  end
  return low
end
"""

# ARGV: 1 windows of the chat, 2 of the account, 3 horizon, 4 what is held, 5 how late a held one is completed,
# 6 bulk, 7 the field of the chat's wait, 8 whether an emptied Redis is to be told of, 9 whether it is a post; limit,
# length and field of its lesson for each window; then the messages up to and with each post; last the time that this
# process expects, 0 where it has not asked yet.
# Answers the slot in seconds from now, what was taken (see Place; -1: nothing, for Redis was emptied), how many
# posts go, the time, the account's shortest window as it is now (0 where nobody looked at the windows), and 1 where
# the call is to show whether a suspected wait is the account's.
# The account's place is taken only when the chat's slot is near: taken far ahead it would hold up every other
# chat behind it. More posts never have an earlier slot, so the longest run is found by halving.
RESERVE = """
local expected = tonumber(ARGV[#ARGV])
if expected > 0 and (now < expected - {early} or now > expected + {late}) then
  shift = written(tonumber(shift) + expected - now)
  redis.call('SET', KEYS[1], shift)
  now = expected
end
local chats, accounts, horizon = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local held, late, bulk = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == '1'
local windows = chats + accounts
local sizes = 9 + 3 * windows
local posts = #ARGV - sizes - 1
local function up_to(post) return tonumber(ARGV[sizes + post]) end
local most, length, may_look = 0, 0, false
local function answer(slot, taken, count)
  local looks = 0
  if may_look and taken == 2 and slot - now <= horizon then
    redis.call('HSET', KEYS[2], '', written(now + {looking}))
    looks = 1
  end
  return {written(slot - now), taken, count, written(now), most, written(length), looks}
end
if ARGV[8] == '1' and redis.call('EXISTS', KEYS[4]) == 0 then return answer(now, -1, 0) end

local free = now
local waits = redis.call('HMGET', KEYS[2], '', ARGV[7])
for i = 1, 2 do
  if waits[i] then free = math.max(free, tonumber(waits[i])) end
end
local began, ends, anybody = suspected()
if began and free <= now then
  -- The account's wait may be over, or may never have been one. Edits have waits of their own, and show nothing.
  local oldest = chats > 0 and entry(chats, -1) or 0
  may_look = ARGV[9] == '1' and (oldest > 0 and oldest < began or now >= anybody)
  if not may_look then
    free = math.min(ends, math.max(now + {looking}, math.min(anybody, now + {longest_strange})))
  end
end
if windows == 0 then return answer(free, 2, posts) end
-- Whether somebody has taken a later slot of the chat than one whose time is long past.
local function overtaken()
  if late > horizon then
    for i = 1, chats do if entry(i, 0) > now - late + horizon then return true end end
  end
  return false
end
local function move_chats(slot)
  for i = 1, chats do
    if redis.call('EXISTS', KEYS[LOGS + i]) == 1 and entry(i, 0) < slot then
      redis.call('LSET', KEYS[LOGS + i], 0, written(slot))
    end
  end
end
if held == 2 then
  -- A wait of the account makes void what was given out before it, at the pace that was too fast. A row's time is
  -- a little after its slot.
  local void = tonumber(redis.call('HGET', KEYS[3], 'void') or '0')
  local patience = {late_slot}
  for i = chats + 1, windows do
    local length = tonumber(ARGV[8 + 3 * i])
    if length >= 5 and length < 1000 then patience = horizon end
  end
  if late <= patience and now - late > void + horizon and not overtaken() then
    if late > horizon and free <= now then move_chats(now) end
    return answer(free, free > now and 0 or 2, posts)
  end
  held = 0
end

local fields = {}
for i = 1, windows do fields[i] = ARGV[9 + 3 * i] end
local lessons = redis.call('HMGET', KEYS[3], unpack(fields))
local people = redis.call('EXISTS', KEYS[5]) == 1
local limits, lengths, portion, gap = {}, {}, {}, {}
for i = 1, windows do
  local allowed = tonumber(ARGV[7 + 3 * i]) * share_of(lessons[i])
  limits[i] = math.max(1, math.ceil(allowed - 1e-4))
  lengths[i] = tonumber(ARGV[8 + 3 * i]) * limits[i] / math.min(allowed, limits[i])
  if people and i > chats then limits[i] = math.max(1, math.floor(limits[i] * {people_portion})) end
  portion[i] = bulk and math.max(1, math.floor(limits[i] * {bulk_portion})) or limits[i]
  -- Not all at once at the head of the window: a limit that is lower than we think refuses few calls then.
  gap[i] = i > chats and lengths[i] < 5 and 0.5 * lengths[i] / limits[i] or 0
end
if accounts > 0 and lengths[chats + 1] < 5 then most, length = limits[chats + 1], lengths[chats + 1] end
local function slot_of(first, last, slot, messages, alone, room)
  for i = first, last do
    if messages > room[i] and not alone then return math.huge end
    local newest = entry(i, 0)
    if newest > 0 then slot = math.max(slot, newest + gap[i]) end
    slot = math.max(slot, entry(i, room[i] - math.min(messages, room[i])) + lengths[i])
  end
  return slot
end
local function take(first, last, slot, messages)
  for i = first, last do
    local key, at = KEYS[LOGS + i], slot
    for place = 1, messages do
      -- More than the window holds fills several, one after another.
      at = slot + math.floor((place - 1) / limits[i]) * lengths[i]
      redis.call('LPUSH', key, written(at))
    end
    -- Slots ahead of now do not push out those that Telegram still counts: they may be taken back.
    local spare = redis.call('LLEN', key) - tonumber(ARGV[7 + 3 * i]) - 1
    while spare > 0 and entry(i, -1) < now - lengths[i] do
      redis.call('RPOP', key)
      spare = spare - 1
    end
    redis.call('PEXPIRE', key, math.ceil((at - now + lengths[i]) * 1000) + {keep})
  end
end

local run, beyond = 1, posts + 1
while beyond - run > 1 do
  local half = math.floor((run + beyond) / 2)
  if slot_of(1, windows, free, up_to(half), false, portion) - now <= horizon then run = half else beyond = half end
end
local messages = up_to(run)

if bulk then
  -- Nothing is taken ahead of time: live posts would have to queue behind it. Whoever finds no room is given a
  -- turn, one after another, and a small share is granted where live posts leave no room at all.
  local slot = slot_of(1, chats, free, messages, true, portion)
  if slot - now > horizon then return answer(slot, 0, 1) end
  local room = slot_of(chats + 1, windows, slot, messages, true, portion)
  local turn = tonumber(redis.call('GET', KEYS[6]) or '0')
  if room - now <= horizon and (held == 1 or turn <= now) then
    take(1, windows, room, messages)
    return answer(room, 2, run)
  end
  local every, apart = 0, 0
  for i = chats + 1, windows do
    if lengths[i] < 100 then
      every = math.max(every, lengths[i] / limits[i])
      apart = math.max(apart, lengths[i] / portion[i])
    end
  end
  if held == 1 and now - tonumber(redis.call('GET', KEYS[7]) or '0') > every / {bulk_granted} then
    redis.call('SET', KEYS[7], written(now), 'PX', {keep})
    slot = slot_of(chats + 1, windows, slot, up_to(1), true, limits)
    take(1, windows, slot, up_to(1))
    return answer(slot, 2, 1)
  end
  -- No turn is more than a minute away, whatever is given out: a window of a day does not queue.
  slot = math.max(now + horizon, math.min(room, now + 60), turn + apart)
  redis.call('SET', KEYS[6], written(slot), 'PX', {keep})
  return answer(slot, 1, 1)
end

local take_chat = held ~= 1 or overtaken()
local slot = free
if take_chat then slot = slot_of(1, chats, slot, messages, true, limits) end
local near = slot - now <= horizon
if near then slot = slot_of(chats + 1, windows, slot, messages, true, limits) end
if take_chat then take(1, chats, slot, messages) else move_chats(slot) end
if near then take(chats + 1, windows, slot, messages) end
return answer(slot, near and 2 or 1, run)
"""

# A wait only ever grows: two workers that met one each agree on the later end. ARGV: 1 seconds, 2 the field of the
# wait ('' for the account), 3 windows of the chat, 4 of the account, 5 whether the account's is only suspected: then
# it holds until it is looked at ('0' it is not, '1' a chat has met it that takes posts, '2' one that may never have).
# One that is certain is as good as suspected where another was: the call that looks may end both.
# A wait of the account takes back the slots that were given out ahead, but for near ones: whoever has one looks at the
# waits once more, or is on his way.
WAIT = (
    PLACES
    + """
local ends, field = now + tonumber(ARGV[1]), ARGV[2]
local chats, accounts = tonumber(ARGV[3]), tonumber(ARGV[4])
if ARGV[5] ~= '0' then
  local began, known, anybody = suspected()
  began = began or now
  local factor = ARGV[5] == '1' and {look_factor} or {strangers_factor}
  local next = now + math.max({first_look}, factor * (now - began))
  local others = now + math.max({first_look}, {look_factor} * (now - began)) + {strangers}
  local last = math.max(ends, known or 0)
  suspect(began, last, math.min(last, math.max(others, anybody or 0)))
  ends = math.min(ends, next)
elseif field == '' and ends > now then
  local began, known, anybody = suspected()
  if began then suspect(began, math.max(known, ends), anybody) end
end
local waits = redis.call('HGETALL', KEYS[2])
for i = 1, #waits, 2 do
  if tonumber(waits[i + 1]) < now then redis.call('HDEL', KEYS[2], waits[i]) end
end
if ends > tonumber(redis.call('HGET', KEYS[2], field) or '0') then
  redis.call('HSET', KEYS[2], field, written(ends))
end
local left = redis.call('PTTL', KEYS[2])
redis.call('PEXPIRE', KEYS[2], math.max(left, math.ceil(tonumber(ARGV[1]) * 1000) + {keep}))
if field ~= '' then return 1 end
for i = chats + 1, chats + accounts do
  local far = place_of(i, now + {horizon})
  if far > 0 then
    local void = math.max(entry(i, 0), tonumber(redis.call('HGET', KEYS[3], 'void') or '0'))
    redis.call('HSET', KEYS[3], 'void', written(void))
    redis.call('PEXPIRE', KEYS[3], 7 * {keep})
    redis.call('LTRIM', KEYS[LOGS + i], far, -1)
  end
end
return 1
"""
)

# A call went through that was to show whether the account waits: no wait holds it that was met before that was made.
# ARGV: seconds since then.
CLEAR = """
local began, _, _, met = suspected()
if not began or met > now - tonumber(ARGV[1]) then return 0 end
redis.call('HDEL', KEYS[3], 'suspected')
redis.call('HDEL', KEYS[2], '')
return 1
"""

# What a refused call met. It was not counted by Telegram, and leaves the logs. ARGV: 1 windows, 2 messages of the
# call; true length and field of its lesson for each window.
# Answers the time and how long ago the newest slot was, then for each window: its lesson, the messages in it before the
# refused call, the seconds since the one before (-1 for none), and the most that were in one such window of late.
REFUSED = (
    PLACES
    + """
local function most_in(i, seconds, ahead)
  local times, most, last = redis.call('LRANGE', KEYS[LOGS + i], ahead, ahead + {most_looked_at}), 0, 1
  for first = 1, #times do
    local newest = tonumber(times[first])
    if newest < now - {proven_for} then break end
    while last <= #times and tonumber(times[last]) > newest - seconds do last = last + 1 end
    most = math.max(most, last - first)
  end
  return most
end
local result, slot = {written(now), '0'}, now
for i = 1, tonumber(ARGV[1]) do
  local ahead, at = place_of(i, now), now
  for _ = 1, tonumber(ARGV[2]) do
    local value = redis.call('LINDEX', KEYS[LOGS + i], ahead)
    if not value then break end
    at = tonumber(value)
    redis.call('LREM', KEYS[LOGS + i], 1, value)
  end
  slot = at
  local before = entry(i, ahead)
  table.insert(result, redis.call('HGET', KEYS[3], ARGV[2 + 2 * i]) or '')
  table.insert(result, place_of(i, at - tonumber(ARGV[1 + 2 * i])) - ahead)
  table.insert(result, written(before > 0 and at - before or -1))
  table.insert(result, most_in(i, tonumber(ARGV[1 + 2 * i]), ahead))
end
result[2] = written(now - slot)
return result
"""
)

# ARGV: field, the new lesson, its share. The lower one of two that were learned at once holds.
LEARN = """
if tonumber(ARGV[3]) < share_of(redis.call('HGET', KEYS[3], ARGV[1])) then
  redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
end
redis.call('PEXPIRE', KEYS[3], 7 * {keep})
return 1
"""

# Seconds that each of the given waits still holds. ARGV: their fields.
WAITING = """
local result = {written(now), shift}
for i, ends in ipairs(redis.call('HMGET', KEYS[2], unpack(ARGV))) do
  result[2 + i] = written(ends and math.max(0, tonumber(ends) - now) or 0)
end
return result
"""

# One message that was sent so many seconds ago, into each of the given logs. ARGV: seconds, messages, places.
SENT = """
for i = 1, #KEYS - LOGS do
  for _ = 1, tonumber(ARGV[2]) do redis.call('LPUSH', KEYS[LOGS + i], written(now - tonumber(ARGV[1]))) end
  redis.call('LTRIM', KEYS[LOGS + i], 0, tonumber(ARGV[2 + i]))
  redis.call('PEXPIRE', KEYS[LOGS + i], {keep})
end
return 1
"""


def script(body: str, time: str = TIME) -> str:
    """A script with its clock; ``time`` is the expression that answers seconds and microseconds."""
    whole = CLOCK + body
    for name, value in (
        ("time", time),
        ("first_keys", FIRST_KEYS),
        ("horizon", HORIZON),
        ("early", EARLY),
        ("late", LATE),
        ("recovery", RECOVERY),
        ("quick_recovery", QUICK_RECOVERY),
        ("hold_unexplained", HOLD_UNEXPLAINED),
        ("proven_for", PROVEN_FOR),
        ("most_looked_at", MOST_LOOKED_AT),
        ("keep", KEEP_MS),
        ("bulk_portion", BULK_PORTION),
        ("bulk_granted", BULK_GRANTED),
        ("people_portion", PEOPLE_PORTION),
        ("late_slot", LATE_SLOT),
        ("first_look", FIRST_LOOK),
        ("look_factor", LOOK_FACTOR),
        ("strangers_factor", STRANGERS_FACTOR),
        ("looking", LOOKING),
        ("strangers", STRANGERS),
        ("longest_strange", LONGEST_STRANGE),
    ):
        whole = whole.replace("{" + name + "}", str(value))
    return whole
