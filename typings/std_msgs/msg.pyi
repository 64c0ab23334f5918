from collections.abc import Sequence

from builtin_interfaces.msg import Time

class Header:
    stamp: Time
    frame_id: str

class Float64MultiArray:
    data: Sequence[float]
