"""ROS parameters of the node; each is read once, at the start."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from skill_proto.validation_text import describe_errors


class ParameterError(Exception):
    """A parameter has a value that the node cannot use; the text names it."""


@dataclass(frozen=True, kw_only=True)
class Ros2Parameters:
    """The parameters. Their descriptions are published by the node, too."""

    target: Literal["pose", "joint"] = Field(
        default="pose", description="topic that moves the arm: target_pose or target_joint"
    )
    frame_id: str = Field(
        default="world", min_length=1, description="frame of all messages: the server's world"
    )
    holder: str = Field(
        default="skill-ros2",
        min_length=1,
        max_length=256,
        description="name of the holder of the lease",
    )
    priority: int = Field(
        default=0, ge=0, le=9, description="priority of the lease; takes over from lower ones"
    )
    lease_ttl_s: float = Field(
        default=1.0,
        ge=0.1,
        le=60.0,
        description="the lease ends this long after the node died [s]",
    )
    valid_for_s: float = Field(
        default=0.3, gt=0.0, le=60.0, description="a target ends this long after it was sent [s]"
    )
    silence_s: float = Field(
        default=1.0,
        gt=0.0,
        le=60.0,
        description="the lease is released this long after the last target [s]",
    )
    max_age_s: float = Field(
        default=0.3, gt=0.0, le=60.0, description="targets with an older stamp are refused [s]"
    )
    orientation_tolerance_rad: float = Field(
        default=0.35,
        ge=0.0,
        le=math.pi,
        description="largest angle of target_pose from the gripper down; pi: any [rad]",
    )
    publish_tf: bool = Field(default=True, description="publish TF, if tf2_msgs is installed")
    tf_prefix: str = Field(
        default="", description="put before each frame name of TF but that of the world"
    )


class Parameter(NamedTuple):
    """One parameter, for its declaration."""

    name: str
    default: object
    description: str


def list_parameters() -> list[Parameter]:
    """Returns all parameters."""
    schema = TypeAdapter(Ros2Parameters).json_schema()["properties"]
    return [Parameter(name, part["default"], part["description"]) for name, part in schema.items()]


def read_parameters(value_of: Callable[[str], object]) -> Ros2Parameters:
    """Returns the parameters.

    Args:
        value_of: Returns the value of a parameter by name.

    Raises:
        ParameterError: A value has the wrong type or is out of bounds.
    """
    given = {parameter.name: value_of(parameter.name) for parameter in list_parameters()}
    try:
        return TypeAdapter(Ros2Parameters).validate_python(given)
    except ValidationError as error:
        raise ParameterError(
            f"ROS parameter {describe_errors(error)}; docs/ros2.md lists the parameters"
        ) from None
