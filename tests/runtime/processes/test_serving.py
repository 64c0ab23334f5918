"""All processes of one server, started and ended from this one."""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from tests.support.served import DEADLINE_S, FREE_PORTS, state_when, until

from skill_runtime.channel.channel import Word
from skill_runtime.channel.state_layout import State
from skill_runtime.channel.state_record import MODES
from skill_runtime.client import SkillClient
from skill_runtime.processes.config import ServerOptions
from skill_runtime.processes.serving import ServeError, Serving
from skill_runtime.realtime.cpus import allowed_cpus
from skill_runtime.transport.addresses import AddressError

Serve = Callable[..., Serving]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for private folders, which is empty."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def children() -> list[psutil.Process]:
    """Returns all but the tracker of Python's multiprocessing, which other tests leave behind."""

    def tracks(child: psutil.Process) -> bool:
        with suppress(psutil.Error):  # it ends at this moment
            return "resource_tracker" in " ".join(child.cmdline())
        return False

    return [child for child in psutil.Process().children() if not tracks(child)]


def descriptors() -> int:
    """Returns the number of open descriptors, without those of objects that are gone."""
    gc.collect()
    return psutil.Process().num_fds()


def roles() -> dict[str, int]:
    """Returns the process ids of the running children by their module."""
    found: dict[str, int] = {}
    for child in children():
        with suppress(psutil.Error):  # it has just ended
            words = child.cmdline()
            if "-m" in words:
                found[words[words.index("-m") + 1].rpartition(".")[2]] = child.pid
    return found


@pytest.fixture
def lines() -> list[str]:
    """The lines that the children have logged."""
    return []


@pytest.fixture
def serving(policy_file: Path, folder: Path, lines: list[str]) -> Iterator[Serving]:
    """A server that runs its demo."""
    with Serving(ServerOptions(model=policy_file), FREE_PORTS, lines.append) as serving:
        assert serving.start()
        assert serving.channel.words[Word.GATEWAY_BEAT] > 0
        yield serving


def mode(serving: Serving) -> str:
    state = serving.state()
    return "" if state is None else MODES[state.integers["mode"]]


def speed(state: State | None) -> float:
    assert state is not None
    return float(np.abs(state.blocks["joint_velocity"]).max())


def test_a_server_has_three_processes_and_a_fourth_for_act(serving: Serving) -> None:
    assert set(roles()) == {"controller", "gateway", "stop_listener"}
    assert serving.controller_ended is None
    welcome = serving.ready.described.welcome
    with SkillClient(serving.addresses.commands, timeout_s=DEADLINE_S) as client:
        server = client.hello()
        assert server.instance == welcome.instance
        assert len(server.instance) == 16
        assert server.stop_address == serving.addresses.stop
        client.act(
            np.zeros((1, welcome.manifest.observation_size)), session="s", skill=[[1.0, 0.0]]
        )
    assert set(roles()) == {"controller", "gateway", "stop_listener", "policy_service"}


def test_the_state_is_readable_by_the_parent(serving: Serving) -> None:
    first = serving.beat
    until(lambda: serving.beat > first)
    until(lambda: mode(serving) == "skill")
    state = serving.state()
    assert state is not None
    until(lambda: serving.state().integers["tick"] > state.integers["tick"])  # type: ignore[union-attr]


@pytest.mark.skipif(len(allowed_cpus()) < 2, reason="one processor")
def test_the_control_loop_and_the_other_processes_have_different_processors(
    policy_file: Path, folder: Path
) -> None:
    allowed = allowed_cpus()
    with Serving(ServerOptions(model=policy_file), FREE_PORTS, lambda _: None) as serving:
        assert serving.start()
        found = {name: psutil.Process(pid).cpu_affinity() for name, pid in roles().items()}
        half = len(allowed) // 2
        assert found == {
            "controller": allowed[half:],
            "gateway": allowed[:half],
            "stop_listener": allowed[:half],
        }
    assert allowed_cpus() == allowed


def test_the_end_brings_a_moving_arm_to_rest(serving: Serving) -> None:
    until(lambda: speed(serving.state()) > 0.2)
    serving.close()
    assert mode(serving) == "stopped"
    assert speed(serving.state()) < 0.05
    assert serving.controller_ended == "exit code 0"
    serving.close()  # a second time has no effect


def test_the_end_leaves_no_process_descriptor_thread_or_folder(
    policy_file: Path, folder: Path
) -> None:
    threads = threading.active_count()
    before = descriptors()
    with Serving(ServerOptions(model=policy_file), FREE_PORTS, lambda _: None) as serving:
        assert serving.start()
        serving.channel.words[Word.SERVICE_WANTED] = 1
        until(lambda: "policy_service" in roles())
        pids = list(roles().values())
        assert list(folder.iterdir()) != []
    assert not any(map(psutil.pid_exists, pids))
    assert list(folder.iterdir()) == []
    assert threading.active_count() == threads
    del serving  # the memory is open as long as it is mapped
    until(lambda: descriptors() <= before)


