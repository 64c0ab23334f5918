"""Calls: the calls of a client as steps, apart from the way in which it waits.

This is the client's memory of its server: the instance, the newest server time, the lease and the
sessions of ``act``. SkillClient and AsyncSkillClient perform its steps.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from skill_proto.arrays import FloatArray
from skill_proto.messages import (
    Acquire,
    Act,
    Acted,
    Error,
    Granted,
    Hello,
    Inbound,
    Ok,
    Release,
    Renew,
    Stop,
    Telemetry,
    Welcome,
)
from skill_proto.printable import printable
from skill_proto.wire import array_specs
from skill_runtime.client.connection import R, expect, is_other
from skill_runtime.client.errors import (
    ClientError,
    CommandRefusedError,
    LeaseHeldError,
    LeaseLostError,
    NoLeaseError,
    ResourceError,
    ServerReplacedError,
    ServerUnreachableError,
    SessionLostError,
    WrongServerError,
    from_reply,
    replaced,
)
from skill_runtime.client.lease import Heartbeat, Owner, lease_of_this_process
from skill_runtime.client.requests import check_timeout, make_request, plain_text, to_arrays
from skill_runtime.client.sessions import SessionAges
from skill_runtime.client.sockets.address import check_address
from skill_runtime.client.steps import Answer, Ask, AwaitEnd, AwaitState, Call, Deadline, ask
from skill_runtime.client.stop import Target, stop_call
from skill_runtime.client.telemetry import TelemetrySubscription
from skill_runtime.security.client_keys import ClientKeys

RENEWED_ELSEWHERE = "this program acquired the lease again, as {holder!r}; use the newer lease"
"""Reason for the end of a lease that was handed over within one program."""


class Calls:
    """The calls of one client, and its knowledge of the server.

    Args:
        address: Server address for commands.
        timeout_s: Longest duration of a call [s].
        name: Name of the program in the server's debug log.
        telemetry: The client's subscription.
        telemetry_address: Address for telemetry; that of the welcome if None.
        stop_address: Address for stops; that of the welcome if None.
        keys: Keys of client and server; None to connect without keys.

    Attributes:
        welcome: newest description of the server; None before the first.
        instance: instance of the server; empty if it is unknown.
        latest: newest state read; None before the first.
        lease: the newest lease; None before the first.

    Raises:
        InvalidUseError: the timeout is not a number of seconds.
        InvalidAddressError: an address is malformed.
    """

    def __init__(
        self,
        address: str,
        timeout_s: float,
        name: object,
        telemetry: TelemetrySubscription,
        telemetry_address: str | None,
        stop_address: str | None,
        keys: ClientKeys | None = None,
    ) -> None:
        for given in (address, telemetry_address or address, stop_address or address):
            check_address(given)
        self.address, self.keys = address, keys
        self.timeout_s = check_timeout(timeout_s)
        self.welcome: Welcome | None = None
        self.instance = ""
        self.latest: Telemetry | None = None
        self.lease: Heartbeat | None = None
        self._hello = Hello(client=plain_text(name))
        self._telemetry = telemetry
        self._telemetry_address = telemetry_address
        self._stop_address = stop_address
        self._sessions = SessionAges()
        self._newest_time = self._reply_time = 0.0  # server times: of any message, of a reply
        self._ended: Heartbeat | None = None  # the lease whose end was noted

    # Description and state ------------------------------------------------------------------------

    def hello(self) -> Call[Welcome]:
        """Requests the description, and adopts the server that answers."""
        reply, _ = yield from ask(Ask(message=self._hello, timeout_s=self.timeout_s))
        if isinstance(reply, Error):
            raise from_reply(reply, self.address)
        welcome = expect(reply, Welcome)
        self._adopt(welcome)
        return welcome

    def describe(self, deadline: Deadline | None = None) -> Call[Welcome]:
        """Returns the newest description; requests it if there is none."""
        if self.welcome is None:
            deadline = deadline or Deadline(self.timeout_s)
            self.welcome = yield from self._ask(self._hello, Welcome, deadline)
        return self.welcome

    def state(self) -> Call[Telemetry]:
        """Waits for a state that includes the effect of the last command."""
        deadline = Deadline(self.timeout_s)
        yield from self._subscribe(deadline)
        self._note_end_of_lease()
        since = self._reply_time
        while not deadline.is_over:
            self._telemetry.connect(self._published_at())  # hello() may have found another address
            state = self._telemetry.poll()
            if state is None:
                yield AwaitState(timeout_s=deadline.left_s)
            elif self._is_other(state.instance):
                yield from self._find_stranger(deadline)
            elif self._read(state).time >= since:
                return state
        fix = "Is a server running there? Behind a tunnel, forward that port too"
        raise ServerUnreachableError(self._published_at(), self.timeout_s, fix)

    def _note_end_of_lease(self) -> None:
        # The heartbeat received the reply; a state must include its effect.
        lease = self.lease
        if lease is not None and lease.ended_because is not None and lease is not self._ended:
            self._ended = lease
            self._reply_time = max(self._reply_time, lease.time)

    # The lease ------------------------------------------------------------------------------------

    def acquire(self, holder: str, ttl_s: float, priority: int, owner: Owner) -> Call[Heartbeat]:
        """Acquires the lease, or renews the one that this client has."""
        deadline = Deadline(self.timeout_s)
        request = make_request(Acquire, holder=holder, ttl_s=ttl_s, priority=priority)
        yield from self._subscribe(deadline)
        held = self.lease
        if held is not None and held.ended_because is None:
            same = (holder, request.ttl_s, request.priority)
            if (held.holder, held.ttl_s, held.priority) == same:
                if (yield from self._renewed(held, deadline)):
                    return held
            else:
                yield from self._hand_over(held, holder, deadline)
        # Noted before: a lease that is being given back may be over once the refusal arrives.
        before = lease_of_this_process(self.address, self.instance)
        try:
            granted = yield from self._ask(request, Granted, deadline)
        except LeaseHeldError as error:
            held = lease_of_this_process(self.address, self.instance) or before
            if held is None:
                raise
            yield from self._take_over(held, error, holder, owner, deadline)
            granted = yield from self._ask(request, Granted, deadline)
        try:
            self.lease = Heartbeat(
                *(self.address, granted),
                holder=holder,
                priority=request.priority,
                owner=owner,
                keys=self.keys,
            )
        except ResourceError:
            yield from self._ask(Release(lease=granted.lease), Ok, deadline)
            raise
        return self.lease

    def _renewed(self, held: Heartbeat, deadline: Deadline) -> Call[bool]:
        try:
            yield from self._ask(Renew(lease=held.token), Ok, deadline)
        except LeaseLostError as error:
            held.end_with(error)
        return held.ended_because is None

    def _take_over(
        self, held: Heartbeat, error: LeaseHeldError, holder: str, owner: Owner, deadline: Deadline
    ) -> Call[None]:
        """Ends a lease of this program, if no other part of it can be using the lease."""
        if held.ended_because is None and not (held.holder == holder and held.is_left(owner)):
            raise LeaseHeldError(
                error.code,
                f"{error.message}: another client of this same program acquired it, as "
                f"{held.holder!r}",
                "release that lease or close that client; in the thread that acquired it, "
                "acquire() with the same holder takes the lease over",
            )
        yield from self._hand_over(held, holder, deadline)

    def _hand_over(self, held: Heartbeat, holder: str, deadline: Deadline) -> Call[None]:
        held.give_back(RENEWED_ELSEWHERE.format(holder=holder))
        yield AwaitEnd(lease=held, timeout_s=deadline.left_s)

    # Commands -------------------------------------------------------------------------------------

    def command(self, kind: type[Inbound], fields: dict[str, object], *, again: bool) -> Call[None]:
        """Sends a command under the lease; ``again``: once more if it was too old on arrival."""
        deadline = Deadline(self.timeout_s)
        try:
            yield from self._command(kind, fields, deadline)
        except CommandRefusedError as error:
            if error.code != "stale" or not again or deadline.is_over:
                raise
            # The refusal carried the server's time, from which the validity now counts.
            yield from self._command(kind, fields, deadline)

    def _command(
        self, kind: type[Inbound], fields: dict[str, object], deadline: Deadline
    ) -> Call[None]:
        lease = self.held_lease()
        if self._poll():
            yield from self._find_stranger(deadline)
        message = make_request(
            kind,
            lease=lease.token,
            seq=lease.seq + 1,
            reference_time=self.reference_time(lease),
            **fields,
        )
        lease.seq += 1
        try:
            yield from self._ask(message, Ok, deadline)
        except LeaseLostError as error:
            raise lease.end_with(error) from None

    def held_lease(self) -> Heartbeat:
        """Returns the lease in force.

        Raises:
            NoLeaseError: the client has never acquired it.
            LeaseLostError: it has ended.
        """
        if self.lease is None:
            raise NoLeaseError("a command needs the lease. Fix: call acquire() first")
        self.lease.check()
        return self.lease

    def reference_time(self, lease: Heartbeat) -> float:
        """Returns the newest server time received [s]."""
        return max(self._newest_time, lease.time)

    def poll(self) -> None:
        """Reads the waiting state without blocking.

        Raises:
            WrongServerError: the state is that of another server.
        """
        if self._poll():
            raise self._stranger()

    def request(self, message: Inbound) -> Call[None]:
        """Sends a command that needs no lease."""
        yield from self._ask(message, Ok, Deadline(self.timeout_s))

    def stop(self, reason: object) -> Call[None]:
        """Stops the arm, see stop.py; uses no connection but its own."""
        target = Target(
            commands=self.address,
            given=self._stop_address,
            known=self.welcome.stop_address if self.welcome else None,
            instance=self.instance,
        )
        stopped = yield from stop_call(Stop(reason=plain_text(reason)), target, self.timeout_s)
        welcome = stopped.welcome
        if welcome is not None:
            if self._is_other(welcome.instance):
                return  # the next call raises, and hello() adopts the new server
            self.welcome, self.instance = welcome, welcome.instance
        self.note_reply(stopped.time)

    # The policy service ---------------------------------------------------------------------------

    def act(
        self, session: str, episode: int | None, given: dict[str, ArrayLike | None], *, join: bool
    ) -> Call[dict[str, FloatArray]]:
        """Requests actions, and checks the age of the recurrent state."""
        arrays = to_arrays(given)
        specs = array_specs(arrays)
        message = make_request(Act, session=session, episode=episode, arrays=specs)
        try:
            # The reply may be older than that of a later command, so its time is not noted.
            reply, results = yield from self._exchange(
                Ask(message=message, arrays=arrays, timeout_s=self.timeout_s), note=False
            )
        except (CommandRefusedError, ServerReplacedError):
            raise
        except SessionLostError:
            self._sessions.forget(session)
            raise
        except BaseException:
            self._sessions.lost_reply(session, message.episode)
            raise
        steps = expect(reply, Acted).steps
        self._sessions.check(session, message.episode, steps, join=join)
        return results

    # The server -----------------------------------------------------------------------------------

    def note_reply(self, time_s: float) -> None:
        """Records the server time of a reply [s]."""
        # Assigned, not the maximum: server time starts low again after a restart of its machine.
        self._newest_time = self._reply_time = time_s

    def _ask(self, message: Inbound, kind: type[R], deadline: Deadline) -> Call[R]:
        reply, _ = yield from self._exchange(Ask(message=message, timeout_s=deadline.left_s))
        return expect(reply, kind)

    def _exchange(self, step: Ask, *, note: bool = True) -> Call[Answer]:
        """Asks the server that is known, and raises if another one answers."""
        message = step.message.model_copy(update={"instance": self.instance or None})
        reply, results = yield from ask(
            Ask(message=message, arrays=step.arrays, timeout_s=step.timeout_s)
        )
        if self._is_other(reply.instance):
            raise replaced(self.address)
        self.instance = self.instance or reply.instance
        if note:
            self.note_reply(reply.time)
        if isinstance(reply, Error):
            raise from_reply(reply, self.address)
        return reply, results

    def _is_other(self, instance: str) -> bool:
        return is_other(instance, self.instance)

    def _adopt(self, welcome: Welcome) -> None:
        if self._is_other(welcome.instance):
            self._telemetry.close()  # the old server's states are not to be read
            self._sessions = SessionAges()
            self.latest = None
            if self.lease is not None:
                self.lease.forget_server(
                    "the lease has ended: its server was replaced. Fix: call acquire() again"
                )
        self.welcome, self.instance = welcome, welcome.instance
        self.note_reply(welcome.time)

    # Telemetry ------------------------------------------------------------------------------------

    def _subscribe(self, deadline: Deadline) -> Call[None]:
        yield from self.describe(deadline)
        self._telemetry.connect(self._published_at())

    def _published_at(self) -> str:
        known = self.welcome.telemetry_address if self.welcome else ""
        return self._telemetry_address or known

    def _poll(self) -> bool:
        """Reads the waiting state; returns whether it is that of another server."""
        state = self._telemetry.poll()
        if state is None:
            return False
        if self._is_other(state.instance):
            return True
        self._read(state)
        return False

    def _read(self, state: Telemetry) -> Telemetry:
        self.latest = state
        self._newest_time = max(self._newest_time, state.time)
        return state

    def _find_stranger(self, deadline: Deadline) -> Call[None]:
        """Raises the error for telemetry of another server, after a question to the server."""
        try:
            yield from self._ask(self._hello, Welcome, deadline)
        except ServerReplacedError:
            raise
        except ClientError:
            pass
        raise self._stranger()

    def _stranger(self) -> WrongServerError:
        return WrongServerError(
            f"{printable(self._published_at())} belongs to another server than "
            f"{printable(self.address)}: its telemetry is that of another arm. Fix: forward the "
            "telemetry port of that server too, and pass telemetry_address=...; after a restart of "
            "the server, call hello()"
        )
