"""The scripts of waits: met, looked at, and what a refused call met."""

from __future__ import annotations

from forwarder.pace.beat import PROVEN_FOR
from forwarder.pace.scripts import PLACES, filled

MOST_LOOKED_AT = 5000
"""Entries of a log among which the fullest window is looked for, when a call was refused."""

FIRST_LOOK, LOOK_FACTOR, STRANGERS_FACTOR = 1.0, 4.0, 0.5
"""A wait that is only suspected to be the account's is looked at after a second, and again when it has stood for four
times longer than at the look before: six calls in an hour. What a chat finds that may have a wait of its own says less:
then after half as long again."""

STRANGERS = 1.0
"""Seconds for which that call is left at least to a chat that has taken posts before."""

# A wait only ever grows: two workers that met one each agree on the later end. ARGV: 1 seconds, 2 the field of the
# wait ('' for the account), 3 windows of the chat, 4 of the account, 5 whether the account's is only suspected: then
# it holds until it is looked at ('0' it is not, '1' a chat has met it that takes posts, '2' one that may never have).
# One that is certain is as good as suspected where another was: the call that looks may end both.
# A wait of the account takes back the slots that were given out ahead, but for near ones: whoever has one looks at the
# waits once more, or is on his way.
WAIT = PLACES + filled(
    """
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
""",
    first_look=FIRST_LOOK,
    look_factor=LOOK_FACTOR,
    strangers_factor=STRANGERS_FACTOR,
    strangers=STRANGERS,
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
# refused call, the seconds since the one before (-1 for none), the most that were in one such window of late, and the
# seconds since the oldest message in it (-1 for none).
REFUSED = PLACES + filled(
    """
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
  local used = place_of(i, at - tonumber(ARGV[1 + 2 * i])) - ahead
  table.insert(result, used)
  table.insert(result, written(before > 0 and at - before or -1))
  table.insert(result, most_in(i, tonumber(ARGV[1 + 2 * i]), ahead))
  table.insert(result, written(used > 0 and now - entry(i, ahead + used - 1) or -1))
end
result[2] = written(now - slot)
return result
""",
    proven_for=PROVEN_FOR,
    most_looked_at=MOST_LOOKED_AT,
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
