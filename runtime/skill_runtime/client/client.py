"""SkillClient: the calls with which a program watches and commands an arm.

::

    with SkillClient() as client, client.acquire("my program"):
        while True:
            client.skill([1, 0], valid_for_s=0.3)
            state = client.state()

Every call waits at most ``timeout_s`` and raises one of the errors in errors.py. A client belongs
to one thread; a second thread renews the lease. If the program dies, or only stops sending, its
command expires and the arm holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self, Unpack

import numpy as np
from numpy.typing import ArrayLike

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
from skill_proto.wire import array_specs
from skill_runtime.client.connection import Connection, R, expect
from skill_runtime.client.errors import LeaseLostError, NoLeaseError
from skill_runtime.client.lease import ClientLease
from skill_runtime.client.requests import GripperFields, make_request, to_vector
from skill_runtime.client.servo_stream import ServoStream
from skill_runtime.client.stop import default_stop_address, send_stop
from skill_runtime.client.telemetry import TelemetrySubscription


class SkillClient:
    """A client of one server; the constructor does not send anything.

    Args:
        address: Server address for commands; the server reports its other addresses.
        timeout_s: Longest wait of any call [s].
        name: Name of this program in the server's debug log.
    """

    def __init__(
        self, address: str = DEFAULT_ADDRESS, *, timeout_s: float = 2.0, name: str = "client"
    ) -> None:
        self.address = address
        self.timeout_s = timeout_s
        self._name = name
        self._commands = Connection(address, timeout_s)
        self._telemetry = TelemetrySubscription(lambda: self.server.telemetry_address)
        self._welcome: Welcome | None = None
        self._lease: ClientLease | None = None
        self._newest_time = self._reply_time = 0.0  # server times: of any message, of a reply

    # Description and state ------------------------------------------------------------------------

    def hello(self) -> Welcome:
        """Requests the server's description."""
        self._welcome = self._ask(Hello(client=self._name), Welcome)
        return self._welcome

    @property
    def server(self) -> Welcome:
        """The newest reply to :meth:`hello`, which is called first if necessary."""
        return self._welcome or self.hello()

    def state(self) -> Telemetry:
        """Waits for a state that includes the effect of the last command; older states are dropped.

        Raises:
            ServerUnreachableError: no state arrived within the timeout.
        """
        state = self._telemetry.wait(self._reply_time, self.timeout_s)
        self._newest_time = max(self._newest_time, state.time)
        return state

    def telemetry(self) -> Iterator[Telemetry]:
        """Yields states without end, each the newest at its time."""
        while True:
            yield self.state()

    @property
    def latest(self) -> Telemetry | None:
        """The newest state read, by :meth:`state` or by a command; None before the first."""
        return self._telemetry.latest

    # The lease ------------------------------------------------------------------------------------

    def acquire(self, holder: str, ttl_s: float = 1.0, *, priority: int = 0) -> ClientLease:
        """Acquires the lease and renews it until it is released or its block ends.

        Args:
            holder: Name of the holder, published in the telemetry.
            ttl_s: Time to live: the lease ends this long after the program has died [s].
            priority: 0 to 9; takes the lease over from a holder of a lower priority. That holder's
                next command is refused with the name of the new one.

        Raises:
            LeaseHeldError: another client has the lease, with the same or a higher priority.
            CommandRefusedError: the arm is stopped or has a fault, see :meth:`clear`; or an
                argument is out of bounds.
        """
        self._telemetry.connect()
        request = make_request(Acquire, holder=holder, ttl_s=ttl_s, priority=priority)
        granted = self._ask(request, Granted)
        self._lease = ClientLease(
            self.address, holder, granted, lambda release: self._ask(release, Ok)
        )
        return self._lease

    # Commands under the lease ---------------------------------------------------------------------

    def skill(
        self, skill: ArrayLike, valid_for_s: float = 0.5, **gripper: Unpack[GripperFields]
    ) -> None:
        """Runs the policy with this skill for ``valid_for_s``; repeat the call to continue.

        Args:
            skill: The skill ``(Z,)``; in a spherical skill space its norm is irrelevant.
            valid_for_s: The arm holds after this time unless another command arrives [s].
            gripper: Gripper width or grasp, see :class:`GripperFields`.
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
        """
        lease = self._held_lease()
        return ServoStream(
            self.address,
            self.timeout_s,
            lease,
            lambda: self._reference_time(lease),
            self._note_reply,
        )

    def _command(self, kind: type[Message], **fields: object) -> None:
        lease = self._held_lease()
        reference_time = self._reference_time(lease)
        message = make_request(
            kind, lease=lease.token, seq=lease.seq + 1, reference_time=reference_time, **fields
        )
        lease.seq += 1
        try:
            self._ask(message, Ok)
        except LeaseLostError as error:
            lease.end(str(error))
            raise

    def _held_lease(self) -> ClientLease:
        if self._lease is None:
            raise NoLeaseError("a command needs the lease. Fix: call acquire() first")
        if self._lease.ended_because is not None:
            # The heartbeat may have received the reason first; the next state must include it.
            self._reply_time = max(self._reply_time, self._lease.time)
        self._lease.check()
        return self._lease

    def _reference_time(self, lease: ClientLease) -> float:
        """Returns the newest server time received [s]."""
        state = self._telemetry.poll()
        if state is not None:
            self._newest_time = max(self._newest_time, state.time)
        return max(self._newest_time, lease.time)

    # Commands without the lease -------------------------------------------------------------------

    def stop(self, reason: str = "") -> None:
        """Stops the arm at once and latches: only :meth:`clear` and a new lease move it again.

        The request goes to the stop socket, which the server reads first, and needs no lease.
        """
        guess = default_stop_address(self.address) if self._welcome is None else None
        self._reply_time = send_stop(
            make_request(Stop, reason=reason),
            self.timeout_s,
            guess=guess,
            find_address=lambda: self.server.stop_address,
        )

    def clear(self) -> None:
        """Ends a stop or a fault. The arm holds until a client acquires the lease."""
        self._ask(Clear(), Ok)

    def scene(self, mass: float | None = None, friction: float | None = None) -> None:
        """Simulated arms: changes the object's mass [kg] and its friction on the table.

        The active command continues, and a recurrent policy keeps its state, so that it can adapt.
        """
        self._ask(make_request(Scene, mass=mass, friction=friction), Ok)

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
        """Requests the policy's actions for ``n`` robots that other programs control.

        Args:
            observation: ``(n, O)``, raw units in the manifest's order.
            session: Name of these robots; the server keeps their recurrent state under it.
            episode: A new number resets the recurrent state.
            skill: ``(n, Z)``.
            goal: ``(n, G)``, instead of a skill.
            previous_action: ``(n, A)`` if it differs from the action of the last reply.

        Returns:
            ``action`` ``(n, A)`` in [-1, 1]. A policy with an encoder adds ``context`` ``(n, C)``
            and, if the manifest calibrates them, ``context_distance`` ``(n, 1)`` and ``estimate``
            ``(n, E)``. Distances are omitted while the recurrent state of a robot is younger than
            half of the shortest horizon in the manifest.
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
        message = make_request(Act, session=session, episode=episode, arrays=array_specs(arrays))
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
        # Assigned, not the maximum: server time starts low again after a restart of its machine.
        self._newest_time = self._reply_time = time_s

    def close(self) -> None:
        """Releases the lease and closes the sockets."""
        if self._lease is not None:
            self._lease.release()
        self._commands.close()
        self._telemetry.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
