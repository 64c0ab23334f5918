"""SessionAges: whether the recurrent state of each session is that of this client's requests.

The reply to ``act`` names the number of requests that the recurrent state has seen. The client
counts its own. If the server dropped the state, or another program sends to the same session, the
two numbers differ.
"""

from __future__ import annotations

from dataclasses import dataclass

from skill_runtime.client.errors import SessionLostError, SessionSharedError

MAX_SESSIONS = 4096
"""Sessions that a client counts; beyond them the oldest is counted from zero again."""


@dataclass(slots=True)
class SessionAge:
    """Age of the recurrent state of one session."""

    episode: int | None
    steps: int = 0
    """Age of the recurrent state in the last reply."""
    unanswered: int = 0
    """Requests since then without a reply; the server may have executed them."""
    is_lost: bool = False
    """Whether the recurrent state was lost with its server, and no call has said so yet."""


class SessionAges:
    """Age of the recurrent state of each session of one client."""

    def __init__(self) -> None:
        self._ages: dict[str, SessionAge] = {}

    def lost_reply(self, session: str, episode: int | None) -> None:
        """Records a request to which no reply arrived."""
        self.age_of(session, episode).unanswered += 1

    def forget(self, session: str) -> None:
        """Records that the server dropped a session."""
        self._ages.pop(session, None)

    def lose_all(self) -> None:
        """Records that the server was replaced, and the recurrent state of all sessions with it."""
        for age in self._ages.values():
            age.is_lost = True

    def is_lost(self, session: str, episode: int | None) -> bool:
        """Returns whether the state that a call continues was lost with its server; once only."""
        age = self._ages.get(session)
        if age is None or not age.is_lost:
            return False
        self.forget(session)
        return age.steps > 0 and age.episode == episode

    def check(self, session: str, episode: int | None, steps: int, *, join: bool) -> None:
        """Compares the age in a reply with the count of this client, which then continues from it.

        Args:
            session: Name of the session.
            episode: Episode of the request; None for a session of this connection.
            steps: Age in the reply; 0 from a server that does not name it.
            join: Whether other programs may send to the session.

        Raises:
            SessionLostError: the recurrent state is younger than the count.
            SessionSharedError: it is older, and ``join`` is not given.
        """
        if steps == 0:
            return
        age = self.age_of(session, episode)
        expected, latest = age.steps + 1, age.steps + 1 + age.unanswered
        age.steps, age.unanswered = steps, 0
        name = f"session {session!r}" + ("" if episode is None else f", episode {episode}")
        if steps < expected:
            raise SessionLostError(
                f"the recurrent state of {name} was lost: this client sent {expected} requests, "
                f"and the state has seen {steps}. The server dropped it for other sessions or was "
                "started again, or the connection was opened anew after a timeout. Fix: begin the "
                "episode again; the next call continues from the new state"
            )
        if steps > latest and not join:
            raise SessionSharedError(
                f"the recurrent state of {name} is shared: this client sent {expected} requests, "
                f"and the state has seen {steps}. Fix: give every program a session name of its "
                "own, or leave out episode; to share it on purpose, pass join=True"
            )

    def age_of(self, session: str, episode: int | None) -> SessionAge:
        """Returns the age of a session, which is 0 for a new episode."""
        age = self._ages.get(session)
        if age is None or age.episode != episode:
            self.forget(session)
            if len(self._ages) >= MAX_SESSIONS:
                del self._ages[next(iter(self._ages))]
            age = self._ages[session] = SessionAge(episode)
        return age
