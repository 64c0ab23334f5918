"""Roles: the messages that a key may send.

==========  ==============================================================================
role        may
==========  ==============================================================================
controller  acquire the lease, command the arm, ``clear``, ``scene``; ``swap``; telemetry
tracker     ``track``
observer    telemetry
service     ``act``
stop        no more than each key
==========  ==============================================================================

Each key may send ``stop`` and ``hello``: a stop must never be hard.
"""

from __future__ import annotations

from typing import Literal, cast, get_args

Role = Literal["controller", "tracker", "observer", "service", "stop"]
Roles = frozenset[Role]

ROLES: tuple[Role, ...] = get_args(Role)

ANY: Roles = frozenset(ROLES)

_ROLES_OF: dict[str, Roles] = {
    "hello": ANY,
    "stop": ANY,
    "track": frozenset({"tracker"}),
    "act": frozenset({"service"}),
    "telemetry": frozenset({"controller", "observer"}),
}

_COMMANDS: Roles = frozenset({"controller"})


def roles_for(kind: str) -> Roles:
    """Returns the roles that may send messages of this type, or receive ``telemetry``."""
    return _ROLES_OF.get(kind, _COMMANDS)


def read_roles(text: str) -> Roles:
    """Returns the roles in ``ROLE[,ROLE...]``.

    Raises:
        ValueError: A word is not a role; the text names it.
    """
    words = text.split(",")
    for word in words:
        if word not in ROLES:
            raise ValueError(f"{word!r} is no role; the roles are {', '.join(ROLES)}")
    return cast("Roles", frozenset(words))


def roles_text(roles: Roles) -> str:
    """Returns ``ROLE[,ROLE...]`` in the order of the table."""
    return ",".join(role for role in ROLES if role in roles)
