"""AsyncSkillClient: the calls of SkillClient, several at a time, without a blocked event loop."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import numpy as np
import pytest
from tests.support.router_peer import Peer
from tests.support.served import DEADLINE_S, Served, until
from tests.support.stand_in import StandIn, acted

from skill_runtime.client import (
    ClientError,
    CommandRefusedError,
    InvalidAddressError,
    InvalidUseError,
    LeaseHeldError,
    LeaseLostError,
    NoLeaseError,
    ProtocolError,
    ServerReplacedError,
    ServerUnreachableError,
    SessionLostError,
    SkillClient,
    WrongServerError,
)
from skill_runtime.client.aio import AsyncSkillClient

NOWHERE = "tcp://127.0.0.1:1"
ROW, SKILL = [[0.0] * 28], [[1.0, 0.0]]


def run(program: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401  the result of any program
    """Runs a program of asyncio; a hang fails the test."""
    return asyncio.run(asyncio.wait_for(program, DEADLINE_S))


@pytest.fixture
def server() -> Iterator[StandIn]:
    with StandIn("server") as server:
        yield server


def client_of(server: StandIn, timeout_s: float = 10.0, **options: Any) -> AsyncSkillClient:  # noqa: ANN401  passed on
    return AsyncSkillClient(server.address, timeout_s=timeout_s, **options)


async def eventually(condition: Callable[[], bool]) -> None:
    """Waits in the event loop until the condition holds."""
    ends = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < ends, "never happened"
        await asyncio.sleep(0.005)


def test_it_has_the_surface_of_the_other_client() -> None:
    public = {name for name in vars(SkillClient) if not name.startswith("_")}
    assert public == {name for name in vars(AsyncSkillClient) if not name.startswith("_")}
    for name in public:
        sync, own = vars(SkillClient)[name], vars(AsyncSkillClient)[name]
        if inspect.isfunction(sync):
            assert [*inspect.signature(sync).parameters] == [*inspect.signature(own).parameters]
    assert str(inspect.signature(SkillClient)) == str(inspect.signature(AsyncSkillClient))


# Against a real server ----------------------------------------------------------------------------


def test_every_call_does_as_that_of_the_other_client(served: Served) -> None:
    async def program() -> None:
        async with AsyncSkillClient(served.address, timeout_s=10.0) as own:
            assert (await own.hello()).robot == "panda"
            assert own.server.mode == "hold"
            with pytest.raises(NoLeaseError, match="acquire"):
                await own.skill([1, 0])
            async with own.acquire("me") as lease:
                assert (await own.state()).lease_holder == "me"
                await own.skill([0, -3], valid_for_s=5.0)
                assert (await own.state()).skill in (None, (0.0, -1.0))
                await own.goal([0.1, 0.1])
                assert (await own.state()).mode == "goal"
                await own.servo_pose([0.0, 0.1, 0.15], gripper_width=0.02)
                await own.servo_joint((await own.state()).joint_position)
                assert (await own.state()).mode == "servo"
                await own.hold()
                await own.reset(3)
                assert (await own.state()).mode == "hold"
                await own.scene(mass=2.0)
                assert ((await own.state()).scene or {})["mass"] == 2.0
                with pytest.raises(CommandRefusedError, match="3 entries"):
                    await own.skill([1, 0, 0])
                assert lease.ended_because is None
            assert (await own.state()).lease_holder is None
            with pytest.raises(LeaseLostError, match="was released"):
                await own.skill([1, 0])
            await own.stop("enough")
            assert (await own.state()).mode == "stopped"
            await own.clear()
            async for state in own.telemetry():
                assert state.mode == "hold"
                break
            assert own.latest == state

    run(program())


def test_a_stream_moves_the_arm(served: Served) -> None:
    async def program() -> None:
        async with (
            AsyncSkillClient(served.address, timeout_s=10.0) as client,
            client.acquire("me", ttl_s=30),
        ):
            start = np.array((await client.state()).joint_position, float)
            async with client.stream() as stream:
                due = time.monotonic()
                for i in range(200):
                    stream.servo_joint(start + 0.1 * i / 200, valid_for_s=30.0)
                    due += 0.002
                    await stream.sleep_until(due)
            assert stream.sent + stream.dropped == 200
            assert len(stream.round_trips_s) == stream.sent
            assert not stream.refused
            assert (await client.state()).command_seq == stream.sent
            stream = client.stream()
            with pytest.raises(CommandRefusedError, match="outside"):
                async with stream:
                    stream.servo_pose([0.0, 0.1, 9.0])
            await client.hold()

    run(program())


# The event loop -----------------------------------------------------------------------------------


def test_the_event_loop_runs_while_calls_wait(server: StandIn) -> None:
    async def program() -> None:
        async with client_of(server, 0.5) as client:
            await client.hello()
            server.answers, server.publishes = False, False
            waiting = [
                asyncio.create_task(call)
                for call in (client.hello(), client.state(), client.clear())
            ]
            turns = 0
            while not all(task.done() for task in waiting):
                turns += 1
                await asyncio.sleep(0.001)
            for task in waiting:
                assert isinstance(task.exception(), ServerUnreachableError)
            # Blocked calls would leave one turn for each.
            assert turns > 20
            server.answers = server.publishes = True

    run(program())


def test_several_tasks_use_one_client(server: StandIn) -> None:
    async def program() -> None:
        async with client_of(server) as client, client.acquire("me"):

            async def steer() -> None:
                for _ in range(50):
                    await client.skill([1, 0])

            async def watch() -> None:
                for _ in range(20):
                    await client.state()

            await asyncio.gather(steer(), steer(), watch(), watch(), client.scene(mass=1.0))
        sent = [message.seq for message in server.heard if message.type == "skill"]
        assert sent == list(range(1, 101))

    run(program())


def test_replies_in_any_order_reach_their_calls(server: StandIn) -> None:
    server.override = lambda message: acted(0) if message.type == "act" else None

    async def program() -> None:
        async with client_of(server) as client:
            results = await asyncio.gather(
                *(client.act(ROW, session=f"s{i}", skill=SKILL) for i in range(20)),
                *(client.hello() for _ in range(20)),
            )
        assert all(isinstance(result, dict) for result in results[:20])
        assert all(result.type == "welcome" for result in results[20:])

    run(program())


def test_a_cancelled_call_leaves_the_client_in_order(server: StandIn) -> None:
    async def program() -> None:
        async with client_of(server) as client, client.acquire("me", ttl_s=30):
            for _ in range(20):
                for call in (lambda: client.skill([1, 0]), client.state, client.hello):
                    task = asyncio.create_task(call())
                    await asyncio.sleep(0)
                    task.cancel()
                    await asyncio.wait([task])
                    # A state that waits already is returned before the cancellation.
                    assert task.cancelled() or call == client.state
            await client.skill([1, 0])
            assert (await client.state()).lease_holder == "me"
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(watch_for_ever(client), 0.05)
            await client.skill([1, 0])

    run(program())


async def watch_for_ever(client: AsyncSkillClient) -> None:
    async for _ in client.telemetry():
        pass


def test_a_lease_that_was_granted_to_a_cancelled_call_is_given_back(server: StandIn) -> None:
    async def program() -> None:
        async with client_of(server) as client:
            await client.state()
            server.answers = False
            task = asyncio.create_task(client.acquire("me", ttl_s=60)._acquire())
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            server.answers = True
            await eventually(lambda: server.kinds[-1] == "release")
            assert server.holder is None

    run(program())


def test_another_event_loop_is_refused(server: StandIn) -> None:
    client = client_of(server)

    async def program() -> None:
        await client.hello()

    run(program())
    with pytest.raises(InvalidUseError, match="event loop"):
        run(program())

    async def end() -> None:
        await client.stop("works everywhere")
        await client.close()

    run(end())
    assert server.mode == "stopped"


# The lease ----------------------------------------------------------------------------------------


def test_a_blocked_event_loop_keeps_the_lease(server: StandIn) -> None:
    async def program() -> None:
        async with client_of(server) as client, client.acquire("me", ttl_s=0.4):
            until(lambda: server.kinds.count("renew") >= 8)  # blocks the loop
            await client.skill([1, 0])

    run(program())


def test_acquire_may_be_awaited_and_repeated(server: StandIn) -> None:
    async def program() -> None:
        client = client_of(server)
        lease = await client.acquire("me", ttl_s=30)
        assert await client.acquire("me", ttl_s=30) is lease
        other = await client.acquire("me", ttl_s=20)
        assert other is not lease
        await client.skill([1, 0])
        await other.release()
        assert server.holder is None
        await client.close()
        await client.close()

    run(program())


def test_tasks_do_not_take_the_lease_from_each_other(server: StandIn) -> None:
    async def program() -> None:
        async with client_of(server) as first, client_of(server) as second:
            taken = asyncio.Event()

            async def hold() -> None:
                async with first.acquire("worker", ttl_s=30):
                    taken.set()
                    await asyncio.sleep(DEADLINE_S)

            task = asyncio.create_task(hold())
            await taken.wait()
            with pytest.raises(LeaseHeldError, match="this same program"):
                await second.acquire("worker", ttl_s=30)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await second.acquire("worker", ttl_s=30)

    run(program())


def test_a_forgotten_client_gives_its_lease_back(server: StandIn) -> None:
    async def program() -> None:
        client = client_of(server)
        await client.acquire("me", ttl_s=60)
        await client.state()
        assert server.holder == "me"
        del client
        gc.collect()
        await eventually(lambda: server.holder is None)

    run(program())


# Errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.hello(),
        lambda client: client.state(),
        lambda client: client.clear(),
        lambda client: client.stop(),
        lambda client: client.acquire("me")._acquire(),
        lambda client: client.act(ROW, session="s", skill=SKILL),
    ],
    ids=["hello", "state", "clear", "stop", "acquire", "act"],
)
def test_without_a_server_a_call_ends_within_its_timeout(
    call: Callable[[AsyncSkillClient], Awaitable[object]],
) -> None:
    async def program() -> None:
        async with AsyncSkillClient(NOWHERE, timeout_s=0.3) as client:
            began = time.monotonic()
            with pytest.raises(ServerUnreachableError, match=NOWHERE):
                await call(client)
            assert time.monotonic() - began < DEADLINE_S / 10

    run(program())


def test_a_malformed_address_is_named() -> None:
    with pytest.raises(InvalidAddressError, match="tcp://HOST:PORT"):
        AsyncSkillClient("nonsense")


def test_a_malformed_reply_is_a_protocol_error(peer: Peer) -> None:
    peer.answer = lambda frames: [[b"{}"]]

    async def program() -> None:
        async with AsyncSkillClient(peer.address, timeout_s=10.0) as client:
            with pytest.raises(ProtocolError, match=peer.address):
                await client.hello()

    run(program())


def test_the_description_is_unknown_before_hello() -> None:
    with pytest.raises(InvalidUseError, match="hello"):
        _ = AsyncSkillClient().server


def test_another_server_is_noticed(server: StandIn) -> None:
    async def program() -> None:
        client = client_of(server)
        await client.acquire("me", ttl_s=60)
        server.close()
        with StandIn("second", ports=server.ports) as second:
            with pytest.raises(ServerReplacedError, match="hello"):
                await client.skill([1, 0])
            await client.stop("enough")
            assert second.mode == "stopped"
            await client.hello()
            assert (await client.state()).instance == "second"
            await client.close()

    run(program())


def test_the_sockets_of_another_arm_are_not_mistaken(server: StandIn) -> None:
    named = (server.telemetry_address, server.stop_address)

    async def program() -> None:
        with StandIn("meant", named=named) as meant:
            async with client_of(meant) as client:
                with pytest.raises(WrongServerError, match="telemetry_address"):
                    await client.state()
                with pytest.raises(WrongServerError, match="stop_address"):
                    await client.stop()
            own = {
                "telemetry_address": meant.telemetry_address,
                "stop_address": meant.stop_address,
            }
            async with client_of(meant, **own) as client:
                assert (await client.state()).instance == "meant"
                await client.stop()
            assert (meant.mode, server.mode) == ("stopped", "hold")

    run(program())


def test_a_lost_session_is_noticed(server: StandIn) -> None:
    ages = iter([1, 2, 1, 2])
    server.override = lambda message: acted(next(ages)) if message.type == "act" else None

    async def program() -> None:
        async with client_of(server) as client:
            for _ in range(2):
                await client.act(ROW, session="s", skill=SKILL)
            with pytest.raises(SessionLostError, match="'s'"):
                await client.act(ROW, session="s", skill=SKILL)
            await client.act(ROW, session="s", skill=SKILL)

    run(program())


def test_a_loop_in_another_thread_works(server: StandIn) -> None:
    errors: list[ClientError] = []

    def work() -> None:
        async def program() -> None:
            async with client_of(server) as client:
                await client.state()

        try:
            run(program())
        except ClientError as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
