"""The lease of a client: renewed while the program runs, given back however it ends."""

from __future__ import annotations

import contextlib
import gc
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from tests.support.served import DEADLINE_S, until
from tests.support.stand_in import StandIn

from skill_proto.messages import Error, ErrorCode, Renew
from skill_runtime.client import (
    TRANSIENT_ERRORS,
    CommandRefusedError,
    LeaseHeldError,
    LeaseLostError,
    ServerUnreachableError,
    SkillClient,
)
from skill_runtime.client.lease import EXIT_WAIT_S

PROGRAM = """
import sys, threading, time
from skill_runtime.client import SkillClient
client = SkillClient(sys.argv[1], timeout_s=20)
client.acquire("program", ttl_s=60)
"""
"""Acquires a lease that would outlast the program."""


@pytest.fixture
def server() -> Iterator[StandIn]:
    with StandIn("server") as server:
        yield server


@pytest.fixture
def client(server: StandIn) -> Iterator[SkillClient]:
    with client_of(server) as client:
        yield client


def client_of(server: StandIn) -> SkillClient:
    return SkillClient(server.address, timeout_s=10.0)


def run(program: str, address: str) -> subprocess.CompletedProcess[str]:
    """Runs a program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program, address],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


# The end of the client ----------------------------------------------------------------------------


def test_a_forgotten_client_gives_its_lease_back(server: StandIn) -> None:
    client = client_of(server)
    client.acquire("me", ttl_s=60)
    client.state()
    del client  # without a garbage collection
    until(lambda: server.holder is None)
    until(lambda: not heartbeats())


def test_a_client_in_a_cycle_gives_its_lease_back(server: StandIn) -> None:
    client = client_of(server)
    client.acquire("me", ttl_s=60)
    client.itself = client  # type: ignore[attr-defined]  as a program may do
    del client
    gc.collect()
    until(lambda: server.holder is None)


def test_a_stream_keeps_the_lease(server: StandIn) -> None:
    client = client_of(server)
    client.acquire("me", ttl_s=60)
    with client.stream() as stream:
        del client
        gc.collect()
        stream.servo_joint([0.0] * 7)
        stream.finish()
        assert server.holder == "me"
    del stream
    until(lambda: server.holder is None)


def heartbeats() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "lease-heartbeat"]


# The end of the program ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("", 0),
        ("sys.exit(3)", 3),
        ("raise ValueError('a bug')", 1),
        ("client = None", 0),
        ("threading.Thread(target=lambda: time.sleep(.2)).start()", 0),
        ("import asyncio; asyncio.run(asyncio.sleep(0))", 0),
    ],
    ids=["end", "exit", "exception", "forgotten", "thread", "asyncio"],
)
def test_the_end_of_the_program_gives_the_lease_back(server: StandIn, end: str, code: int) -> None:
    done = run(PROGRAM + end, server.address)
    assert done.returncode == code, done.stderr
    assert (done.stderr == "") == (code != 1)
    assert server.kinds[-1] == "release"
    assert server.holder is None


def test_an_asyncio_program_gives_the_lease_back(server: StandIn) -> None:
    program = """
import asyncio, sys
from skill_runtime.client.aio import AsyncSkillClient
async def main():
    global client
    client = AsyncSkillClient(sys.argv[1], timeout_s=20)
    await client.acquire("program", ttl_s=60)
    await client.state()
asyncio.run(main())
"""
    done = run(program, server.address)
    assert (done.returncode, done.stderr) == (0, "")
    assert server.holder is None


def test_the_end_of_the_program_does_not_wait_for_a_server_that_is_gone() -> None:
    with StandIn("server") as server:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM + "print(1, flush=True); input()", server.address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        process.stdout.readline()
    began = time.monotonic()
    process.communicate(b"\n", timeout=DEADLINE_S)
    # The end of the interpreter itself takes most of this on a busy machine.
    assert time.monotonic() - began < EXIT_WAIT_S + 5.0
    assert process.returncode == 0


# Acquired again -----------------------------------------------------------------------------------


def test_the_holder_renews_its_lease(server: StandIn, client: SkillClient) -> None:
    lease = client.acquire("me", ttl_s=30)
    assert client.acquire("me", ttl_s=30) is lease
    assert server.kinds.count("acquire") == 1
    assert server.kinds[-1] == "renew"
    client.skill([1, 0])


@pytest.mark.parametrize("changed", [{"ttl_s": 20}, {"priority": 3}, {"holder": "myself"}])
def test_the_holder_replaces_its_lease(
    server: StandIn, client: SkillClient, changed: dict[str, object]
) -> None:
    given: dict[str, object] = {"holder": "me", "ttl_s": 30}
    lease = client.acquire(**given)  # type: ignore[arg-type]
    newer = client.acquire(**(given | changed))  # type: ignore[arg-type]
    assert newer is not lease
    assert server.kinds[-2:] == ["release", "acquire"]
    with pytest.raises(LeaseLostError, match="again"):
        lease.check()
    client.skill([1, 0])


def test_a_lease_that_was_lost_is_acquired_anew(server: StandIn, client: SkillClient) -> None:
    lease = client.acquire("me", ttl_s=30)
    client.stop("enough")
    server.mode = "hold"
    assert client.acquire("me", ttl_s=30) is not lease
    client.skill([1, 0])


def cell(server: StandIn) -> SkillClient:
    """Acquires the lease, as a notebook's cell does, and then fails."""
    client = client_of(server)
    client.acquire("nb", ttl_s=60)
    raise ZeroDivisionError


