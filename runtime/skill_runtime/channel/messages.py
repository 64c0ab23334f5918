"""The messages that pass between gateway and controller, as records."""

from __future__ import annotations

from skill_proto.messages import (
    Acquire,
    Clear,
    Error,
    Goal,
    Granted,
    Hold,
    Inbound,
    Message,
    Ok,
    Release,
    Renew,
    Reset,
    Scene,
    ServoJoint,
    ServoPose,
    Skill,
    Track,
)
from skill_runtime.channel.codec import Fields, MessageCodec

_TIMED = ("reference_time", "valid_for_s", "gripper_width")

COMMANDS: MessageCodec[Inbound] = MessageCodec(
    {
        Acquire: Fields(integers=("priority",), floats=("ttl_s",), texts=("holder",)),
        Renew: Fields(texts=("lease",)),
        Release: Fields(texts=("lease",)),
        Skill: Fields(
            integers=("seq", "grasp"), floats=_TIMED, texts=("lease",), vectors=("skill",)
        ),
        Goal: Fields(integers=("seq", "grasp"), floats=_TIMED, texts=("lease",), vectors=("goal",)),
        ServoJoint: Fields(
            integers=("seq", "grasp"), floats=_TIMED, texts=("lease",), vectors=("joint_position",)
        ),
        ServoPose: Fields(
            integers=("seq", "grasp"),
            floats=_TIMED,
            texts=("lease",),
            vectors=("end_effector_position",),
        ),
        Hold: Fields(integers=("seq",), floats=("reference_time",), texts=("lease",)),
        Reset: Fields(integers=("seq", "seed"), floats=("reference_time",), texts=("lease",)),
        Scene: Fields(
            integers=("seq",), floats=("reference_time", "mass", "friction"), texts=("lease",)
        ),
        Track: Fields(
            floats=("captured",),
            texts=("object",),
            vectors=("position", "quaternion", "velocity", "angular_velocity"),
        ),
        Clear: Fields(),
    }
)
"""Commands that the controller executes."""

REPLIES: MessageCodec[Message] = MessageCodec(
    {
        Ok: Fields(floats=("time",)),
        Granted: Fields(integers=("seq",), floats=("time", "ttl_s"), texts=("lease",)),
        Error: Fields(floats=("time",), texts=("code", "message", "fix")),
    },
    validates=False,
)
"""Replies of the controller."""
