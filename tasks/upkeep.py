"""What beat has done: see forwarder/upkeep.py."""

from __future__ import annotations

from tasks.app import app, house


@app.task(name="relay")
def relay() -> str:
    """Ring for every lane with due work whose bell was lost."""
    return f"rang for {house.run(house.worker.relay())} lanes"


@app.task(name="sweep")
def sweep() -> str:
    """Look after everything that can stick."""
    return house.run(house.worker.sweep())


@app.task(name="retention")
def retention() -> str:
    """Forget what no one will ask for again."""
    return house.run(house.worker.retention())


@app.task(name="reopen")
def reopen() -> str:
    """See whether closed topics are open again."""
    return house.run(house.worker.reopen())
