from collections.abc import Sequence

from std_msgs.msg import Header

class KeyValue:
    def __init__(self, *, key: str = "", value: str = "") -> None: ...

class DiagnosticStatus:
    def __init__(
        self,
        *,
        level: bytes = ...,
        name: str = "",
        message: str = "",
        hardware_id: str = "",
        values: Sequence[KeyValue] = (),
    ) -> None: ...

class DiagnosticArray:
    header: Header
    def __init__(self, *, status: Sequence[DiagnosticStatus] = ()) -> None: ...
