from typing import Generic, TypeVar

M = TypeVar("M")

class Publisher(Generic[M]):
    def publish(self, msg: M) -> None: ...
