from collections.abc import Sequence

from std_msgs.msg import Header

class JointState:
    header: Header
    name: Sequence[str]
    position: Sequence[float]
    velocity: Sequence[float]
    def __init__(
        self,
        *,
        name: Sequence[str] = (),
        position: Sequence[float] = (),
        velocity: Sequence[float] = (),
    ) -> None: ...
