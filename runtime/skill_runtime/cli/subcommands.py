"""The subcommands of skill-control; each one is a dataclass of its arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Protocol

from tyro.conf import Positional, arg, subcommand

from skill_proto.messages import Telemetry
from skill_proto.printable import printable
from skill_runtime.cli.policies.subcommands import ModelsSubcommand, SwapSubcommand
from skill_runtime.cli.repeat_command import holder_name, repeat_command
from skill_runtime.client import CommandRefusedError, GripperFields, SkillClient
from skill_runtime.console.flags import UsageError, check_number
from skill_runtime.console.text import (
    control_command,
    example_command,
    json_line,
    watch_line,
    welcome_text,
)

Numbers = Annotated[Positional[tuple[float, ...]], arg(metavar="NUMBER ...", help_behavior_hint="")]
"""A vector on the command line; the server checks its length."""


class Subcommand(Protocol):
    """One subcommand."""

    def run(self, client: SkillClient) -> None:
        """Runs the subcommand."""
        ...


@dataclass(frozen=True, kw_only=True)
class HelloSubcommand:
    """Describe the server, and show how to command it."""

    json: bool = False
    """Print the server's reply as one JSON object."""

    def run(self, client: SkillClient) -> None:
        """Prints the server's reply."""
        welcome = client.hello()
        if self.json:
            print(json_line(welcome.model_dump_json()))
            return
        print(welcome_text(welcome, client.address))
        if welcome.instance:
            print(f"{'instance':<11}{printable(welcome.instance)}")


@dataclass(frozen=True, kw_only=True)
class WatchSubcommand:
    """Print one line per state; needs no lease."""

    count: Annotated[int | None, arg(metavar="LINES", help_behavior_hint="(default: no end)")] = (
        None
    )
    """Number of lines to print."""
    json: bool = False
    """Print whole messages, one JSON object per line."""

    def __post_init__(self) -> None:
        """Refuses a negative number of lines."""
        if self.count is not None and self.count < 0:
            raise UsageError(
                f"--count takes a number of lines, 0 or more, got {self.count}; give one, or omit "
                "the flag to print until Ctrl-C"
            )

    def run(self, client: SkillClient) -> None:
        """Prints states until interrupted."""
        previous: Telemetry | None = None
        manifest = client.server.manifest
        for state in islice(client.telemetry(), self.count):
            if self.json:
                line = json_line(state.model_dump_json())
            else:
                line = watch_line(state, previous, manifest) + _goal_text(state)
            print(line, flush=True)
            previous = state


def _goal_text(state: Telemetry) -> str:
    """Returns the progress towards the goal; empty without a goal."""
    if state.goal_status is None:
        return ""
    distance = "" if state.goal_distance is None else f", {state.goal_distance:.3f} away"
    return f"  goal: {state.goal_status.replace('_', ' ')}{distance}"


def _require(client: SkillClient, numbers: tuple[float, ...], name: str, size: int) -> None:
    if size and not numbers:
        fix = f"give {size} numbers; see {control_command('hello', client.address)}"
        raise CommandRefusedError("invalid", f"the {name} is missing", fix)


@dataclass(frozen=True, kw_only=True)
class _Commanding:
    priority: Annotated[int, arg(metavar="0-9")] = 0
    """Take the lease over from a holder of a lower priority."""

    def __post_init__(self) -> None:
        """Refuses a priority that the server would refuse."""
        check_number("priority", self.priority, 0, 9)


@dataclass(frozen=True, kw_only=True)
class _Motion(_Commanding):
    duration_s: Annotated[
        float | None,
        arg(name="for", metavar="SECONDS", help_behavior_hint="(default: until Ctrl-C)"),
    ] = None
    """Duration [s]; then the arm holds."""
    gripper_width: Annotated[
        float | None,
        arg(metavar="METRES", help_behavior_hint="(default: unchanged, or set by the policy)"),
    ] = None
    """Gripper width [m]."""
    grasp: bool = False
    """Close the gripper on the object and hold it by force."""

    def __post_init__(self) -> None:
        """Refuses a duration that is not positive."""
        super().__post_init__()
        if self.duration_s is not None and not self.duration_s > 0:
            raise UsageError(
                f"--for takes a positive number of seconds, got {self.duration_s}; give one, or "
                "omit the flag to move until Ctrl-C"
            )

    @property
    def gripper(self) -> GripperFields:
        """The gripper's part of the command."""
        return {"gripper_width": self.gripper_width, "grasp": self.grasp}

    def repeat(self, client: SkillClient, send: Callable[[float], None]) -> None:
        """Calls ``send(valid_for_s)`` periodically under the lease."""
        repeat_command(client, send, self.duration_s, priority=self.priority)


@dataclass(frozen=True, kw_only=True)
class SkillSubcommand(_Motion):
    """Run the policy with a skill, e.g. skill 1 0."""

    skill: Numbers
    """Skill vector; `hello` prints its size."""

    def run(self, client: SkillClient) -> None:
        """Repeats the skill."""
        manifest = client.server.manifest
        if manifest.skill.kind == "none":
            example = example_command(manifest, client.address)
            fix = f"send a goal, e.g. {example}" if example else ""
            raise CommandRefusedError("not_supported", f"{manifest.name} takes no skills", fix)
        _require(client, self.skill, "skill", manifest.skill.size)
        self.repeat(client, lambda t: client.skill(self.skill, t, **self.gripper))


