"""The keys of one server, as its processes get them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from skill_runtime.security.roles import Roles, roles_text


@dataclass(frozen=True)
class Client:
    """A client that a server knows: one line of ``authorized_keys``."""

    key: str
    """Public key."""
    name: str
    roles: Roles

    def __str__(self) -> str:
        return f"{self.key} {self.name} {roles_text(self.roles)}"


@dataclass(frozen=True, kw_only=True)
class ServerSecurity:
    """The keys of one server."""

    public: str
    secret: str = field(repr=False)
    authorized_keys: Path
    guests: tuple[Client, ...] = ()
    """Clients of the server's own processes."""
    guest_secret: str = field(default="", repr=False)
    """Secret key of the only guest."""
