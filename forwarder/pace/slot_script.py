"""The script that gives out slots."""

from __future__ import annotations

from forwarder.pace.scripts import filled

EARLY, LATE = 1.0, 3.0
"""Seconds by which Redis's clock may be before or after what a process expects. A call that was held up runs late."""

BULK_PORTION = 0.8
"""The share of each window that bulk fills; the rest stays free for live posts."""

BULK_GRANTED = 0.05
"""The share of the account's pace that bulk has even where live posts would fill it all."""

LATE_SLOT = 10.0
"""Seconds for which a slot whose time is past still counts, where each process's own beat keeps its calls apart: when
a post goes to a thousand chats, their rows cannot all be woken in time, and slots in the past are lost to everybody."""

PEOPLE_PORTION = 0.9
"""The share of the bot's windows that posts fill while people are being answered."""

LOOKING = 2.0
"""Seconds for which everybody else waits for what one call finds."""

LONGEST_STRANGE = 30.0
"""Seconds for which others are put off at most meanwhile: they hear of it late where the account was free."""

# ARGV: 1 windows of the chat, 2 of the account, 3 horizon, 4 what is held, 5 how late a held one is completed,
# 6 bulk, 7 the field of the chat's wait, 8 whether an emptied Redis is to be told of, 9 whether it is a post; limit,
# length and field of its lesson for each window; then the messages up to and with each post; last the time that this
# process expects, 0 where it has not asked yet.
# Answers the slot in seconds from now, what was taken (see Place; -1: nothing, for Redis was emptied), how many
# posts go, the time, the account's shortest window as it is now (0 where nobody looked at the windows), and 1 where
# the call is to show whether a suspected wait is the account's.
# The account's place is taken only when the chat's slot is near: taken far ahead it would hold up every other
# chat behind it. More posts never have an earlier slot, so the longest run is found by halving.
RESERVE = filled(
    """
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
""",
    early=EARLY,
    late=LATE,
    late_slot=LATE_SLOT,
    bulk_portion=BULK_PORTION,
    bulk_granted=BULK_GRANTED,
    people_portion=PEOPLE_PORTION,
    looking=LOOKING,
    longest_strange=LONGEST_STRANGE,
)
