"""RecordingReplay: repeats the inferences of a recording, those of each server with its policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from skill_proto.messages import PolicyStep, Welcome
from skill_runtime.policy import OnnxPolicy
from skill_runtime.subscribers.recording.reader import Recording
from skill_runtime.subscribers.recording.recording_file import POLICY_STEP_CHANNEL
from skill_runtime.subscribers.replay.model_file import FOLDERS, find_model
from skill_runtime.subscribers.replay.policy_replay import PolicyReplay, ReplayError
from skill_runtime.subscribers.replay.result import TOLERANCE, ReplayResult


class RecordingReplay:
    """A replay of a recording. The recorder goes on if a server ends and another one begins.

    Args:
        recording: The recording.
        model: Policy file for all servers; if None, the recorded one of each.
        tolerance: Largest difference that counts as equal.
        say: Receives each remark on a policy file, a line.
        folders: Folders that may have the recorded policy files.
    """

    def __init__(
        self,
        recording: Recording,
        model: Path | None,
        tolerance: float = TOLERANCE,
        say: Callable[[str], None] = print,
        folders: Sequence[Path] = FOLDERS,
    ) -> None:
        self._recording = recording
        self._model = model
        self._tolerance = tolerance
        self._say = say
        self._folders = folders
        self._replays: dict[Path, PolicyReplay] = {}

    def run(self) -> ReplayResult:
        """Replays all steps.

        Raises:
            RecordingError: A file is no recording.
            ReplayError: A policy file is not found, or does not fit the recording.
            PolicyFileError: A policy file cannot be opened.
        """
        self._recording.read_welcomes()
        result = ReplayResult()
        instance, replay = "", None
        for message in self._recording.messages((POLICY_STEP_CHANNEL,)):
            step = message.parse()
            assert isinstance(step, PolicyStep)
            if replay is None or step.instance != instance:
                instance, replay = step.instance, self._replay_of(step, result)
            replay.step(step)
        return result

    def _replay_of(self, step: PolicyStep, result: ReplayResult) -> PolicyReplay:
        """Returns the replay with the policy of the server of a step."""
        welcome = self._recording.welcomes.get(step.instance)
        if self._model is not None:
            path = self._model
        elif welcome is not None:
            path = find_model(welcome, self._folders)
        else:
            raise ReplayError(
                f"the recording does not describe the server of policy step {step.step} at "
                f"{step.time:.3f} s; name its policy file with --model FILE"
            )
        if path not in self._replays:
            self._replays[path] = PolicyReplay(OnnxPolicy(path), self._tolerance, result)
        if welcome is not None:
            self._compare(self._replays[path].policy, welcome)
        return self._replays[path]

    def _compare(self, policy: OnnxPolicy, welcome: Welcome) -> None:
        """Says how a policy file differs from the recorded one."""
        if policy.sha256 != welcome.policy_sha256:
            self._say(f"{policy.path} is not the recorded policy file {welcome.policy_file}")
        elif policy.manifest != welcome.manifest:
            now, then = policy.manifest.model_dump(), welcome.manifest.model_dump()
            names = ", ".join(name for name in now if now[name] != then[name])
            self._say(
                f"{policy.path} is the recorded policy file, but its manifest differs in {names}"
            )
