"""Every attack of the benchmark, once: the arm, the lease and the processes survive it."""

from __future__ import annotations

import pytest
from benchmarks.serving.hostile.attacker import Attacker
from benchmarks.serving.hostile.attacks import ATTACKS
from benchmarks.serving.hostile.bystanders import Bystanders
from benchmarks.serving.hostile.campaign import Campaign
from benchmarks.serving.hostile.contract import RAW_CONTROL
from benchmarks.serving.hostile.rig import Server
from tests.runtime.hostile.attacked import Watch, until_it_moves


@pytest.mark.parametrize("name", ATTACKS)
def test_the_arm_obeys_and_the_processes_stay_small(
    server: Server, clients: Bystanders, attacker: Attacker, name: str
) -> None:
    attack, watch = ATTACKS[name], Watch(server)
    logged = server.log.stat().st_size
    repeat = Campaign(server, clients, attacker).once(attack, 0)
    watch.check()
    if attack.arm == "stops":
        assert repeat.mode == "stopped"
    elif attack.arm == "moves":
        assert repeat.mode not in ("stopped", "fault")
        assert repeat.kept, "the holder lost its lease"
    assert max(repeat.stops_s, default=0.0) < 5.0, "a stop was not read"
    until_it_moves(clients)
    log = server.log.read_bytes()[logged:].decode(errors="backslashreplace")
    assert not RAW_CONTROL.findall(log)
    assert "Traceback" not in log