def test_a_cell_that_failed_can_be_run_again(server: StandIn) -> None:
    kept: list[BaseException] = []
    for _ in range(3):
        try:
            cell(server)
        except ZeroDivisionError as error:
            kept.append(error)  # the traceback keeps the client alive, as IPython does
    assert server.kinds.count("release") == 2
    with client_of(server) as last:
        last.acquire("nb", ttl_s=60)
        last.skill([1, 0])
    kept.clear()
    until(lambda: server.holder is None)


def test_a_cell_that_assigns_its_client_can_be_run_again(server: StandIn) -> None:
    namespace: dict[str, object] = {"SkillClient": SkillClient, "address": server.address}
    code = "c = SkillClient(address, timeout_s=10); c.acquire('nb', ttl_s=60); c.skill([1, 0])"
    for _ in range(5):
        exec(code, namespace)
    namespace.clear()
    until(lambda: server.holder is None)


def test_another_name_in_this_program_is_refused_with_the_remedy(
    server: StandIn, client: SkillClient
) -> None:
    other = client_of(server)
    other.acquire("the other", ttl_s=60)
    with pytest.raises(LeaseHeldError, match="'the other' holds the lease") as caught:
        client.acquire("me")
    assert "this same program" in str(caught.value)
    assert "same holder" in str(caught.value)
    other.close()
    client.acquire("me")


def test_threads_do_not_take_the_lease_from_each_other(
    server: StandIn, client: SkillClient
) -> None:
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with client_of(server) as other:
            other.acquire("worker", ttl_s=60)
            taken.set()
            done.wait(DEADLINE_S)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait(DEADLINE_S)
    try:
        with pytest.raises(LeaseHeldError, match="this same program"):
            client.acquire("worker")
    finally:
        done.set()
        thread.join()
    client.acquire("worker")


def test_the_lease_of_a_thread_that_has_ended_is_taken_over(
    server: StandIn, client: SkillClient
) -> None:
    kept: list[SkillClient] = []

    def hold() -> None:
        kept.append(client_of(server))
        kept[0].acquire("worker", ttl_s=60)

    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
    client.acquire("worker")
    with pytest.raises(LeaseLostError, match="acquired the lease again"):
        kept[0].skill([1, 0])
    kept[0].close()


# Renewal ------------------------------------------------------------------------------------------

KEEPS_INTERPRETER = "ctypes.PyDLL(None).usleep(2_500_000)"


