"""skill-ros2: a served arm for ROS 2."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import tyro

from skill_runtime.cli.flag_texts import as_flags, exit_code_of
from skill_runtime.cli.subscribers.server_options import SteeredServerOptions
from skill_runtime.client import ClientError
from skill_runtime.console.exit_codes import USAGE
from skill_runtime.console.flags import UsageError
from skill_runtime.console.program import VERSION_HINT, print_error

# Other imports are local: '--help' and a mistyped flag answer at once.

PROGRAM = "skill-ros2"

DESCRIPTION = (
    "A ROS 2 node beside a running server: publishes joint_states, current_pose, objects/NAME, TF "
    "and diagnostics, takes target_pose or target_joint, skill and goal, and has the services "
    "stop, clear, reset and release. Needs ROS 2 in this shell (source its setup.bash). Arguments "
    "for ROS, such as parameters and remappings, follow --ros-args: skill-ros2 --address "
    "tcp://127.0.0.1:5555 --ros-args -p target:=joint -p priority:=2. A server with keys wants the "
    "role `controller`. See docs/ros2.md. " + VERSION_HINT
)

FIRST_ROS_ARGUMENT, LAST_ROS_ARGUMENT = "--ros-args", "--"


def main() -> None:
    """Runs the program and exits with a code of exit_codes.py."""
    own, for_ros = divide_arguments(sys.argv[1:])
    options = tyro.cli(SteeredServerOptions, prog=PROGRAM, description=DESCRIPTION, args=own)
    try:
        check_ros()
        options.client(PROGRAM).close()  # a wrong address or key is an error now
        sys.exit(_run(options, for_ros))
    except UsageError as error:
        print_error(PROGRAM, error)
        sys.exit(USAGE)
    except ClientError as error:
        print_error(PROGRAM, as_flags(error, address=options.address))
        sys.exit(exit_code_of(error))


def divide_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns the arguments of the program and those of ROS, from ``--ros-args`` to ``--``."""
    own: list[str] = []
    for_ros: list[str] = []
    is_ros = False
    for argument in arguments:
        if argument == FIRST_ROS_ARGUMENT:
            is_ros = True
        if is_ros:
            for_ros.append(argument)
            is_ros = argument != LAST_ROS_ARGUMENT
        else:
            own.append(argument)
    return own, for_ros


def check_ros() -> None:
    """Checks that ROS can be imported.

    Raises:
        UsageError: It cannot.
    """
    try:
        importlib.import_module("skill_runtime.ros2.ros")
    except ImportError as error:
        raise UsageError(
            f"{PROGRAM} needs ROS 2 ({error}); source its setup.bash in this shell, in an "
            f"environment whose Python is that of ROS (this one is {sys.version.split()[0]}); see "
            "docs/ros2.md"
        ) from None


def _run(options: SteeredServerOptions, for_ros: Sequence[str]) -> int:
    from skill_runtime.ros2.parameters import ParameterError
    from skill_runtime.ros2.run import RosError, run

    try:
        run(for_ros, lambda: options.client(PROGRAM), options.address)
    except (ParameterError, RosError) as error:
        raise UsageError(str(error)) from None
    return 0


if __name__ == "__main__":
    main()
