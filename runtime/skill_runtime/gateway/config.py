"""The server that a gateway represents."""

from __future__ import annotations

from dataclasses import dataclass

from skill_proto.messages import Welcome
from skill_runtime.channel.state_layout import StateLayout


@dataclass(frozen=True, kw_only=True)
class GatewayConfig:
    """Describes the server to its gateway."""

    welcome: Welcome
    """The reply to ``hello``; time, mode and lease holder are replaced."""
    layout: StateLayout
    """Layout of the server's state."""