@dataclass(frozen=True, kw_only=True)
class GoalSubcommand(_Motion):
    """Run the policy towards a goal, e.g. goal 0.1 -0.1."""

    goal: Numbers
    """Goal vector [m]; `hello` prints its meaning and its bounds."""

    def run(self, client: SkillClient) -> None:
        """Repeats the goal."""
        manifest = client.server.manifest
        if manifest.goal is None:
            fix = f"send a skill, e.g. {example_command(manifest, client.address)}"
            raise CommandRefusedError("not_supported", f"{manifest.name} takes no goals", fix)
        _require(client, self.goal, "goal", manifest.goal_size)
        self.repeat(client, lambda t: client.goal(self.goal, t, **self.gripper))


@dataclass(frozen=True, kw_only=True)
class PoseSubcommand(_Motion):
    """Move the end effector to X Y Z in the world frame, gripper down."""

    position: Annotated[Positional[tuple[float, float, float]], arg(metavar="X Y Z")]
    """Target position [m]."""

    def run(self, client: SkillClient) -> None:
        """Repeats the position."""
        position = self.position
        self.repeat(client, lambda t: client.servo_pose(position, t, **self.gripper))


@dataclass(frozen=True, kw_only=True)
class JointsSubcommand(_Motion):
    """Move the joints to the given positions."""

    position: Numbers
    """Target positions [rad], one number per joint."""

    def run(self, client: SkillClient) -> None:
        """Repeats the positions."""
        joints = len(client.state().joint_position)
        _require(client, self.position, "position of the joints", joints)
        position = self.position
        self.repeat(client, lambda t: client.servo_joint(position, t, **self.gripper))


@dataclass(frozen=True, kw_only=True)
class HoldSubcommand(_Commanding):
    """Hold position. Ends the demo if nobody else has the lease."""

    def run(self, client: SkillClient) -> None:
        """Brings the arm to rest."""
        with client.acquire(holder_name(), priority=self.priority):
            client.hold()
        print("the arm holds; the lease is free")


@dataclass(frozen=True, kw_only=True)
class StopSubcommand:
    """Stop the arm at once; needs no lease. Only `clear` enables motion again."""

    reason: Annotated[
        Positional[tuple[str, ...]], arg(metavar="[REASON ...]", help_behavior_hint="")
    ] = ()
    """Published in the telemetry."""

    def run(self, client: SkillClient) -> None:
        """Stops the arm."""
        client.stop(" ".join(self.reason) or "skill-control stop")
        print(f"stopped; to enable motion: {control_command('clear', client.address)}")


@dataclass(frozen=True, kw_only=True)
class ClearSubcommand:
    """End a stop or a fault; the arm holds until the next command."""

    def run(self, client: SkillClient) -> None:
        """Ends a stop or a fault."""
        client.clear()
        print(f"cleared; mode {client.hello().mode}")


@dataclass(frozen=True, kw_only=True)
class ResetSubcommand(_Commanding):
    """Simulated arms: start a new episode, with new positions of arm and object."""

    seed: Annotated[int | None, arg(metavar="NUMBER", help_behavior_hint="(default: random)")] = (
        None
    )
    """Seed of the new positions."""

    def run(self, client: SkillClient) -> None:
        """Starts a new episode."""
        with client.acquire(holder_name(), priority=self.priority):
            client.reset(self.seed)
        print("reset; the arm holds")


@dataclass(frozen=True, kw_only=True)
class SceneSubcommand:
    """Simulated arms: change the object without interrupting the command; needs no lease."""

    mass: Annotated[float | None, arg(metavar="KG", help_behavior_hint="(default: unchanged)")] = (
        None
    )
    """Mass of the object [kg]."""
    friction: Annotated[
        float | None, arg(metavar="MU", help_behavior_hint="(default: unchanged)")
    ] = None
    """Effective friction coefficient of object and table; half of a skill-aware benchmark label."""

    def run(self, client: SkillClient) -> None:
        """Changes the given parameters and prints all of them."""
        if self.mass is None and self.friction is None:
            raise CommandRefusedError(
                "invalid", "no parameter is given", "give --mass or --friction"
            )
        client.scene(self.mass, self.friction)
        scene = client.state().scene or {}
        print(printable(", ".join(f"{name} {value:g}" for name, value in scene.items())))


AnySubcommand = (
    Annotated[HelloSubcommand, subcommand("hello")]
    | Annotated[WatchSubcommand, subcommand("watch")]
    | Annotated[SkillSubcommand, subcommand("skill")]
    | Annotated[GoalSubcommand, subcommand("goal")]
    | Annotated[PoseSubcommand, subcommand("pose")]
    | Annotated[JointsSubcommand, subcommand("joints")]
    | Annotated[HoldSubcommand, subcommand("hold")]
    | Annotated[StopSubcommand, subcommand("stop")]
    | Annotated[ClearSubcommand, subcommand("clear")]
    | Annotated[ResetSubcommand, subcommand("reset")]
    | Annotated[SceneSubcommand, subcommand("scene")]
    | Annotated[ModelsSubcommand, subcommand("models")]
    | Annotated[SwapSubcommand, subcommand("swap")]
)
"""Any subcommand; tyro builds the command line from it."""