@pytest.mark.parametrize(
    "pause", [KEEPS_INTERPRETER, "os.kill(os.getpid(), signal.SIGSTOP)"], ids=["call", "suspended"]
)
def test_a_pause_of_the_program_is_named(server: StandIn, pause: str) -> None:
    program = f"""
import ctypes, os, signal, sys
from skill_runtime.client import LeaseLostError, SkillClient
client = SkillClient(sys.argv[1], timeout_s=20)
client.acquire("me", ttl_s=1)
client.skill([1, 0])
{pause}
try:
    client.skill([1, 0])
except LeaseLostError as error:
    print(error)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program, server.address], stdout=subprocess.PIPE, text=True
    )
    until(lambda: "skill" in server.kinds)
    time.sleep(3.0)  # the program does not run for more than a time to live
    process.send_signal(signal.SIGCONT)
    out, _ = process.communicate(timeout=DEADLINE_S)
    assert "this program did not run for at least" in out
    seconds = float(out.partition("at least ")[2].split()[0])
    assert seconds > 1.0
    assert "longer than such a call" in out
    assert "'acquire'" not in out
    assert "token" not in out


def test_a_server_that_did_not_answer_is_named(server: StandIn, client: SkillClient) -> None:
    lease = client.acquire("me", ttl_s=1.0)
    server.answers = False
    until(lambda: not lease._heartbeat._answered)
    server.renewed_at = -1e9
    server.answers = True
    with pytest.raises(LeaseLostError, match=r"not renewed for 1 s.*did not answer"):
        until(lambda: client.skill([1, 0]) is not None)


@pytest.mark.parametrize("code", sorted(TRANSIENT_ERRORS))
def test_a_heartbeat_that_is_refused_for_a_moment_does_not_end_the_lease(
    server: StandIn, client: SkillClient, code: ErrorCode
) -> None:
    refused: list[Renew] = []

    def refuse(message: object) -> Error | None:
        if not isinstance(message, Renew) or len(refused) == 2:
            return None
        refused.append(message)
        return server.error(code, "later")

    server.override = refuse
    lease = client.acquire("me", ttl_s=0.8)
    renewed_at = server.renewed_at
    until(lambda: server.renewed_at > renewed_at)
    assert len(refused) == 2
    assert lease.ended_because is None
    client.skill([1, 0])


def test_another_end_of_the_lease_is_not_blamed_on_a_pause(
    server: StandIn, client: SkillClient
) -> None:
    lease = client.acquire("me", ttl_s=30)
    lease._heartbeat._longest_pause_s = 100.0
    with client_of(server) as other:
        other.stop("an obstacle")
    with pytest.raises(LeaseLostError, match="an obstacle") as caught:
        client.skill([1, 0])
    assert "did not run" not in str(caught.value)


def test_a_heartbeat_that_fails_ends_the_lease(server: StandIn, client: SkillClient) -> None:
    lease = client.acquire("me", ttl_s=0.4)
    lease._heartbeat.token = ""  # an invalid message: any error in the thread
    until(lambda: lease.ended_because is not None)
    with pytest.raises(LeaseLostError):
        client.skill([1, 0])


def test_a_release_ends_within_the_timeout_of_the_client() -> None:
    with StandIn("server") as server:
        client = SkillClient(server.address, timeout_s=0.5)
        client.acquire("me", ttl_s=60)
        server.answers = False
        began = time.monotonic()
        client.close()
        assert time.monotonic() - began < DEADLINE_S / 10


# A command that came too late ---------------------------------------------------------------------


def test_a_stale_command_is_sent_once_more(server: StandIn, client: SkillClient) -> None:
    client.acquire("me", ttl_s=30)
    refusals = [server.error("stale", "the command expired 0.2 s ago")]
    server.override = lambda message: (
        refusals.pop() if message.type == "skill" and refusals else None
    )
    client.skill([1, 0])
    first, second = [message for message in server.heard if message.type == "skill"]
    assert second.seq > first.seq
    assert second.reference_time > first.reference_time


def test_a_command_that_stays_stale_is_refused(server: StandIn, client: SkillClient) -> None:
    client.acquire("me", ttl_s=30)
    server.override = lambda m: server.error("stale", "late") if m.type == "skill" else None
    with pytest.raises(CommandRefusedError, match="valid_for_s") as caught:
        client.skill([1, 0])
    assert caught.value.code == "stale"
    assert server.kinds.count("skill") == 2


def test_a_program_may_forgo_the_second_time(server: StandIn, client: SkillClient) -> None:
    client.acquire("me", ttl_s=30)
    server.override = lambda m: server.error("stale", "late") if m.type == "skill" else None
    client.repeats_stale = False
    with pytest.raises(CommandRefusedError):
        client.skill([1, 0])
    assert server.kinds.count("skill") == 1


def test_other_refusals_are_not_sent_again(server: StandIn, client: SkillClient) -> None:
    client.acquire("me", ttl_s=30)
    server.override = lambda m: server.error("not_now", "fault") if m.type == "skill" else None
    with pytest.raises(CommandRefusedError):
        client.skill([1, 0])
    assert server.kinds.count("skill") == 1
    server.override = lambda m: None
    server.answers = False
    with SkillClient(server.address, timeout_s=0.3) as other, pytest.raises(ServerUnreachableError):
        other.clear()
    server.answers = True


# Never an error -----------------------------------------------------------------------------------


def test_close_never_raises(server: StandIn) -> None:
    client_of(server).close()
    client = client_of(server)
    client.acquire("me")
    server.override = lambda m: server.error("internal", "a bug") if m.type == "release" else None
    client.close()
    client.close()
    with contextlib.closing(client_of(server)) as other:
        other.hello()
