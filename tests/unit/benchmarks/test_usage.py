"""What a process costs is found by its id, its children's by their names."""

import os
import subprocess
import time

from benchmarks.usage import children_by_name, family, own_pss_mb, pss_mb


def test_a_family_is_a_process_with_its_children_who_have_names() -> None:
    with subprocess.Popen(["sleep", "1000"]) as child:
        try:
            deadline = time.monotonic() + 10
            while "sleep" not in children_by_name(os.getpid()) and time.monotonic() < deadline:
                time.sleep(0.01)  # it has its name a moment after it has become another program
            assert children_by_name(os.getpid())["sleep"] == child.pid
            assert {os.getpid(), child.pid} <= set(family(os.getpid()))
            assert pss_mb(os.getpid()) > own_pss_mb(os.getpid()) > own_pss_mb(child.pid) > 0
        finally:
            child.kill()


def test_who_has_ended_costs_nothing() -> None:
    with subprocess.Popen(["true"]) as child:
        child.wait()
    assert family(child.pid) == []
    assert pss_mb(child.pid) == own_pss_mb(child.pid) == 0
    assert children_by_name(child.pid) == {}
