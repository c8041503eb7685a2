"""``python -m tests.chaos --seconds S --seed N --report FILE``: trouble of every kind, and the verdict."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from forwarder.errors import ForwarderError
from tests.chaos.plan import EVERY
from tests.chaos.run import RATE, Wishes, perform


def main() -> int:
    """Returns 0 after a good verdict, 1 after a bad one or where it could not be run."""
    options = argparse.ArgumentParser(prog="chaos", description=__doc__)
    options.add_argument(
        "--seconds", type=float, default=60.0, help="seconds of trouble (default: %(default)g)"
    )
    options.add_argument("--seed", type=int, default=1, help="for everything that is left to chance")
    options.add_argument("--report", type=Path, help="write the report to this file, as JSON")
    options.add_argument("--logs", type=Path, help="keep what the processes say in this folder")
    options.add_argument("--rate", type=float, default=RATE, help="posts a second (default: %(default)g)")
    options.add_argument(
        "--every", type=float, default=EVERY, help="seconds between two troubles (default: %(default)g)"
    )
    given = options.parse_args()
    wishes = Wishes(given.seconds, given.seed, given.report, given.logs, given.rate, given.every)
    try:
        report = asyncio.run(perform(wishes, lambda words: print(words, flush=True)))
    except ForwarderError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print("\n".join(report["words"]))
    return 0 if report["good"] else 1


if __name__ == "__main__":
    sys.exit(main())
