"""The supervisor restarts what dies, stops in order, and never leaves anybody behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from forwarder.processes.forked import by_fork
from forwarder.supervisor import Event, ProcessSpec, Supervisor, What

ROOT = Path(__file__).resolve().parents[2]
SLEEP = ["sleep", "1000"]
STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "w").close()
time.sleep(1000)
"""
OWNER = """
import sys
from forwarder.supervisor import ProcessSpec, Supervisor
sys.exit(Supervisor(
    [
        ProcessSpec("late", ["sleep", "1000"], stop_group=2),
        ProcessSpec("early", ["sleep", "1000"], stop_group=1),
    ],
    on_event=lambda event: print(event.name, event.what.name, event.pid, flush=True),
).run())
"""
COPIES = """
import atexit, os, sys, threading, time
from pathlib import Path
from forwarder.processes.forked import by_fork
from forwarder.supervisor import ProcessSpec, Supervisor

def main(arguments):
    folder, word = Path(arguments[0]), arguments[1]
    fact = folder / os.environ["NAME"]
    open_files = {int(path.name) for path in Path("/proc/self/fd").iterdir()}
    text = f"{os.getpid()} {os.getsid(0)} {Path('/proc/self/comm').read_text().strip()} {len(open_files)}"
    fact.with_suffix(".new").write_text(text)
    fact.with_suffix(".new").replace(fact)
    atexit.register((folder / f"{os.environ['NAME']} left").touch)
    if word == "refuse":
        return 2
    while True:
        time.sleep(0.05)
        if (folder / "leave").exists():
            return 7

kept = open("/dev/null"), open("/dev/null")
specs = [
    ProcessSpec(name, [sys.executable, "manage.py", sys.argv[1], word], {"NAME": name}, stop_group=group)
    for name, word, group in (("late", "stay", 2), ("early", "stay", 1), ("bad", "refuse", 0))
]
tell = lambda event: print(event.name, event.what.name, event.pid, event.status, flush=True)
sys.exit(Supervisor(specs, on_event=tell, first_pause=0.05, launch=by_fork(main, ())).run())
"""


def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Watched:
    """A supervisor together with what it told."""

    def __init__(self, *specs: ProcessSpec, **options: float) -> None:
        self.events: list[Event] = []
        self.supervisor = Supervisor(specs, on_event=self.events.append, **options)

    def told(self, what: What) -> list[str]:
        return [event.name for event in list(self.events) if event.what is what]

    def __enter__(self) -> "Watched":
        self.supervisor.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.supervisor.stop()


def test_all_run_after_start_and_none_after_stop() -> None:
    with Watched(ProcessSpec("a", SLEEP), ProcessSpec("b", SLEEP)) as watched:
        pids = watched.supervisor.pids()
        assert list(pids) == ["a", "b"]
        assert all(alive(pid) for pid in pids.values())
    assert not any(alive(pid) for pid in pids.values())
    assert watched.supervisor.pids() == {}


def test_what_dies_is_started_again_after_growing_pauses() -> None:
    with Watched(ProcessSpec("a", ["sh", "-c", "exit 7"]), first_pause=0.02) as watched:
        until(lambda: len(watched.told(What.EXITED)) >= 4)
    ends = [event for event in watched.events if event.what is What.EXITED][:4]
    assert [event.pause for event in ends] == [0.02, 0.04, 0.08, 0.16]
    assert {event.status for event in ends} == {7}
    assert "ended with status 7; starts again in 0.02 s" in str(ends[0])


def test_a_killed_child_is_started_again_with_a_new_process() -> None:
    with Watched(ProcessSpec("a", SLEEP), first_pause=0.02) as watched:
        old = watched.supervisor.kill("a")
        until(lambda: watched.supervisor.pids().get("a", old) != old)
    [end] = [event for event in watched.events if event.what is What.EXITED]
    assert end.status == -signal.SIGKILL
    assert "ended by SIGKILL" in str(end)


def test_killing_what_does_not_run_is_an_error_that_says_so() -> None:
    with Watched(ProcessSpec("a", ["sh", "-c", "exit 2"])) as watched:
        until(lambda: watched.told(What.REFUSED))
        with pytest.raises(ProcessLookupError, match="a does not run"):
            watched.supervisor.kill("a")
        with pytest.raises(KeyError):
            watched.supervisor.kill("z")


def test_who_refuses_its_settings_is_not_started_again_and_the_others_go_on() -> None:
    refuses = ProcessSpec("a", ["sh", "-c", "exit 2"])
    with Watched(refuses, ProcessSpec("b", SLEEP), first_pause=0.01) as watched:
        until(lambda: watched.told(What.REFUSED))
        assert list(watched.supervisor.pids()) == ["b"]
    assert watched.told(What.STARTED) == ["a", "b"]


def test_when_all_refuse_their_settings_run_ends_with_status_2() -> None:
    assert Supervisor([ProcessSpec("a", ["sh", "-c", "exit 2"])]).run() == 2


def test_lower_stop_groups_end_before_higher_ones_are_asked() -> None:
    with Watched(
        ProcessSpec("last", SLEEP, stop_group=9), ProcessSpec("b", SLEEP), ProcessSpec("c", SLEEP)
    ) as watched:
        pass
    stops = [(event.name, event.what) for event in watched.events if event.what is not What.STARTED]
    assert stops[:2] == [("b", What.STOPPING), ("c", What.STOPPING)]
    assert set(stops[2:4]) == {("b", What.STOPPED), ("c", What.STOPPED)}
    assert stops[4:] == [("last", What.STOPPING), ("last", What.STOPPED)]