@pytest.mark.parametrize(
    ("change", "may_pass", "words"),
    [
        ({"model": Path("absent.onnx")}, False, "absent.onnx"),
        ({"servo_rate_hz": 110.0}, False, "110 Hz"),
    ],
)
def test_a_controller_that_cannot_serve_gives_its_reason(
    policy_file: Path, folder: Path, change: dict[str, object], may_pass: bool, words: str
) -> None:
    before = descriptors()
    options = replace(ServerOptions(model=policy_file), **change)  # type: ignore[arg-type]
    with Serving(options, FREE_PORTS, lambda _: None) as serving:
        with pytest.raises(ServeError, match=words) as info:
            serving.start()
        assert info.value.may_pass == may_pass
    assert children() == []
    assert list(folder.iterdir()) == []
    del serving, info
    until(lambda: descriptors() <= before)


def test_a_controller_that_dies_while_it_starts_is_an_error(
    policy_file: Path, folder: Path
) -> None:
    def kill(pids: list[int]) -> None:
        until(lambda: "controller" in roles())
        pids.append(roles()["controller"])
        os.kill(pids[0], signal.SIGKILL)

    pids: list[int] = []
    killer = threading.Thread(target=kill, args=(pids,))
    killer.start()
    with Serving(ServerOptions(model=policy_file), FREE_PORTS, lambda _: None) as serving:
        with pytest.raises(ServeError, match="the controller died") as info:
            serving.start()
        assert info.value.may_pass
        killer.join()
    assert children() == []


def test_a_start_may_be_cancelled(policy_file: Path, folder: Path) -> None:
    with Serving(ServerOptions(model=policy_file), FREE_PORTS, lambda _: None) as serving:
        assert not serving.start(lambda: True)
    assert children() == []
    assert list(folder.iterdir()) == []


def test_an_address_that_cannot_be_bound_starts_no_process(
    serving: Serving, policy_file: Path
) -> None:
    before = len(children())
    with pytest.raises(AddressError, match="in use"):
        Serving(ServerOptions(model=policy_file), serving.addresses, lambda _: None)
    assert len(children()) == before


# Failures -----------------------------------------------------------------------------------------

NETWORK = ["gateway", "stop_listener"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("role", NETWORK)
def test_a_network_process_is_replaced_and_the_controller_ticks_on(
    serving: Serving, lines: list[str], caplog: pytest.LogCaptureFixture, role: str, number: int
) -> None:
    until(lambda: mode(serving) == "skill")
    before = roles()
    os.kill(before[role], number)
    until(lambda: roles().get(role, before[role]) != before[role])
    after = roles()
    assert {**after, role: 0} == {**before, role: 0}
    with SkillClient(serving.addresses.commands, timeout_s=DEADLINE_S) as client:
        until(lambda: answers(client))
        client.stop("still works")
        state = state_when(client, lambda state: state.counters.get(f"restarts.{role}") == 1)
        assert state.mode == "stopped"
    name = role.replace("_", " ")
    assert [text for text in caplog.messages if f"the {name} failed" in text]
    assert serving.controller_ended is None


def answers(client: SkillClient) -> bool:
    try:
        client.hello()
    except Exception:
        return False
    return True


def test_without_a_stop_listener_the_arm_stops_and_may_be_cleared_with_the_next(
    serving: Serving, lines: list[str]
) -> None:
    until(lambda: mode(serving) == "skill")
    os.kill(roles()["stop_listener"], signal.SIGSTOP)
    until(lambda: mode(serving) == "stopped")
    until(lambda: any("the stop listener does not answer" in line for line in lines))
    with SkillClient(serving.addresses.commands, timeout_s=DEADLINE_S) as client:
        until(lambda: clears(client))
        state_when(client, lambda state: state.mode == "hold")


def clears(client: SkillClient) -> bool:
    try:
        client.clear()
    except Exception:
        return False
    return True


def test_a_machine_that_cannot_restart_a_process_keeps_the_arm_stopped(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(lambda: mode(serving) == "skill")
    executable = sys.executable
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    os.kill(roles()["stop_listener"], signal.SIGKILL)
    until(lambda: mode(serving) == "stopped")
    time.sleep(0.2)
    assert mode(serving) == "stopped"
    monkeypatch.setattr("sys.executable", executable)
    with SkillClient(serving.addresses.commands, timeout_s=DEADLINE_S) as client:
        until(lambda: clears(client))
