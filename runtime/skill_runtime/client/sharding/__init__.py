"""Sessions divided among several policy services by name.

::

    from skill_runtime.client.sharding import ShardedClient

    with ShardedClient(["tcp://10.0.0.1:5555", "tcp://10.0.0.2:5555"]) as client:
        action = client.act(observation, session="robot 17", skill=skill)["action"]

Each session lives at one address, which follows from its name and the list of addresses alone. So
all programs with the same list agree, without a coordinator. The modules:

- ``client``: ShardedClient; its calls block.
- ``aio``: AsyncShardedClient, the same calls for asyncio.
- ``shards``: which session is where, which address does not answer, which state was lost.
- ``probe``: the question whether an address answers again.
- ``rendezvous``: from a name to an address.
"""

from skill_runtime.client.sharding.aio import AsyncShardedClient
from skill_runtime.client.sharding.client import ShardedClient
from skill_runtime.client.sharding.rendezvous import address_of
from skill_runtime.client.sharding.shards import AddressDownError

__all__ = ["AddressDownError", "AsyncShardedClient", "ShardedClient", "address_of"]
