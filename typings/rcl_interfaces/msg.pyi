class ParameterDescriptor:
    def __init__(
        self, *, description: str = "", read_only: bool = False, dynamic_typing: bool = False
    ) -> None: ...
