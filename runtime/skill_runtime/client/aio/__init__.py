"""The client library for asyncio: the calls of SkillClient, which never block the event loop.

::

    from skill_runtime.client.aio import AsyncSkillClient

    async with AsyncSkillClient() as client, client.acquire("my program"):
        while True:
            await client.skill([1, 0], valid_for_s=0.3)
            state = await client.state()

The errors are those of ``skill_runtime.client``. The modules:

- ``client``: AsyncSkillClient and its lease.
- ``connection``: requests and replies over one DEALER socket, several at a time.
- ``telemetry``: the subscription to the arm's state.
- ``servo_stream``: servo targets at up to 1 kHz.
"""

from skill_runtime.client.aio.client import Acquisition, AsyncClientLease, AsyncSkillClient
from skill_runtime.client.aio.servo_stream import AsyncServoStream

__all__ = ["Acquisition", "AsyncClientLease", "AsyncServoStream", "AsyncSkillClient"]
