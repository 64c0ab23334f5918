from collections.abc import Sequence

from geometry_msgs.msg import TransformStamped

class TFMessage:
    def __init__(self, *, transforms: Sequence[TransformStamped] = ()) -> None: ...
