"""The attack benchmark: its judgement, its raw peer, and one attack on a real server."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import zmq
from benchmarks.serving.hostile.__main__ import Config, main
from benchmarks.serving.hostile.attacks import ATTACKS
from benchmarks.serving.hostile.attacks.attack import Attack
from benchmarks.serving.hostile.contract import judge, more_late
from benchmarks.serving.hostile.losses import LOSSES
from benchmarks.serving.hostile.observed import Sent, State
from benchmarks.serving.hostile.results import Repeat, Result, late_ticks, longest_gap, stop_s
from benchmarks.serving.hostile.rig import CONTROLLER, Memory
from benchmarks.serving.hostile.zmtp import RawPeer, message

from skill_runtime.console.flags import UsageError

MOVES = ATTACKS["hellos-8"]
STOPS = ATTACKS["hard-stops"]


USUAL = Repeat(
    late=0,
    mode="skill",
    kept=True,
    stops_s=[0.003, 0.004],
    silent_s=0.05,
    moving_s=0.1,
    restarted=False,
)
"""A repeat without effect."""


def result(attack: Attack = MOVES, log: str = "", peak: float = 101.0, **fields: object) -> Result:
    """A result of 24 equal repeats, and 8 controls without effect."""
    return Result(
        attack=attack,
        attacked=[replace(USUAL, **fields)] * 24,
        controls=[USUAL] * 8,
        before={CONTROLLER: Memory(100.0, 90.0, 100.0), "gateway": Memory(50.0, 40.0, 50.0)},
        after={CONTROLLER: Memory(100.0, 90.0, 100.0), "gateway": Memory(50.0, 40.0, 50.0)},
        peaks={CONTROLLER: peak, "gateway": 60.0},
        total_peak=165.0,
        log=log,
        alive=True,
        restarts=0,
    )


def test_an_attack_without_effect_keeps_the_contract() -> None:
    verdict = judge(result(), 250.0)
    assert verdict.broken == ()
    assert verdict.stop_p99_s == 0.004
    assert verdict.total_growth_mb == 15.0
    assert judge(result(STOPS, mode="stopped"), 250.0).broken == ()


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (result(late=1), "1 more late ticks"),
        (result(stops_s=[0.003, 0.02]), "stop read after 20 ms"),
        (result(stops_s=[math.inf]), "stop read after more than 5 s"),
        (result(silent_s=1.2), "silent for 1.2 s"),
        (result(moving_s=1.5), "no motion possible for 1.5 s"),
        (result(mode="stopped"), "stopped in 24 of 24"),
        (result(kept=False), "lease lost in 24 of 24"),
        (result(STOPS), "not stopped in 24 of 24"),
        (result(restarted=True), "the controller died"),
        (result(peak=110.0), "controller grew by 10 MB"),
        (result(log="stop: \x1b[2K\n"), r"raw in the log: '\x1b'"),
        (result(log="stop: ok\nskill-serve: cleared by operator\n"), "a forged line in the log"),
        (result(log="stop\n" * 5000), "5000 lines in the log"),
    ],
)
def test_each_line_of_the_contract_can_be_broken(found: Result, words: str) -> None:
    assert judge(found, 250.0).broken == (words,)


def test_a_process_beyond_its_bound_breaks_the_contract() -> None:
    assert judge(result(), 55.0).broken == ("a process grew to 60 MB",)


def test_more_late_ticks_by_chance_are_probable() -> None:
    assert more_late([0] * 24, [0] * 8) == 1.0
    assert more_late([1] * 24, [0] * 8) < 0.01
    assert more_late([0, 1, 2, 3] * 6, [0, 1, 2, 3] * 2) > 0.1


@pytest.mark.parametrize(
    ("ticks", "skipped", "late", "expected"), [(48, 2, 1, 3), (0, 0, 0, 0), (390, 10, 30, 5)]
)
def test_late_ticks_count_for_the_usual_time(
    ticks: int, skipped: int, late: int, expected: float
) -> None:
    first = State(0.0, 0.0, 0, "skill", None, 0, 0, "")
    last = State(0.0, 0.0, ticks, "skill", None, skipped, late, "")
    assert late_ticks(first, last, 50) == expected


def test_the_longest_gap_includes_begin_and_end() -> None:
    assert longest_gap([2.0, 3.0], 1.0, 7.0) == 4.0
    assert longest_gap([math.inf, 0.5], 1.0, 7.0) == 6.0


@pytest.mark.parametrize(
    ("sent", "seconds", "arm_stops"),
    [
        (Sent(0.0, "stop", answered=0.002, accepted=True), 0.002, False),
        (Sent(0.0, "stop", seen=0.01), 0.01, True),
        (Sent(0.0, "stop"), math.inf, True),
        (Sent(0.0, "stop", answered=0.002), math.inf, False),
        (Sent(0.0, "stop", was_stopped=True), None, False),
        (Sent(0.0, "stop", was_stopped=True, answered=0.002, accepted=True), 0.002, False),
        (Sent(0.0, "stop", was_stopped=True, answered=0.2, accepted=True), None, True),
    ],
)
def test_a_stop_counts_from_its_effect(sent: Sent, seconds: float | None, arm_stops: bool) -> None:
    assert stop_s(sent, arm_stops=arm_stops) == seconds


def test_one_late_stop_of_many_is_no_fault_of_the_server() -> None:
    found = result()
    found.attacked[-1] = replace(USUAL, stops_s=[0.02])
    assert judge(found, 250.0).broken == ()
    found.attacked[-1] = replace(USUAL, stops_s=[0.2])
    assert judge(found, 250.0).broken == ("stop read after 200 ms",)


@pytest.mark.parametrize(("rate", "late"), [(200.0, 3), (1000.0, 40)])
def test_late_ticks_are_read_from_the_histogram(rate: float, late: int) -> None:
    timing = {
        "overruns": 2,
        "wakeup_latency_le_us": [100.0, 500.0, 2500.0],
        "wakeup_latency_count": [10, 60, 97, 100],
    }
    state = {"time": 1.0, "tick": 100, "mode": "skill", "lease_holder": None}
    frame = json.dumps({**state, "timing": timing, "last_event": ""}).encode()
    assert State.of(frame, 1.0 / rate)[5:7] == (2, late)


def test_a_raw_peer_speaks_to_libzmq() -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        port = router.bind_to_random_port("tcp://127.0.0.1")
        with RawPeer(f"tcp://127.0.0.1:{port}", identity=b"raw") as peer:
            peer.send(message(b"", b"x" * 300, b"end"))
            assert router.recv_multipart() == [b"raw", b"", b"x" * 300, b"end"]


def test_names_are_unique_and_attacks_are_described() -> None:
    assert not ATTACKS.keys() & LOSSES.keys()
    assert all((attack.run.__doc__ or "").endswith(".") for attack in ATTACKS.values())


def test_the_program_attacks_a_real_server(policy_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    main(Config(model=policy_file, attacks=("nested-lists",), repeats=1, json=path))
    (verdict,) = json.loads(path.read_text())["attacks"]
    assert (verdict["name"], verdict["repeats"]) == ("nested-lists", 1)


def test_an_unknown_attack_is_named() -> None:
    with pytest.raises(UsageError, match="got absent"):
        main(Config(attacks=("absent",)))
