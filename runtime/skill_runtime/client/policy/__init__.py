"""Clients of a policy service: observations in, actions out.

::

    from skill_runtime.client.policy import PolicyClient

- ``client``: PolicyClient.
- ``aio``: AsyncPolicyClient, the same calls for asyncio.
- ``acts``: requests and replies of ``act`` as frames, without a parser for those like earlier ones.
- ``knowledge``: the memory that a client has of its service.
- ``round_trips``: duration of the calls.
"""

from skill_runtime.client.policy.aio import AsyncPolicyClient
from skill_runtime.client.policy.client import PolicyClient
from skill_runtime.client.policy.round_trips import RoundTrips

__all__ = ["AsyncPolicyClient", "PolicyClient", "RoundTrips"]
