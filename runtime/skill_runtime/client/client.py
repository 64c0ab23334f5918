"""SkillClient: the calls with which a program watches and commands an arm.

::

    with SkillClient() as client, client.acquire("my program"):
        while True:
            client.skill([1, 0], valid_for_s=0.3)
            state = client.state()

Every call waits at most ``timeout_s`` and raises one of the errors in errors.py. A client serves
one thread at a time, in the process that made it; a second thread renews the lease. If the program
dies, or only stops sending, its command expires and the arm holds.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self, Unpack

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
from skill_runtime.client.calls import Calls
from skill_runtime.client.connection import Connection
from skill_runtime.client.guard import Guard
from skill_runtime.client.lease import ClientLease
from skill_runtime.client.requests import GripperFields, make_request, read_keys, to_vector
from skill_runtime.client.servo_stream import ServoStream
from skill_runtime.client.steps import Answer, Ask, AwaitEnd, AwaitState, Call, Step, T, drive
from skill_runtime.client.telemetry import TelemetrySubscription
from skill_runtime.security.client_keys import ClientKeys


class SkillClient:
    """A client of one server; the constructor does not send anything.

    The client remembers the server that answers first. If another server answers later, calls raise
    ServerReplacedError and have no effect, until :meth:`hello` adopts the new one.

    Args:
        address: Server address for commands; the server reports its other addresses.
        timeout_s: Longest duration of any call, up to an hour [s].
        name: Name of this program in the server's debug log.
        telemetry_address: Address for telemetry, if the one that the server reports does not lead
            to it, as behind a tunnel.
        stop_address: Address for stops, likewise.
        key: File with the key pair of this client, from ``skill-keys new``.
        server_key: Public key of the server, or a file with it. Without these two, the environment
            variables SKILL_KEY and SKILL_SERVER_KEY count and, for a server on another machine, the
            files in ``~/.config/skill-serve``.

    Attributes:
        repeats_stale: Whether a command that was too old on arrival is sent once more, with its
            full ``valid_for_s``; False for a target that is worthless later.

    Raises:
        InvalidUseError: ``timeout_s`` is not a number of seconds, or a key cannot be read.
        InvalidAddressError: an address is malformed.
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
        self._telemetry = TelemetrySubscription(keys)
        self._calls = Calls(
            address, timeout_s, name, self._telemetry, telemetry_address, stop_address, keys
        )
        self._commands = Connection(address, self.timeout_s, keys)
        self._lease: ClientLease | None = None

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

    def hello(self) -> Welcome:
        """Requests the server's description, and adopts the server that answers.

        Raises:
            ServerUnreachableError: no reply arrived within the timeout.
        """
        return self._run(self._calls.hello())

    @property
    def server(self) -> Welcome:
        """The newest reply to :meth:`hello`, which is called first if necessary."""
        return self._run(self._calls.describe())

    def state(self) -> Telemetry:
        """Waits for a state that includes the effect of the last command; older states are dropped.

        Raises:
            ServerUnreachableError: no state arrived within the timeout.
            WrongServerError: the telemetry is that of another server.
            ServerReplacedError: the server was replaced.
        """
        return self._run(self._calls.state())

    def telemetry(self) -> Iterator[Telemetry]:
        """Yields states without end, each the newest at its time.

        Raises:
            ServerUnreachableError, WrongServerError, ServerReplacedError: as :meth:`state`.
        """
        while True:
            yield self.state()

    @property
    def latest(self) -> Telemetry | None:
        """The newest state read, by :meth:`state` or by a command; None before the first."""
        self._guard.check_process()
        return self._calls.latest

    # The lease ------------------------------------------------------------------------------------

    def acquire(self, holder: str, ttl_s: float = 1.0, *, priority: int = 0) -> ClientLease:
        """Acquires the lease and renews it until it is released or its block ends.

        A lease that this client holds is renewed, or replaced if an argument differs. A lease that
        another client of this program acquired under the same name in the same thread is taken
        over. The lease is also given back when the program ends, or no longer refers to the client.

        Args:
            holder: Name of the holder, published in the telemetry.
            ttl_s: Time to live: the lease ends this long after the program has died [s].
            priority: 0 to 9; takes the lease over from a holder of a lower priority. That holder's
                next command is refused with the name of the new one.

        Raises:
            LeaseHeldError: another client has the lease, with the same or a higher priority.
            CommandRefusedError: the arm is stopped or has a fault, see :meth:`clear`; or an
                argument is out of bounds.
            ServerReplacedError: the server was replaced.
            ResourceError: this process cannot start the thread of the heartbeat.
        """
        owner = threading.current_thread()
        held = self._run(self._calls.acquire(holder, ttl_s, priority, owner))
        if self._lease is None or not self._lease.is_of(held):
            self._lease = ClientLease(held, self.timeout_s)
        return self._lease

    # Commands under the lease: all raise the errors of skill() ------------------------------------

    def skill(
        self, skill: ArrayLike, valid_for_s: float = 0.5, **gripper: Unpack[GripperFields]
    ) -> None:
        """Runs the policy with this skill for ``valid_for_s``; repeat the call to continue.

        Args:
            skill: The skill ``(Z,)``; in a spherical skill space its norm is irrelevant.
            valid_for_s: The arm holds after this time unless another command arrives [s].
            gripper: Gripper width or grasp, see :class:`GripperFields`.

        Raises:
            NoLeaseError: the client has not acquired the lease.
            LeaseLostError: the lease has ended.
            CommandRefusedError: an argument does not fit, or the arm does not move now.
            ServerUnreachableError: no reply arrived within the timeout.
            ServerReplacedError: the server was replaced.
            WrongServerError: the telemetry, which sets the time of a command, is that of another
                server.
        """
        self._command(Skill, skill=to_vector(skill), valid_for_s=valid_for_s, **gripper)

    def goal(
        self, goal: ArrayLike, valid_for_s: float = 0.5, **gripper: Unpack[GripperFields]
    ) -> None:
        """Runs the policy towards this goal ``(G,)``; ``goal`` of the manifest defines it."""
        self._command(Goal, goal=to_vector(goal), valid_for_s=valid_for_s, **gripper)

    def servo_joint(
        self, position: ArrayLike, valid_for_s: float = 0.5, **gripper: Unpack[GripperFields]
    ) -> None:
        """Moves the joints to ``position`` ``(dof,)`` [rad], within the arm's limits."""
        joints = to_vector(position)
        self._command(ServoJoint, joint_position=joints, valid_for_s=valid_for_s, **gripper)

    def servo_pose(
        self, position: ArrayLike, valid_for_s: float = 0.5, **gripper: Unpack[GripperFields]
    ) -> None:
        """Moves the end effector to ``position`` ``(3,)`` [m], world frame, gripper down."""
        target = to_vector(position)
        self._command(ServoPose, end_effector_position=target, valid_for_s=valid_for_s, **gripper)

    def hold(self) -> None:
        """Brings the arm to rest, powered; the lease stays in force."""
        self._command(Hold)

    def reset(self, seed: int | None = None) -> None:
        """Simulated arms: starts a new episode, with new positions of arm and object."""
        self._command(Reset, seed=seed)

    def stream(self) -> ServoStream:
        """Returns a stream of servo targets at up to 1 kHz; see servo_stream.py.

        Raises:
            NoLeaseError: the client does not hold the lease.
            ServerUnreachableError: no reply arrived within the timeout.
        """
        with self._guard:
            self._calls.held_lease()
            return ServoStream(self._calls, self._guard, self._lease)

    def _command(self, kind: type[Inbound], **fields: object) -> None:
        self._run(self._calls.command(kind, fields, again=self.repeats_stale))

    # Commands without the lease -------------------------------------------------------------------

    def stop(self, reason: object = "") -> None:
        """Stops the arm at once and latches: only :meth:`clear` and a new lease move it again.

        The request goes to the stop socket, which the server reads first, and needs no lease. Any
        thread may call it at any time, during another call and after a fork too.

        Args:
            reason: Published in the telemetry; any object, its text is cut to 256 characters.

        Raises:
            WrongServerError: the stop address belongs to another server, and this arm is not
                stopped; or the stop is not confirmed.
            ServerUnreachableError: no server confirmed the stop within the timeout.
        """
        drive(self._calls.stop(reason), self._perform)

    def clear(self) -> None:
        """Ends a stop or a fault. The arm holds until a client acquires the lease.

        Raises:
            CommandRefusedError: ``not_now``, the arm still moves.
            ServerReplacedError: the server was replaced.
        """
        self._run(self._calls.request(Clear()))

    def scene(self, mass: float | None = None, friction: float | None = None) -> None:
        """Simulated arms: changes the object's mass [kg] and its friction on the table.

        The active command continues, and a recurrent policy keeps its state, so that it can adapt.

        Raises:
            CommandRefusedError: a value is out of bounds, or the arm is real.
            ServerReplacedError: the server was replaced.
        """
        self._run(self._calls.request(make_request(Scene, mass=mass, friction=friction)))

    def act(
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
        """Requests the policy's actions for ``n`` robots that other programs control.

        Args:
            observation: ``(n, O)``, raw units in the manifest's order.
            session: Name of these robots; the server keeps their recurrent state under it.
            episode: A new number resets the recurrent state; the number also lets other clients
                join the session. None: the session belongs to this client alone.
            skill: ``(n, Z)``.
            goal: ``(n, G)``, instead of a skill.
            previous_action: ``(n, A)`` if it differs from the action of the last reply.
            join: Whether other clients may send to this session and episode.

        Returns:
            ``action`` ``(n, A)`` in [-1, 1]. A policy with an encoder adds ``context`` ``(n, C)``
            and, if the manifest calibrates them, ``context_distance`` ``(n, 1)`` and ``estimate``
            ``(n, E)``. Distances are omitted while the recurrent state of a robot is younger than
            half of the shortest horizon in the manifest.

        Raises:
            CommandRefusedError: an array does not fit the policy.
            SessionLostError: the server dropped the recurrent state of the session.
            SessionSharedError: another client sends to the session, and ``join`` is not given.
            ServerUnreachableError: no reply arrived within the timeout.
            ServerReplacedError: the server was replaced, and the recurrent state with it.
        """
        given = {
            "observation": observation,
            "previous_action": previous_action,
            "skill": skill,
            "goal": goal,
        }
        return self._run(self._calls.act(session, episode, given, join=join))

    # The connection -------------------------------------------------------------------------------

    def _run(self, call: Call[T]) -> T:
        with self._guard:
            return drive(call, self._perform)

    def _perform(self, step: Step) -> Answer | None:
        match step:
            case Ask(address=None):
                return self._commands.exchange(step.message, step.arrays, step.timeout_s)
            case Ask():
                with Connection(
                    step.address or "", step.timeout_s, self._commands.keys
                ) as connection:
                    return connection.exchange(step.message, step.arrays)
            case AwaitState():
                self._telemetry.wait(step.timeout_s)
            case AwaitEnd():
                step.lease.join(step.timeout_s)
        return None

    def close(self) -> None:
        """Releases the lease and closes the sockets; raises no error.

        Every later call raises InvalidUseError, except :meth:`stop`, which has sockets of its own.

        In a forked process it leaves the lease and the sockets of the parent alone.
        """
        if self._guard.forked:
            return
        if self._lease is not None:
            self._lease.release()
        # While another thread waits on the sockets, they stay open; the collector closes them.
        with suppress(Exception), self._guard.closing():
            self._commands.close()
            self._telemetry.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
