"""A client is used by one thread at a time, and only in the process that made it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.support.served import DEADLINE_S, until
from tests.support.stand_in import StandIn

from skill_runtime.client import ClientError, InvalidUseError, SkillClient
from skill_runtime.client.guard import Guard


@pytest.fixture
def server() -> Iterator[StandIn]:
    with StandIn("server") as server:
        yield server


@pytest.fixture
def client(server: StandIn) -> Iterator[SkillClient]:
    with SkillClient(server.address, timeout_s=10.0) as client:
        yield client


# Threads ------------------------------------------------------------------------------------------


def test_a_call_during_that_of_another_thread_is_refused(
    server: StandIn, client: SkillClient
) -> None:
    client.acquire("me", ttl_s=60)
    client.state()
    stream = client.stream()
    server.answers = server.publishes = False
    thread = threading.Thread(target=client.hello, name="worker")
    thread.start()
    until(lambda: client._guard._caller == "worker")
    calls: list[Callable[[], object]] = [
        client.hello,
        client.state,
        client.clear,
        client.hold,
        client.stream,
        lambda: client.acquire("you"),
        lambda: client.skill([1, 0]),
        lambda: client.server,
        lambda: client.act([[0.0] * 28], session="s"),
        lambda: stream.servo_joint([0.0] * 7),
        lambda: stream.sleep_until(0.0),
        stream.finish,
    ]
    for call in calls:
        with pytest.raises(InvalidUseError, match=r"'worker'.*one SkillClient per thread"):
            call()
    server.answers = server.publishes = True
    thread.join()
    client.skill([1, 0])
    stream.close()


def test_threads_may_take_turns(client: SkillClient) -> None:
    client.acquire("me", ttl_s=60)
    for _ in range(5):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(client.skill, [1, 0]).result(DEADLINE_S)
            pool.submit(client.state).result(DEADLINE_S)


def test_many_threads_at_once_abort_nothing(client: SkillClient) -> None:
    refused: list[ClientError] = []

    def work() -> None:
        for _ in range(100):
            try:
                client.hello()
                client.state()
            except InvalidUseError as error:
                refused.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.hello()
    assert refused


def test_a_signal_handler_may_call_its_own_client(client: SkillClient) -> None:
    client.state()
    called: list[str] = []

    def handle(number: int, frame: object) -> None:
        called.append(client.hello().type)
        client.stop("a signal")

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
        until(lambda: client.state() is not None and bool(called))
        assert called == ["welcome"]
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_an_error_within_a_call_leaves_the_guard() -> None:
    guard = Guard()
    with pytest.raises(ZeroDivisionError), guard:
        raise ZeroDivisionError
    with ThreadPoolExecutor(1) as pool:
        pool.submit(guard.__enter__).result(DEADLINE_S)


# Processes ----------------------------------------------------------------------------------------

FORKS = """
import os, sys, time
from skill_runtime.client import ClientError, SkillClient
client = SkillClient(sys.argv[1], timeout_s=20)
lease = client.acquire("parent", ttl_s=60)
client.state()
stream = client.stream()
child = os.fork()
if child:
    assert os.waitpid(child, 0)[1] == 0
    client.skill([1, 0])
    stream.servo_joint([0] * 7)
    stream.finish()
    print(client.state().lease_holder)
    sys.exit()
calls = {
    "hello": client.hello,
    "server": lambda: client.server,
    "state": client.state,
    "telemetry": lambda: next(client.telemetry()),
    "latest": lambda: client.latest,
    "acquire": lambda: client.acquire("child"),
    "skill": lambda: client.skill([1, 0]),
    "goal": lambda: client.goal([0, 0]),
    "hold": client.hold,
    "reset": client.reset,
    "clear": client.clear,
    "scene": lambda: client.scene(mass=1),
    "act": lambda: client.act([[0] * 28], session="s"),
    "stream": client.stream,
    "servo_joint": lambda: stream.servo_joint([0] * 7),
    "sleep_until": lambda: stream.sleep_until(0),
    "finish": stream.finish,
}
began = time.monotonic()
for name, call in calls.items():
    try:
        call()
    except ClientError as error:
        assert "fork" in str(error), error
    else:
        raise SystemExit(f"{name} did not raise")
assert time.monotonic() - began < 5
"""


@pytest.mark.parametrize(
    "end",
    [
        "",
        "sys.exit()",
        "lease.release(); client.close(); stream.close()",
        "del client, lease, stream; import gc; gc.collect()",
        "SkillClient(sys.argv[1], timeout_s=20).hello()",
    ],
    ids=["end", "exit", "close", "forgotten", "new"],
)
def test_in_a_fork_every_call_raises_and_the_parent_keeps_its_lease(
    server: StandIn, end: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKS + end, server.address],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "parent\n", "")
    assert server.holder is None


def test_a_fork_can_stop_the_arm(server: StandIn) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKS + "client.stop('from the child')", server.address],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert server.mode == "stopped"
    assert server.stops[-1].reason == "from the child"
    assert "LeaseLostError" in done.stderr  # of the parent


def test_a_block_that_a_fork_leaves_does_not_release_the_lease(server: StandIn) -> None:
    program = """
import multiprocessing, sys
from skill_runtime.client import SkillClient
with SkillClient(sys.argv[1], timeout_s=20) as client, client.acquire("parent", ttl_s=60):
    process = multiprocessing.get_context("fork").Process(target=client.state)
    process.start()
    process.join(30)
    assert process.exitcode == 1, process.exitcode
    client.skill([1, 0])
    print(client.state().lease_holder)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, server.address],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "parent\n"), done.stderr
    assert "before a fork" in done.stderr
