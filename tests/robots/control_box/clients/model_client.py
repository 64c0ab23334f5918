"""The model that a library has loaded from a robot: ``python model_client.py LIBRARY ADDRESS DIR``.

Reads ``DIR/asked.npz`` and writes ``DIR/answered.npz``: mass matrix, Coriolis and gravity torques,
Jacobian, and, if the library offers it, the pose of the end effector.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

Questions = Mapping[str, np.ndarray]
Answers = dict[str, list[Any]]


def of_pylibfranka(address: str, asked: Questions) -> Answers:
    """The own model of libfranka, for an FR3. Its methods take a state, whose fields can be set."""
    import pylibfranka

    robot = pylibfranka.Robot(address, pylibfranka.RealtimeConfig.kIgnore)
    model, state = robot.load_model(), robot.read_once()
    state.F_T_EE = asked["F_T_EE"]
    state.I_total, state.m_total = asked["I_total"], float(asked["m_total"])
    state.F_x_Ctotal = asked["F_x_Ctotal"]
    found: Answers = {"mass": [], "coriolis": [], "gravity": [], "jacobian": []}
    for q, dq in zip(asked["q"], asked["dq"], strict=True):
        state.q, state.dq = q, dq
        found["mass"].append(model.mass(state))
        found["coriolis"].append(model.coriolis(state))
        found["gravity"].append(model.gravity(state))
        found["jacobian"].append(model.zero_jacobian(state))
    return found


def of_franky(address: str, asked: Questions) -> Answers:
    """The same model in another release of libfranka, with its poses."""
    import franky

    robot = franky.Robot(address, realtime_config=franky.RealtimeConfig.Ignore)
    model, still = robot.model, franky.Affine()
    frame = franky.Affine(asked["F_T_EE"].reshape(4, 4).T)
    tensor, mass = asked["I_total"].reshape(3, 3), float(asked["m_total"])
    centre, earth = asked["F_x_Ctotal"], np.array([0.0, 0.0, -9.81])
    end = franky.Frame.EndEffector
    found: Answers = {"mass": [], "coriolis": [], "gravity": [], "jacobian": [], "pose": []}
    for q, dq in zip(asked["q"], asked["dq"], strict=True):
        found["mass"].append(model.mass(q, tensor, mass, centre))
        found["coriolis"].append(model.coriolis(q, dq, tensor, mass, centre))
        found["gravity"].append(model.gravity(q, mass, centre, earth))
        found["jacobian"].append(model.zero_jacobian(end, q, frame, still).T)
        found["pose"].append(model.pose(end, q, frame, still).matrix.T)
    return found


def of_panda_py(address: str, asked: Questions) -> Answers:
    """The model library of a Panda, called by libfranka 0.9."""
    from panda_py import libfranka

    robot = libfranka.Robot(address, libfranka.RealtimeConfig.kIgnore)
    model, end, still = robot.load_model(), libfranka.Frame.kEndEffector, np.eye(4).ravel()
    frame, tensor = asked["F_T_EE"], asked["I_total"]
    mass, centre = float(asked["m_total"]), asked["F_x_Ctotal"]
    found: Answers = {"mass": [], "coriolis": [], "gravity": [], "jacobian": [], "pose": []}
    for q, dq in zip(asked["q"], asked["dq"], strict=True):
        found["mass"].append(model.mass(q, tensor, mass, centre))
        found["coriolis"].append(model.coriolis(q, dq, tensor, mass, centre))
        found["gravity"].append(model.gravity(q, mass, centre))
        found["jacobian"].append(model.zero_jacobian(end, q, frame, still))
        found["pose"].append(model.pose(end, q, frame, still))
    return found


LIBRARIES = {"pylibfranka": of_pylibfranka, "franky": of_franky, "panda_py": of_panda_py}


def main(library: str, address: str, folder: Path) -> None:
    """Answers with one library."""
    with np.load(folder / "asked.npz") as asked:
        found = LIBRARIES[library](address, asked)
    np.savez(folder / "answered.npz", **{name: np.array(each) for name, each in found.items()})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
