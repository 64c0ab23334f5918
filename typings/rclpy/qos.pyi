from enum import IntEnum

class HistoryPolicy(IntEnum):
    KEEP_LAST = ...

class ReliabilityPolicy(IntEnum):
    RELIABLE = ...
    BEST_EFFORT = ...

class DurabilityPolicy(IntEnum):
    TRANSIENT_LOCAL = ...
    VOLATILE = ...

class QoSProfile:
    def __init__(
        self,
        *,
        history: HistoryPolicy = ...,
        depth: int = ...,
        reliability: ReliabilityPolicy = ...,
        durability: DurabilityPolicy = ...,
    ) -> None: ...
