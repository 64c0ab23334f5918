"""Replaces a policy by another file while requests are answered.

The file is opened and checked in a thread. Only if it is a drop-in for the policy in force does it
take over, between two inferences, with the recurrent states of all sessions. A file that cannot be
opened, or is no drop-in, changes nothing.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from skill_proto.manifest import PolicyManifest
from skill_proto.messages import Swap, Swapped
from skill_proto.wire import WireError
from skill_runtime.policy import PolicyFileError
from skill_runtime.policy_service.inference.opening import open_stepper
from skill_runtime.policy_service.inference.stepper import Stepper
from skill_runtime.policy_service.models import MAX_PATH, ServedModel

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SwapResult:
    """The end of a swap: its reply, for its sender."""

    sender: bytes
    reply: Swapped | WireError


class Swapper:
    """Swaps of the policies of one service, one at a time.

    Args:
        now: Server time [s].
        instance: Name of this run of the server.
        open_file: Opens a file for a model.

    Attributes:
        is_busy: whether a swap is under way.
    """

    def __init__(
        self,
        now: Callable[[], float],
        instance: str,
        open_file: Callable[[ServedModel, Path], Stepper] | None = None,
    ) -> None:
        self._now = now
        self._instance = instance
        self._open = open_file or _open
        self._opened: deque[tuple[bytes, Swap, ServedModel, Stepper | Exception]] = deque()
        self.is_busy = False

    def start(self, sender: bytes, message: Swap, model: ServedModel) -> None:
        """Begins to open the file of a swap.

        Raises:
            WireError: ``busy``, another swap is under way; ``invalid``, the name is not that of a
                file in the folder of the present one.
        """
        path = named_file(model.stepper.path, message)
        if self.is_busy:
            problem = "another swap is under way"
            raise WireError("busy", problem, "send it again in a second", message.id)
        self.is_busy = True
        arguments = (sender, message, model, path)
        threading.Thread(target=self._load, args=arguments, name="swap", daemon=True).start()

    def _load(self, sender: bytes, message: Swap, model: ServedModel, path: Path) -> None:
        try:
            opened: Stepper | Exception = self._open(model, path)
        except Exception as error:  # such as a file that is no policy, or no memory
            opened = error
        self._opened.append((sender, message, model, opened))

    def finish(self) -> SwapResult | None:
        """Puts a file that was opened in force; returns None if none was."""
        if not self._opened:
            return None
        sender, message, model, opened = self._opened.popleft()
        self.is_busy = False
        try:
            reply: Swapped | WireError = self._replace(message, model, opened)
        except WireError as error:
            log.error(
                "the swap of %r is refused, the old file stays in force: %s", model.name, error
            )
            error.message_id = message.id
            reply = error
        return SwapResult(sender=sender, reply=reply)

    def _replace(self, message: Swap, model: ServedModel, opened: Stepper | Exception) -> Swapped:
        if isinstance(opened, PolicyFileError):
            raise WireError("invalid", str(opened), "")  # the text has its fix
        if isinstance(opened, Exception):
            problem = f"the file cannot be opened: {opened}"
            raise WireError("internal", problem, "report it with the server's log")
        difference = difference_of(model.manifest, opened.manifest)
        if difference:
            raise WireError(
                "not_supported",
                f"{opened.path.name} is no drop-in for {model.name!r}: {difference}",
                "serve it under a name of its own, with --model NAME=FILE",
            )
        model.replace(opened)
        log.info("%r is %s from now on (sha256 %s)", model.name, opened.path, opened.sha256)
        return Swapped(
            id=message.id,
            instance=self._instance,
            time=self._now(),
            model=model.name,
            file=str(opened.path)[-MAX_PATH:],
            sha256=opened.sha256,
        )


def _open(model: ServedModel, path: Path) -> Stepper:
    return open_stepper(path, device=model.device, slots=model.slots)


def named_file(present: Path, message: Swap) -> Path:
    """Returns the path of the file that a swap means.

    A client may only choose among the files in one folder, so it cannot make the server read any
    other file of its machine.

    Raises:
        WireError: ``invalid``, the name has a folder.
    """
    if message.file is None:
        return present
    if message.file in ("", ".", "..") or Path(message.file).name != message.file:
        raise WireError(
            "invalid",
            f"{message.file!r} is not the name of a file",
            f"name a file in {present.parent}, without a folder",
            message.id,
        )
    return present.parent / message.file


def difference_of(old: PolicyManifest, new: PolicyManifest) -> str:
    """Returns the first difference that clients or sessions would notice; '' for a drop-in.

    The same are: observation, action, rate, skill space, goal space, recurrent states, context.
    """
    before, after = _contract(old), _contract(new)
    for name, value in before.items():
        found = _difference(name, value, after[name])
        if found:
            return found
    return ""


def _contract(manifest: PolicyManifest) -> dict[str, object]:
    whole = manifest.model_dump(mode="json")
    context = whole["context"] or {}
    tensors = whole["tensors"]
    return {
        "observation": whole["observation"],
        "action": whole["action"],
        "control_rate_hz": whole["control_rate_hz"],
        "skill": {name: whole["skill"][name] for name in ("kind", "size")},
        "goal": whole["goal"],
        "recurrent": whole["recurrent"],
        "tensors": {name: tensors[name] for name in ("action_low", "action_high")},
        "context.size": context.get("size"),
        "context.estimates": [
            {name: estimate[name] for name in ("name", "unit")}
            for estimate in context.get("estimates", ())
        ],
    }


def _difference(name: str, old: object, new: object) -> str:
    """Returns the first difference inside of two JSON values; '' if they are equal."""
    if old == new:
        return ""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in old:  # pyright: ignore[reportUnknownVariableType]
            found = _difference(f"{name}.{key}", old[key], new.get(key))  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
            if found:
                return found
    if isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):  # pyright: ignore[reportUnknownArgumentType]
            return f"{name} has {len(new)} entries instead of {len(old)}"  # pyright: ignore[reportUnknownArgumentType]
        for place, (first, second) in enumerate(zip(old, new, strict=True)):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            found = _difference(f"{name}[{place}]", first, second)
            if found:
                return found
    return f"{name} is {new!r} instead of {old!r}"