def test_who_ignores_the_request_is_killed_after_its_grace(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    with Watched(ProcessSpec("a", [sys.executable, "-c", STUBBORN, str(ready)]), stop_grace=0.2) as watched:
        until(ready.exists)
        [pid] = watched.supervisor.pids().values()
    assert not alive(pid)
    assert watched.told(What.KILLED) == ["a"]


def test_children_see_their_own_environment(tmp_path: Path) -> None:
    where = tmp_path / "seen"
    show = ["sh", "-c", f'printf %s "$HERE" > {where}; exec sleep 1000']
    with Watched(ProcessSpec("a", show, {"HERE": "yes"})):
        until(lambda: where.exists() and where.read_text() == "yes")


def test_a_program_that_does_not_exist_is_tried_again_not_raised() -> None:
    with Watched(ProcessSpec("a", ["no-such-program-anywhere"]), first_pause=5.0) as watched:
        until(lambda: watched.told(What.EXITED))
        assert watched.supervisor.pids() == {}


def test_two_processes_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="same name"):
        Supervisor([ProcessSpec("a", SLEEP), ProcessSpec("a", SLEEP)])


@pytest.fixture
def owner() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def started(owner: subprocess.Popen[str]) -> list[int]:
    assert owner.stdout is not None
    return [int(owner.stdout.readline().split()[2]) for _ in range(2)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_in_order_and_a_second_one_changes_nothing(
    owner: subprocess.Popen[str], number: int
) -> None:
    pids = started(owner)
    owner.send_signal(number)
    owner.send_signal(number)
    rest = owner.communicate(timeout=20)[0].splitlines()
    assert [line.rsplit(" ", 1)[0] for line in rest] == [
        "early STOPPING", "early STOPPED", "late STOPPING", "late STOPPED",
    ]  # fmt: skip
    assert owner.returncode == 0
    assert not any(alive(pid) for pid in pids)


def test_children_end_with_a_killed_supervisor(owner: subprocess.Popen[str]) -> None:
    pids = started(owner)
    # Only then is it the kernel's signal that ends them, and not the tether's look at its parent.
    until(lambda: all(Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep") for pid in pids))
    owner.kill()
    until(lambda: not any(alive(pid) for pid in pids))


def test_the_end_of_the_thread_that_called_start_ends_nobody() -> None:
    watched = Watched(ProcessSpec("a", SLEEP))
    caller = threading.Thread(target=watched.supervisor.start)
    caller.start()
    caller.join()
    try:
        [pid] = watched.supervisor.pids().values()
        os.kill(pid, 0)
        assert watched.told(What.EXITED) == []
        assert alive(pid)
    finally:
        watched.supervisor.stop()


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", COPIES, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def fact(folder: Path, name: str, but: str = "") -> list[str]:
    """What a copy wrote down: process id, session, name, number of open files."""
    path = folder / name
    until(lambda: path.exists() and path.read_text().split()[0] != but)
    return path.read_text().split()


def test_a_copy_has_a_session_and_a_name_of_its_own_and_none_of_our_files(
    copies: subprocess.Popen[str], tmp_path: Path
) -> None:
    pid, session, name, files = fact(tmp_path, "early")
    assert (session, name) == (pid, "early")
    assert int(files) == 4, "the three standard ones, and the list of them"


def test_a_copy_that_is_killed_or_leaves_is_made_anew_and_one_that_refuses_is_not(
    copies: subprocess.Popen[str], tmp_path: Path
) -> None:
    first = fact(tmp_path, "late")[0]
    os.kill(int(first), signal.SIGKILL)
    second = fact(tmp_path, "late", but=first)[0]
    (tmp_path / "leave").touch()
    fact(tmp_path, "late", but=second)
    assert (tmp_path / "late left").exists(), "what was to be done at its end was done"
    copies.terminate()
    told = copies.communicate(timeout=20)[0].splitlines()
    assert f"late EXITED {first} -9" in told
    assert f"late EXITED {second} 7" in told
    assert [line.split()[1] for line in told if line.startswith("bad")] == ["STARTED", "REFUSED"]


def test_copies_stop_in_order(copies: subprocess.Popen[str], tmp_path: Path) -> None:
    pids = [int(fact(tmp_path, name)[0]) for name in ("early", "late")]
    copies.send_signal(signal.SIGTERM)
    copies.send_signal(signal.SIGTERM)
    told = [line.split()[:2] for line in copies.communicate(timeout=20)[0].splitlines()]
    assert told[-4:] == [
        ["early", "STOPPING"], ["early", "STOPPED"], ["late", "STOPPING"], ["late", "STOPPED"],
    ]  # fmt: skip
    assert copies.returncode == 0
    assert not any(alive(pid) for pid in pids)


def test_copies_end_with_a_killed_supervisor(copies: subprocess.Popen[str], tmp_path: Path) -> None:
    pids = [int(fact(tmp_path, name)[0]) for name in ("early", "late")]
    copies.kill()
    until(lambda: not any(alive(pid) for pid in pids))


def test_no_copy_is_made_beside_another_thread() -> None:
    launch = by_fork(lambda arguments: 0, ())
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    try:
        with pytest.raises(AssertionError, match="locks that other threads hold"):
            launch(ProcessSpec("a", [sys.executable, "manage.py"]))
    finally:
        done.set()
        other.join()
