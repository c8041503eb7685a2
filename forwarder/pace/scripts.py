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

from forwarder.pace.learning import HOLD_UNEXPLAINED, QUICK_RECOVERY, RECOVERY
from forwarder.pace.values import HORIZON

TIME = "redis.call('TIME')"

FIRST_KEYS = 7

KEEP_MS = 86_400_000
"""Logs and waits outlive their use by a day, for the clock by which Redis forgets may jump forward."""


def filled(body: str, **values: float) -> str:
    """A body with the values of its ``{names}``."""
    for name, value in values.items():
        body = body.replace("{" + name + "}", str(value))
    return body


CLOCK = filled(
    """
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
""",
    first_keys=FIRST_KEYS,
    hold_unexplained=HOLD_UNEXPLAINED,
    quick_recovery=QUICK_RECOVERY,
    recovery=RECOVERY,
)

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


def script(body: str, time: str = TIME) -> str:
    """A script with its clock; ``time`` is the expression that answers seconds and microseconds."""
    return filled((CLOCK + body).replace("{time}", time), keep=KEEP_MS, horizon=HORIZON)
