"""skill-control: watch and steer a served arm from a terminal."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from itertools import islice
from types import FrameType
from typing import Annotated, NoReturn, Protocol

import tyro
from pydantic import Field
from pydantic.dataclasses import dataclass
from tyro.conf import Positional, arg, subcommand

from skill_proto.faults import needs_clear
from skill_proto.messages import Telemetry
from skill_proto.ports import DEFAULT_ADDRESS
from skill_runtime.cli.repeat_command import holder_name, steer
from skill_runtime.client.client import Hand, SkillClient
from skill_runtime.client.errors import ClientError, CommandRefusedError
from skill_runtime.console.interrupts import raise_at_interrupt
from skill_runtime.console.status_line import discard_output
from skill_runtime.console.text import example_goal, watch_line, welcome_text

OK, FAILED, USAGE = 0, 1, 2
"""Exit codes: done; could not be done; what was typed cannot be done."""


Numbers = Annotated[Positional[tuple[float, ...]], arg(metavar="NUMBER ...", help_behavior_hint="")]
"""A vector on the command line; the server knows how long it has to be."""


class Task(Protocol):
    """One subcommand."""

    def run(self, client: SkillClient) -> None:
        """Does it."""
        ...


@dataclass(frozen=True, kw_only=True)
class Hello:
    """Say who serves what, and how to steer it."""

    json: bool = False
    """Print the server's answer as it came, one JSON object."""

    def run(self, client: SkillClient) -> None:
        """Prints the server's answer."""
        welcome = client.hello()
        print(welcome.model_dump_json() if self.json else welcome_text(welcome))


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Print the state as it comes, a line each; needs no lease."""

    count: Annotated[int | None, Field(ge=0), arg(metavar="LINES")] = None
    """End after this many lines."""
    json: bool = False
    """Print whole messages, one JSON object a line."""

    def run(self, client: SkillClient) -> None:
        """Prints states until interrupted."""
        previous: Telemetry | None = None
        manifest = client.server.manifest
        for state in islice(client.telemetry(), self.count):
            line = state.model_dump_json() if self.json else watch_line(state, previous, manifest)
            print(line, flush=True)
            previous = state


def _require(numbers: tuple[float, ...], what: str, size: int) -> None:
    if size and not numbers:
        raise CommandRefusedError(
            "invalid", f"the {what} is missing: give {size} numbers; see skill-control hello", ""
        )


@dataclass(frozen=True, kw_only=True)
class _Commanding:
    priority: Annotated[int, Field(ge=0, le=9), arg(metavar="0-9")] = 0
    """Takes the lease from a holder of a lower one."""


@dataclass(frozen=True, kw_only=True)
class _Motion(_Commanding):
    duration_s: Annotated[float | None, Field(gt=0), arg(name="for", metavar="SECONDS")] = None
    """End after this long [s]; otherwise Ctrl-C ends it. Then the arm holds."""
    gripper_width: Annotated[float | None, arg(metavar="METRES")] = None
    """Opening of the hand [m]; nothing leaves it to the policy, or as it is."""
    grasp: bool = False
    """Close the hand on the object and hold by force."""

    @property
    def hand(self) -> Hand:
        """What the hand does meanwhile."""
        return {"gripper_width": self.gripper_width, "grasp": self.grasp}

    def repeat(self, client: SkillClient, send: Callable[[float], None]) -> None:
        """Calls ``send(valid_for_s)`` under the lease until this is over."""
        steer(client, send, self.duration_s, priority=self.priority)


@dataclass(frozen=True, kw_only=True)
class Skill(_Motion):
    """Run the policy with a skill, as: skill 1 0."""

    skill: Numbers
    """The skill; `hello` says of how many numbers."""

    def run(self, client: SkillClient) -> None:
        """Repeats the skill."""
        manifest = client.server.manifest
        if manifest.skill.kind == "none":
            goal = manifest.goal
            fix = f"send a goal, as: skill-control goal {example_goal(goal)}" if goal else ""
            raise CommandRefusedError("not_supported", f"{manifest.name} takes no skills", fix)
        _require(self.skill, "skill", manifest.skill.size)
        self.repeat(client, lambda t: client.skill(self.skill, t, **self.hand))


@dataclass(frozen=True, kw_only=True)
class Goal(_Motion):
    """Run the policy towards a goal, as: goal 0.1 -0.1."""

    goal: Numbers
    """The goal [m]; `hello` says of what and within which bounds."""

    def run(self, client: SkillClient) -> None:
        """Repeats the goal."""
        manifest = client.server.manifest
        if manifest.goal is None:
            fix = "send a skill; skill-control hello shows one"
            raise CommandRefusedError("not_supported", f"{manifest.name} takes no goals", fix)
        _require(self.goal, "goal", manifest.goal_size)
        self.repeat(client, lambda t: client.goal(self.goal, t, **self.hand))


@dataclass(frozen=True, kw_only=True)
class Pose(_Motion):
    """Move the end effector, hand down, to X Y Z in the world frame."""

    position: Annotated[Positional[tuple[float, float, float]], arg(metavar="X Y Z")]
    """Where to [m]."""

    def run(self, client: SkillClient) -> None:
        """Repeats the position."""
        position = self.position
        self.repeat(client, lambda t: client.servo_pose(position, t, **self.hand))


@dataclass(frozen=True, kw_only=True)
class Joints(_Motion):
    """Move the joints to the given positions."""

    position: Numbers
    """Where to [rad], one number per joint."""

    def run(self, client: SkillClient) -> None:
        """Repeats the positions."""
        _require(self.position, "position of every joint", len(client.state().joint_position))
        position = self.position
        self.repeat(client, lambda t: client.servo_joint(position, t, **self.hand))


@dataclass(frozen=True, kw_only=True)
class Hold(_Commanding):
    """Take the lease from the show-off, if it is free, and let the arm hold."""

    def run(self, client: SkillClient) -> None:
        """Holds."""
        with client.acquire(holder_name(), priority=self.priority):
            client.hold()
        print("the arm holds; the lease is free")


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Stop the arm at once, whoever commands it; only `clear` makes it movable again."""

    reason: Positional[tuple[str, ...]] = ()
    """Why, for whoever watches."""

    def run(self, client: SkillClient) -> None:
        """Stops."""
        client.stop(" ".join(self.reason) or "skill-control stop")
        print("stopped; skill-control clear takes it back")


