"""AsyncSkillClient: the calls with which a program of asyncio watches and commands an arm.

The calls are those of SkillClient, with the same arguments and errors, and never block the event
loop. Several tasks may use one client at the same time: each call has its own timeout, and a call
that is cancelled leaves the client in order. The lease is renewed by a thread, so that a busy event
loop does not lose it; the commands, each of which expires, show that the loop runs.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, Unpack

from numpy.typing import ArrayLike

from skill_proto.arrays import FloatArray
from skill_proto.messages import (
    Clear,
    Goal,
    Hold,
    Inbound,
    Reset,
    Scene,
    ServoJoint,
    ServoPose,
    Skill,
    Telemetry,
    Welcome,
)
from skill_proto.ports import DEFAULT_ADDRESS
from skill_runtime.client.aio.connection import AsyncConnection
from skill_runtime.client.aio.servo_stream import AsyncServoStream
from skill_runtime.client.aio.telemetry import AsyncTelemetrySubscription
from skill_runtime.client.calls import Calls
from skill_runtime.client.errors import InvalidUseError
from skill_runtime.client.guard import Guard
from skill_runtime.client.lease import RELEASED, Heartbeat, LeaseHandle
from skill_runtime.client.requests import GripperFields, make_request, read_keys, to_vector
from skill_runtime.client.steps import Answer, Ask, AwaitEnd, AwaitState, Call, Step, T
from skill_runtime.security.client_keys import ClientKeys


class AsyncClientLease(LeaseHandle):
    """The right to command, from ``AsyncSkillClient.acquire``."""

    async def release(self) -> None:
        """Releases the lease; the arm holds.

        Has no effect once the lease has ended, and in a forked process.
        """
        self._heartbeat.give_back(RELEASED)
        await wait_for_end(self._heartbeat, self._timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.release()


class Acquisition:
    """A call of ``acquire``: either awaited, or entered as a block that releases the lease.

    Args:
        acquire: Starts the call.
    """

    def __init__(self, acquire: Callable[[], Coroutine[Any, Any, AsyncClientLease]]) -> None:
        self._acquire = acquire
        self._lease: AsyncClientLease | None = None

    def __await__(self) -> Generator[Any, Any, AsyncClientLease]:
        return self._acquire().__await__()

    async def __aenter__(self) -> AsyncClientLease:
        self._lease = await self._acquire()
        return self._lease

    async def __aexit__(self, *_: object) -> None:
        if self._lease is not None:
            await self._lease.release()


class AsyncSkillClient:
    """A client of one server, in one event loop; the constructor does not send anything.

    Its arguments and errors are those of SkillClient.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        timeout_s: float = 2.0,
        name: str = "client",
        telemetry_address: str | None = None,
        stop_address: str | None = None,
        key: str | Path | None = None,
        server_key: str | Path | None = None,
    ) -> None:
        self.repeats_stale = True
        self._guard = Guard()
        keys = read_keys(address, key, server_key)
        self._telemetry = AsyncTelemetrySubscription(keys)
        self._calls = Calls(
            address, timeout_s, name, self._telemetry, telemetry_address, stop_address, keys
        )
        self._commands = AsyncConnection(address, keys)
        self._lease: AsyncClientLease | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def address(self) -> str:
        """Server address for commands."""
        return self._calls.address

    @property
    def timeout_s(self) -> float:
        """Longest duration of any call [s]."""
        return self._calls.timeout_s

    @property
    def keys(self) -> ClientKeys | None:
        """The keys with which it connects; None without keys."""
        return self._calls.keys

    # Description and state ------------------------------------------------------------------------

    async def hello(self) -> Welcome:
        """Requests the server's description, and adopts the server that answers.

        Raises:
            ServerUnreachableError: no reply arrived within the timeout.
        """
        return await self._run(self._calls.hello())

    @property
    def server(self) -> Welcome:
        """The newest reply to :meth:`hello`.

        Raises:
            InvalidUseError: no call has asked for it.
        """
        if self._calls.welcome is None:
            raise InvalidUseError("the server is not known yet. Fix: await hello() first")
        return self._calls.welcome

    async def state(self) -> Telemetry:
        """Waits for a state that includes the effect of the last command; older states are dropped.

        Raises:
            ServerUnreachableError: no state arrived within the timeout.
            WrongServerError: the telemetry is that of another server.
            ServerReplacedError: the server was replaced.
        """
        return await self._run(self._calls.state())

    async def telemetry(self) -> AsyncIterator[Telemetry]:
        """Yields states without end, each the newest at its time.

        Raises:
            ServerUnreachableError, WrongServerError, ServerReplacedError: as :meth:`state`.
        """
        while True:
            yield await self.state()

    @property
    def latest(self) -> Telemetry | None:
        """The newest state read, by :meth:`state` or by a command; None before the first."""
        self._guard.check_process()
        return self._calls.latest

    # The lease ------------------------------------------------------------------------------------

    def acquire(self, holder: str, ttl_s: float = 1.0, *, priority: int = 0) -> Acquisition:
        """Acquires the lease and renews it until it is released or its block ends.

        Either ``lease = await client.acquire(...)`` or ``async with client.acquire(...)``.
        Arguments and errors are those of ``SkillClient.acquire``.
        """

        async def acquire() -> AsyncClientLease:
            owner = asyncio.current_task()
            assert owner is not None
            held = await self._run(self._calls.acquire(holder, ttl_s, priority, owner))
            if self._lease is None or not self._lease.is_of(held):
                self._lease = AsyncClientLease(held, self.timeout_s)
            return self._lease

        return Acquisition(acquire)

    # Commands under the lease: as those of SkillClient --------------------------------------------

    async def skill(
        self, skill: ArrayLike, valid_for_s: float = 0.5, **gripper: Unpack[GripperFields]
    ) -> None:
        """Runs the policy with this skill ``(Z,)``; see ``SkillClient.skill``."""
        await self._command(Skill, skill=to_vector(skill), valid_for_s=valid_for_s, **gripper)

    async def goal(
        self, goal: ArrayLike, valid_for_s: float = 0.5, **gripper: Unpack[GripperFields]
    ) -> None:
        """Runs the policy towards this goal ``(G,)``; ``goal`` of the manifest defines it."""
        await self._command(Goal, goal=to_vector(goal), valid_for_s=valid_for_s, **gripper)

    async def servo_joint(
        self, position: ArrayLike, valid_for_s: float = 0.5, **gripper: Unpack[GripperFields]
    ) -> None:
        """Moves the joints to ``position`` ``(dof,)`` [rad], within the arm's limits."""
        joints = to_vector(position)
        await self._command(ServoJoint, joint_position=joints, valid_for_s=valid_for_s, **gripper)

    async def servo_pose(
        self, position: ArrayLike, valid_for_s: float = 0.5, **gripper: Unpack[GripperFields]
    ) -> None:
        """Moves the end effector to ``position`` ``(3,)`` [m], world frame, gripper down."""
        target = to_vector(position)
        await self._command(
            ServoPose, end_effector_position=target, valid_for_s=valid_for_s, **gripper
        )

    async def hold(self) -> None:
        """Brings the arm to rest, powered; the lease stays in force."""
        await self._command(Hold)

    async def reset(self, seed: int | None = None) -> None:
        """Simulated arms: starts a new episode, with new positions of arm and object."""
        await self._command(Reset, seed=seed)

    def stream(self) -> AsyncServoStream:
        """Returns a stream of servo targets at up to 1 kHz, a block; see aio/servo_stream.py.

        Raises:
            NoLeaseError: the client does not hold the lease.
        """
        self._check()
        return AsyncServoStream(self._calls, self._guard, self._lease)

    async def _command(self, kind: type[Inbound], **fields: object) -> None:
        await self._run(self._calls.command(kind, fields, again=self.repeats_stale))

    # Commands without the lease -------------------------------------------------------------------

    async def stop(self, reason: object = "") -> None:
        """Stops the arm at once and latches; see ``SkillClient.stop``."""
        await drive(self._calls.stop(reason), self._perform)

    async def clear(self) -> None:
        """Ends a stop or a fault. The arm holds until a client acquires the lease."""
        await self._run(self._calls.request(Clear()))

    async def scene(self, mass: float | None = None, friction: float | None = None) -> None:
        """Simulated arms: changes the object's mass [kg] and its friction on the table."""
        await self._run(self._calls.request(make_request(Scene, mass=mass, friction=friction)))

    async def act(
        self,
        observation: ArrayLike,
        *,
        session: str,
        episode: int | None = None,
        skill: ArrayLike | None = None,
        goal: ArrayLike | None = None,
        previous_action: ArrayLike | None = None,
        join: bool = False,
    ) -> dict[str, FloatArray]:
        """Requests the policy's actions for robots of other programs; see ``SkillClient.act``."""
        given = {
            "observation": observation,
            "previous_action": previous_action,
            "skill": skill,
            "goal": goal,
        }
        return await self._run(self._calls.act(session, episode, given, join=join))

    # The connection -------------------------------------------------------------------------------

    async def _run(self, call: Call[T]) -> T:
        self._check()
        return await drive(call, self._perform)

    def _check(self) -> None:
        """Checks the process and the event loop, and that the client was not closed.

        Raises:
            InvalidUseError: the client belongs to another one, or is closed.
        """
        self._guard.check_process()
        self._guard.check_open()
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            weakref.finalize(self, _close_soon, loop, self._commands, self._telemetry)
        if self._loop is not loop:
            raise InvalidUseError(
                "this client belongs to another event loop. Fix: make one AsyncSkillClient in each "
                "event loop, and a SkillClient in a thread without one"
            )

    async def _perform(self, step: Step) -> Answer | None:
        match step:
            case Ask(address=None):
                self._guard.check_open()  # a call that was running at the end makes no new socket
                return await self._commands.exchange(step.message, step.arrays, step.timeout_s)
            case Ask():
                async with AsyncConnection(step.address or "", self._commands.keys) as connection:
                    return await connection.exchange(step.message, step.arrays, step.timeout_s)
            case AwaitState():
                await self._arrival(step.timeout_s)
            case AwaitEnd():
                await wait_for_end(step.lease, step.timeout_s)
        return None

    async def _arrival(self, timeout_s: float) -> None:
        """Waits until telemetry has arrived, at most ``timeout_s`` [s].

        Raises:
            InvalidUseError: the client was closed meanwhile.
        """
        try:
            await self._telemetry.arrival(timeout_s)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # pyzmq cancels the wait on a socket that is closed; the task itself goes on.
        self._guard.check_open()

    async def close(self) -> None:
        """Releases the lease and closes the sockets; see ``SkillClient.close``."""
        if self._guard.forked:
            return
        try:
            if self._lease is not None:
                await self._lease.release()
        finally:
            self._guard.close()
            with suppress(Exception):
                self._commands.close()
                self._telemetry.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def drive(call: Call[T], perform: Callable[[Step], Coroutine[Any, Any, Answer | None]]) -> T:
    """Performs the steps of a call, and returns its result.

    Args:
        call: The call.
        perform: Performs one step; an exception, a cancellation included, is raised inside of the
            call.
    """
    try:
        step = next(call)
        while True:
            try:
                answer = await perform(step)
            except BaseException as error:
                step = call.throw(error)
            else:
                step = call.send(answer)
    except StopIteration as end:
        return end.value


async def wait_for_end(lease: Heartbeat, timeout_s: float) -> None:
    """Waits until a lease has been given back, at most ``timeout_s`` [s]."""
    if lease.is_alive:
        await asyncio.to_thread(lease.join, timeout_s)


def _close_soon(
    loop: asyncio.AbstractEventLoop,
    commands: AsyncConnection,
    telemetry: AsyncTelemetrySubscription,
) -> None:
    """Closes the sockets of a client that the program no longer refers to, in their loop."""
    for close in (commands.close, telemetry.close):
        with suppress(Exception):
            if loop.is_closed():
                close()
            else:
                loop.call_soon_threadsafe(close)
