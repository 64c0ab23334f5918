"""SkillClient: what a program imports to watch and steer an arm.

::

    with SkillClient() as client, client.acquire("my program"):
        while True:
            client.skill([1, 0], valid_for_s=0.3)
            state = client.state()

Every call waits at most ``timeout_s`` and raises one of the errors of client_errors.py. A client
belongs to one thread; its lease is kept by a heartbeat behind the scenes. If the program dies, or
only stops sending, the arm holds by itself: no call needs to be made for that.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Self, Unpack

import numpy as np
import zmq
from numpy.typing import ArrayLike
from pydantic import TypeAdapter

from skill_proto.arrays import FloatArray
from skill_proto.messages import (
    Acquire,
    Act,
    Acted,
    Clear,
    Goal,
    Granted,
    Hello,
    Hold,
    Message,
    Ok,
    Reset,
    Scene,
    ServoJoint,
    ServoPose,
    Skill,
    Stop,
    Telemetry,
    Welcome,
)
from skill_proto.ports import DEFAULT_ADDRESS
from skill_proto.wire import MAX_FRAME_BYTES, WireError, array_specs, unpack
from skill_runtime.client.connection import Connection, R, expect, open_socket
from skill_runtime.client.errors import (
    ClientError,
    LeaseLostError,
    NoLeaseError,
    ProtocolError,
    ServerUnreachableError,
)
from skill_runtime.client.lease import ClientLease
from skill_runtime.client.requests import Hand, build, vector
from skill_runtime.client.servo_stream import ServoStream
from skill_runtime.client.stop import STOP_GUESS_S, send_stop, usual_stop_address

_TELEMETRY = TypeAdapter(Telemetry)


class SkillClient:
    """One connection to a server; opening it sends nothing yet.

    Args:
        address: Where the server takes commands; the other sockets are found by asking there.
        timeout_s: Longest wait of any call [s].
        name: Who this is, for the server's debug log.

    Attributes:
        latest: the newest state read so far; each command reads what has come before it is sent.
    """

    def __init__(
        self, address: str = DEFAULT_ADDRESS, *, timeout_s: float = 2.0, name: str = "client"
    ) -> None:
        self.address = address
        self.timeout_s = timeout_s
        self._name = name
        self._commands = Connection(address, timeout_s)
        self._subscriber: zmq.Socket[bytes] | None = None
        self._welcome: Welcome | None = None
        self._lease: ClientLease | None = None
        self.latest: Telemetry | None = None
        self._time = self._replied = 0.0

    # Asking and watching --------------------------------------------------------------------------

    def hello(self) -> Welcome:
        """Asks who serves what, afresh."""
        self._welcome = self._ask(Hello(client=self._name), Welcome)
        return self._welcome

    @property
    def server(self) -> Welcome:
        """The newest answer to :meth:`hello`; asks if there is none yet."""
        return self._welcome or self.hello()

    def state(self) -> Telemetry:
        """Waits for the next state, one in which the last command was known already.

        States that came while nobody asked are passed over.

        Raises:
            ServerUnreachableError: none came within the timeout.
        """
        subscriber = self._subscribed()
        deadline = time.monotonic() + self.timeout_s
        while subscriber.poll(max(0, round(1000 * (deadline - time.monotonic())))):
            state = self._read_state(subscriber)
            if state.time >= self._replied:
                return state
        raise ServerUnreachableError(self.server.telemetry_address, self.timeout_s)

    def telemetry(self) -> Iterator[Telemetry]:
        """States without end, each the newest there is."""
        while True:
            yield self.state()

    def _subscribed(self) -> zmq.Socket[bytes]:
        if self._subscriber is None:
            options = {zmq.CONFLATE: 1}
            socket = open_socket(zmq.SUB, self.server.telemetry_address, options)
            socket.subscribe(b"")
            self._subscriber = socket
        return self._subscriber

    def _read_state(self, subscriber: zmq.Socket[bytes]) -> Telemetry:
        try:
            state, _ = unpack([subscriber.recv()], _TELEMETRY, max_header_bytes=MAX_FRAME_BYTES)
        except WireError as error:
            raise ProtocolError(f"telemetry is not of this protocol: {error}") from None
        self._time = max(self._time, state.time)
        self.latest = state
        return state

    # The lease ------------------------------------------------------------------------------------

    def acquire(self, holder: str, ttl_s: float = 1.0, *, priority: int = 0) -> ClientLease:
        """Takes the lease and keeps it until it is released or its block is left.

        Args:
            holder: Name that everyone who watches sees.
            ttl_s: How long the lease outlives this program, should it die [s].
            priority: 0 to 9; takes the lease from a holder of a lower one, who is told by whom.

        Raises:
            LeaseHeldError: another client has it, with the same or a higher priority.
            CommandRefusedError: the arm is stopped or at fault, see :meth:`clear`; or an argument
                is out of bounds.
        """
        self._subscribed()
        granted = self._ask(build(Acquire, holder=holder, ttl_s=ttl_s, priority=priority), Granted)
        self._lease = ClientLease(
            self.address, holder, granted, lambda release: self._ask(release, Ok)
        )
        return self._lease

    # Commands under the lease ---------------------------------------------------------------------

    def skill(self, skill: ArrayLike, valid_for_s: float = 0.5, **hand: Unpack[Hand]) -> None:
        """Runs the policy with this skill ``(Z,)`` for ``valid_for_s`` [s]; repeat it to go on.

        Args:
            skill: The skill; on a sphere its length does not matter.
            valid_for_s: When the arm holds unless another command comes [s].
            hand: What the hand does meanwhile, see :class:`Hand`.
        """
        self._command(Skill, skill=vector(skill), valid_for_s=valid_for_s, **hand)

    def goal(self, goal: ArrayLike, valid_for_s: float = 0.5, **hand: Unpack[Hand]) -> None:
        """Runs the policy towards this goal ``(G,)``; the manifest says of what."""
        self._command(Goal, goal=vector(goal), valid_for_s=valid_for_s, **hand)

    def servo_joint(
        self, position: ArrayLike, valid_for_s: float = 0.5, **hand: Unpack[Hand]
    ) -> None:
        """Moves the joints to ``position`` ``(dof,)`` [rad], within the arm's limits."""
        self._command(ServoJoint, joint_position=vector(position), valid_for_s=valid_for_s, **hand)

    def servo_pose(
        self, position: ArrayLike, valid_for_s: float = 0.5, **hand: Unpack[Hand]
    ) -> None:
        """Moves the end effector to ``position`` ``(3,)`` [m], world frame, hand down."""
        self._command(
            ServoPose, end_effector_position=vector(position), valid_for_s=valid_for_s, **hand
        )

    def hold(self) -> None:
        """Brings the arm to rest, powered; the lease stays."""
        self._command(Hold)

    def reset(self, seed: int | None = None) -> None:
        """Simulated arms: a fresh start of arm and object."""
        self._command(Reset, seed=seed)

    def _command(self, kind: type[Message], **fields: object) -> None:
        lease = self._held()
        reference_time = self._newest_time(lease)
        message = build(
            kind, lease=lease.token, seq=lease.seq + 1, reference_time=reference_time, **fields
        )
        lease.seq += 1
        try:
            self._ask(message, Ok)
        except LeaseLostError as error:
            lease.end(str(error))
            raise

    def stream(self) -> ServoStream:
        """Servo targets at up to 1 kHz, without a wait for each reply; see stream.py.

        Raises:
            NoLeaseError: it needs the lease, as any command.
        """
        lease = self._held()
        return ServoStream(
            self.address, self.timeout_s, lease, lambda: self._newest_time(lease), self._note_reply
        )

    def _held(self) -> ClientLease:
        if self._lease is None:
            raise NoLeaseError("a command needs the lease: call acquire() first")
        if self._lease.lost is not None:
            # The heartbeat may have heard of it first: the next state is one that knows it too.
            self._replied = max(self._replied, self._lease.time)
        self._lease.check()
        return self._lease

    def _newest_time(self, lease: ClientLease) -> float:
        """The newest server time seen, which says how old a command may be."""
        subscriber = self._subscribed()
        if subscriber.poll(0):
            self._read_state(subscriber)
        return max(self._time, lease.time)

    # What anyone may do ---------------------------------------------------------------------------

    def stop(self, reason: str = "") -> None:
        """Stops the arm at once and for good: only :meth:`clear` and a new lease move it again.

        Goes over the stop socket, which the server reads first, and needs no lease.
        """
        message = build(Stop, reason=reason)
        guess = usual_stop_address(self.address) if self._welcome is None else None
        stopped = guess is not None and self._try_stop(guess, message)
        # What answered there may be another arm's server: this arm's says where its socket is.
        try:
            address = self.server.stop_address
            if not (stopped and address == guess):
                self._replied = send_stop(address, self.timeout_s, message)
        except ClientError:
            if not stopped:
                raise

    def _try_stop(self, address: str, message: Message) -> bool:
        try:
            self._replied = send_stop(address, min(self.timeout_s, STOP_GUESS_S), message)
        except ClientError:
            return False
        return True

    def clear(self) -> None:
        """Takes back a stop or a fault. The arm holds until somebody has the lease."""
        self._ask(Clear(), Ok)

    def scene(self, mass: float | None = None, friction: float | None = None) -> None:
        """Simulated arms: changes the object's mass [kg] and its friction on the table.

        Whoever steers goes on, and a policy with a memory keeps it: it is to notice.
        """
        self._ask(build(Scene, mass=mass, friction=friction), Ok)

    def act(
        self,
        observation: ArrayLike,
        *,
        session: str,
        episode: int = 0,
        skill: ArrayLike | None = None,
        goal: ArrayLike | None = None,
        previous_action: ArrayLike | None = None,
    ) -> dict[str, FloatArray]:
        """Asks the policy for the actions of ``n`` robots that run elsewhere.

        Args:
            observation: ``(n, O)``, raw units in the manifest's order.
            session: Name of these robots; their recurrent state is kept under it.
            episode: A new number forgets the recurrent state.
            skill: ``(n, Z)``.
            goal: ``(n, G)``, instead of a skill.
            previous_action: ``(n, A)`` if not the action of the last reply.

        Returns:
            ``action`` ``(n, A)`` in [-1, 1] and, with an encoder, ``context`` ``(n, C)``,
            ``context_distance`` ``(n, 1)`` and ``estimate`` ``(n, E)``, as far as the manifest has
            what they need. There are no distances while the recurrent state of a robot is younger
            than half of the shortest horizon in the manifest.
        """
        given = {
            "observation": observation,
            "previous_action": previous_action,
            "skill": skill,
            "goal": goal,
        }
        arrays = {
            name: np.asarray(values, np.float32)
            for name, values in given.items()
            if values is not None
        }
        message = build(Act, session=session, episode=episode, arrays=array_specs(arrays))
        reply, results = self._commands.ask(message, arrays)
        expect(reply, Acted)
        return results

    # The connection -------------------------------------------------------------------------------

    def _ask(self, message: Message, kind: type[R]) -> R:
        try:
            return expect(self._commands.ask(message)[0], kind)
        finally:
            self._note_reply(self._commands.time)

    def _note_reply(self, time_s: float) -> None:
        # Set, not raised: after a restart of its machine a server's time starts low.
        self._time = self._replied = time_s

    def close(self) -> None:
        """Gives back the lease and closes the sockets."""
        if self._lease is not None:
            self._lease.release()
        self._commands.close()
        if self._subscriber is not None:
            self._subscriber.close()
            self._subscriber = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