@dataclass(frozen=True, kw_only=True)
class Clear:
    """Take back a stop or a fault; the arm holds until the next command."""

    def run(self, client: SkillClient) -> None:
        """Clears."""
        client.clear()
        print(f"cleared; mode {client.hello().mode}")


@dataclass(frozen=True, kw_only=True)
class Reset(_Commanding):
    """Simulated arms: put arm and object at a fresh start."""

    seed: Annotated[int | None, arg(metavar="NUMBER")] = None
    """Which start; nothing takes a random one."""

    def run(self, client: SkillClient) -> None:
        """Resets."""
        with client.acquire(holder_name(), priority=self.priority):
            client.reset(self.seed)
        print("reset; the arm holds")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Simulated arms: change the object while it is moved, whoever steers; needs no lease."""

    mass: Annotated[float | None, arg(metavar="KG")] = None
    """Mass of the object [kg]."""
    friction: Annotated[float | None, arg(metavar="MU")] = None
    """Effective coefficient between object and table; half of a skill-aware benchmark label."""

    def run(self, client: SkillClient) -> None:
        """Changes what was given and prints what is."""
        if self.mass is None and self.friction is None:
            raise CommandRefusedError("invalid", "give --mass, --friction or both", "")
        client.scene(self.mass, self.friction)
        scene = client.state().scene or {}
        print(", ".join(f"{name} {value:g}" for name, value in scene.items()))


Command = (
    Annotated[Hello, subcommand("hello")]
    | Annotated[Watch, subcommand("watch")]
    | Annotated[Skill, subcommand("skill")]
    | Annotated[Goal, subcommand("goal")]
    | Annotated[Pose, subcommand("pose")]
    | Annotated[Joints, subcommand("joints")]
    | Annotated[Hold, subcommand("hold")]
    | Annotated[Stop, subcommand("stop")]
    | Annotated[Clear, subcommand("clear")]
    | Annotated[Reset, subcommand("reset")]
    | Annotated[Scene, subcommand("scene")]
)


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """The whole command line."""

    command: Command
    address: str = DEFAULT_ADDRESS
    """Where skill-serve takes commands."""


def main() -> None:
    """Runs one subcommand and ends the program with its exit code."""
    arguments = tyro.cli(
        Arguments,
        prog="skill-control",
        description="Watch and steer an arm that skill-serve serves.",
        config=(
            tyro.conf.OmitArgPrefixes,
            tyro.conf.OmitSubcommandPrefixes,
            tyro.conf.CascadeSubcommandArgs,
            tyro.conf.FlagCreatePairsOff,
        ),
    )
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = _run(arguments.command, arguments.address)
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()  # the reader has what it wanted
        code = OK
    sys.exit(code)


def _run(task: Task, address: str) -> int:
    advice = ""
    try:
        raise_at_interrupt()
        with SkillClient(address, name=holder_name()) as client:
            try:
                task.run(client)
            except CommandRefusedError as error:
                advice = _advice(task, error, client)
                raise
    except KeyboardInterrupt:
        return OK if isinstance(task, Watch) else FAILED
    except ClientError as error:
        code = error.code if isinstance(error, CommandRefusedError) else None
        print(f"skill-control: {error}", file=sys.stderr)
        if advice:
            print(advice, file=sys.stderr)
        return USAGE if code == "invalid" else FAILED
    return OK


def _advice(task: Task, error: CommandRefusedError, client: SkillClient) -> str:
    """What to type next; nothing where the error itself says what there is to say.

    A fault that may end by itself needs no ``clear``, which would end the lease of its holder.
    """
    if error.code != "not_now" or isinstance(task, Clear):
        return ""
    try:
        state = client.state()
    except ClientError:
        return ""
    return "Once it is safe: skill-control clear, then this again" if needs_clear(state) else ""


def _interrupt(signal_number: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM ends as Ctrl-C does: the lease is given back."""
    del signal_number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
