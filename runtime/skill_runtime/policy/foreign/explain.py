"""Problems of a manifest with their fixes, and its meaning in physical units."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from skill_proto.manifest import ActionPart, ManifestError, ObservationField, PolicyManifest
from skill_proto.validation_text import clip
from skill_robots.arm import ArmSpec
from skill_robots.motion.policy_support import UnsupportedPolicyError, check_supported
from skill_robots.observation import FIELDS
from skill_runtime.policy.onnx_file.errors import PolicyFileError
from skill_runtime.policy.onnx_policy import OnnxPolicy
from skill_runtime.policy.plant_remarks import plant_remarks
from skill_runtime.policy.policy_file import manifest_text
from skill_runtime.policy.servo_rates import suggest_servo_rates

SERVO_PERIOD_S = 0.005
"""Servo period of the simulated arm [s]."""

_FIXES: tuple[tuple[str, str], ...] = (
    ("control_rate_hz", "give 1 / (physics step * steps per action) of training [Hz]"),
    ("observation.*.name", f"give one of {', '.join(FIELDS)}, previous_action, goal, constant"),
    ("observation.*.unit", "give the SI unit of the raw value, '1' if it has none"),
    ("observation.*.frame", "give 'world', 'joint' or 'none', as docs/policy-file.md lists"),
    ("action.*.scale", "give the physical value of an action of 1, e.g. 0.05 m for panda-gym"),
    ("action.*.name", "give one of the kinds of actions in docs/policy-file.md"),
    ("recurrent.*", "give the number of control steps that training unrolled, or 'carry'"),
    ("goal.field", "give the observation field whose desired value a goal is"),
    ("goal.stop_radius", "give the distance that counted as success, e.g. 0.05 m in panda-gym"),
    ("goal.*", "give the corners of the box that training drew goals from"),
    ("plant.*", "give the value of training, or draft again with --like panda"),
)
"""Fix by the place of a problem; ``*`` stands for one part of the place and all after it."""

_ELSE = "see docs/policy-file.md"


def find_problems(path: Path, spec: ArmSpec) -> tuple[list[str], PolicyManifest | None]:
    """Returns the problems that keep an arm from running a file, and its manifest if it is whole.

    Args:
        path: The ONNX file; its manifest may lie beside it.
        spec: The arm.

    Raises:
        PolicyFileError: The file is no ONNX model, or has no manifest.
    """
    text, source = manifest_text(path)
    try:
        manifest = PolicyManifest.from_json(text)
    except ManifestError as error:
        cause = _validation_error(text)
        if cause is None:
            return [f"{source}: {error}"], None
        return [f"{source}: {each}" for each in _explained(cause)], None
    problems: list[str] = []
    try:
        OnnxPolicy(path)
    except PolicyFileError as error:
        problems.append(f"{error.problem}. Expected: {error.expected}. Fix: {error.fix}")
    try:
        check_supported(spec, manifest)
    except UnsupportedPolicyError as error:
        problems.append(str(error))
    if not suggest_servo_rates(manifest.control_rate_hz, 1.0 / SERVO_PERIOD_S):
        problems.append(
            f"control_rate_hz {manifest.control_rate_hz:g} has no multiple among the servo rates"
        )
    return problems, manifest


def remarks(manifest: PolicyManifest, spec: ArmSpec) -> list[str]:
    """Returns the differences between the plant of training and that of an arm, one per string."""
    found = plant_remarks(manifest, spec, SERVO_PERIOD_S)
    rates = suggest_servo_rates(manifest.control_rate_hz, 1.0 / SERVO_PERIOD_S)
    if rates and min(abs(rate * SERVO_PERIOD_S - 1.0) for rate in rates) > 1e-9:
        found.append(f"serve it with --servo-rate {rates[0]:.9g}")
    return found


def meaning(manifest: PolicyManifest) -> list[str]:
    """Returns the meaning of each entry of input and output, one line per field and part."""
    lines: list[str] = []
    place: dict[str, int] = {}
    for field in manifest.observation:
        start = place.get(field.input, 0)
        place[field.input] = start + field.width * field.history
        lines.append(f"{field.input}[{start}:{place[field.input]}] = {_formula(field)}")
    start = 0
    for part in manifest.action:
        lines.append(f"action[{start}:{start + part.size}] -> {_range(part)}")
        start += part.size
    return lines


def _formula(field: ObservationField) -> str:
    text = field.name + (f"{list(field.components)}" if field.components else "")
    if field.name == "constant":
        return f"constant {field.offset}"
    if field.offset != 0.0:
        text = f"({text} - {_numbers(field.offset)})"
    if field.scale != 1.0:
        text += f" * {_numbers(field.scale)}"
    if field.clip is not None:
        text += f", clipped to {field.clip[0]:g} to {field.clip[1]:g}"
    steps = f", {field.history} steps" if field.history > 1 else ""
    return f"{text} [{field.unit}, {field.frame}]{steps}"


def _range(part: ActionPart) -> str:
    if part.name == "grasp":
        return f"grasp below 0, open to {part.max_scale:g} {part.unit} from 0 on"
    if part.name == "gripper_width":
        return f"gripper_width, 0 to {part.max_scale:g} {part.unit}"
    scale, offset = _numbers(part.scale), _numbers(part.offset)
    middle = f"{offset} " if part.offset != 0.0 else ""
    return f"{part.name}, {middle}+- {scale} {part.unit}"


def _numbers(value: float | tuple[float, ...]) -> str:
    if isinstance(value, tuple):
        return "(" + ", ".join(f"{each:.4g}" for each in value) + ")"
    return f"{value:.6g}"


def _validation_error(text: str) -> ValidationError | None:
    try:
        PolicyManifest.model_validate_json(text)
    except ValidationError as error:
        return error
    return None


def _explained(error: ValidationError) -> Iterator[str]:
    """Yields each problem with its fix; of the branches of a union only the first counts."""
    seen: set[str] = set()
    found = error.errors(include_url=False)
    # A list whose length is wrong only because an entry was refused adds no information.
    lists = {item["loc"][:1] for item in found if len(item["loc"]) > 1}
    for item in found:
        if item["loc"] in lists:
            continue
        parts = [str(part) for part in item["loc"]]
        place = ".".join(part for part in parts if part not in ("float", "constrained-float"))
        place = place.split(".tuple[", 1)[0] or "manifest"
        if place in seen:
            continue
        seen.add(place)
        problem = "is not filled in" if item["input"] is None else clip(item["msg"], 300)
        yield f"{place} {problem}; fix: {_fix(place)}"


def _fix(place: str) -> str:
    for pattern, fix in _FIXES:
        if _matches(place.split("."), pattern.split(".")):
            return fix
    return _ELSE


def _matches(place: list[str], pattern: list[str]) -> bool:
    if pattern and pattern[-1] == "*" and len(place) >= len(pattern) - 1:
        pattern, place = pattern[:-1], place[: len(pattern) - 1]
    return len(place) == len(pattern) and all(
        wanted in ("*", given) for given, wanted in zip(place, pattern, strict=True)
    )
