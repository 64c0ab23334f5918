"""n scenes of a MuJoCo body, stepped as one batch."""

from __future__ import annotations

import dataclasses
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

import mujoco
import numpy as np
from mujoco.batch import Batch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from skill_proto.arrays import Array, Flags, Ids
from skill_proto.manifest import ActionPart
from skill_robots.tasks.scene_arguments import check_scenes, checked_action, ids_to_reset
from skill_robots.worlds.bodies import BODIES, Body, Motion, Noise
from skill_robots.worlds.body_fields import body_fields
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.packaged.mjcf import packaged_spec
from skill_robots.worlds.packaged.table import PACKAGED, PackagedBody
from skill_robots.worlds.world import Coordinates, Step, WorldSpec

Integrator = Literal["euler", "file"]

ALL_BODIES: dict[str, Body] = {**BODIES, **PACKAGED}
"""Every body by its name, those of other packages included."""

START_TIME_S = 1.0
"""Time at the start of an episode [s]. MuJoCo resets an unstable simulation to time 0, which can be
told from a start only if the two differ."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class BodyConfig:
    """A MuJoCo body in training."""

    body: str = "ant"
    """Name of the body."""
    episode_steps: Annotated[int, Field(ge=1)] = 200
    """Control steps of an episode; 200 in METRA and CSF."""
    integrator: Integrator = "euler"
    """'file': that of the MJCF, RK4 for Ant. 'euler' computes forces once a physics step, RK4 four
    times."""
    terminals: bool = False
    """Whether a fall ends the episode as in Gymnasium. METRA and CSF go on."""
    restart_lying_after: Annotated[int, Field(ge=1)] | None = None
    """Control steps on its back after which a body with a free joint starts anew, without a
    terminal; None: it lies until the end of the episode, as in the papers."""


class MujocoWorld:
    """n scenes of one body; implements ``World``.

    Start, reward and health are those of Gymnasium's v5 environment. The observation is the whole
    state, ``qpos`` and ``qvel``, as in METRA's and CSF's worlds.

    Args:
        config: The body and its episodes.
        n: Number of scenes.
        seed: Seed of the starts.
        threads: Physics threads.
        scenery: MJCF of further geoms that do not move, such as hurdles.
        body: A row of another table; None: the body that the configuration names.

    Attributes:
        spec: The description.
        n: Number of scenes.
        body: The row of the body.
        model: The compiled model, which all scenes share.
        batch: The scenes.
        forward: Rewarded velocity of the last step ``(n,)``, 0 at the start of an episode and after
            an unstable step [m/s].

    Raises:
        WorldError: There is no such body, its MJCF is not installed, or ``n`` or ``seed`` is no
            whole number from 1 or 0.
    """

    def __init__(
        self,
        config: BodyConfig,
        n: int,
        *,
        seed: int = 0,
        threads: int = 1,
        scenery: str = "",
        body: Body | None = None,
    ) -> None:
        check_scenes(n, seed)
        self.body = body = find_body(config.body) if body is None else body
        self.model = model = body_model(body, scenery)
        if config.integrator == "euler":
            model.opt.integrator = mujoco.mjtIntegrator.mjINT_EULER.value
        self.config = config
        self.n = n
        self.spec = body_spec(config, model, body)
        self.rng = np.random.default_rng(seed)
        self.batch = batch = Batch(model, n, nthread=threads, persistent=True)
        self._qpos, self._qvel, self._ctrl = map(batch.bind, ("qpos", "qvel", "ctrl"))
        self._time = batch.bind("time")
        self._origins, self._mass_centres = batch.bind("xpos"), batch.bind("xipos")
        self._mass_share = model.body_mass / model.body_mass.sum()
        self._act = batch.bind("act") if model.na else np.zeros((n, 0))
        self._start = (model.key_qpos[0] if body.keyframe else model.qpos0).copy()
        self._low, self._high = low, high = model.actuator_ctrlrange.T
        self._centre, self._half_range = (high + low) / 2, (high - low) / 2
        if body.joint_step is not None:
            self._driven = model.jnt_qposadr[model.actuator_trnid[:, 0]]
        self._step_s = body.frame_skip * model.opt.timestep
        self._lying = np.zeros(n, dtype=np.int64)
        self.forward = np.zeros(n)
        self._free = model.jnt_type[0] == mujoco.mjtJoint.mjJNT_FREE.value
        self.reset()

    def reset(self, ids: Ids | None = None) -> Array:
        """Starts an episode in the scenes ``ids``."""
        ids = ids_to_reset(ids, self.n)
        body, model = self.body, self.model
        self.batch.reset(ids, stage=mujoco.mjtStage.mjSTAGE_NONE.value)
        self._qpos[ids] = self._start + self._noise(body.position_noise, (len(ids), model.nq))
        self._qvel[ids] = self._noise(body.velocity_noise, (len(ids), model.nv))
        self._time[ids] = START_TIME_S
        self.batch.forward(ids)  # as in Gymnasium's set_state
        self._lying[ids] = 0
        self.forward[ids] = 0.0
        return self.observe()

    def observe(self) -> Array:
        """Returns ``qpos``, ``qvel`` and activations of actuators ``(n, nq + nv + na)``."""
        return np.concatenate((self._qpos, self._qvel, self._act), axis=1)

    def step(self, action: Array) -> Step:
        """Runs one control step with actions ``(n, A)``, clipped to [-1, 1].

        Raises:
            WorldError: The actions have another shape, or are not finite.
        """
        action = checked_action(action, self.n, self.model.nu)
        start, before, due = self.observe(), self._forward_position(), self._time + self._step_s
        nq, nv = self.model.nq, self.model.nv
        self._ctrl[:] = self._command(np.clip(action, -1.0, 1.0))
        self.batch.step(nstep=self.body.frame_skip)
        unstable = self._time < due - 0.5 * self.model.opt.timestep
        forward = (self._forward_position() - before) / self._step_s
        standing = self._standing()
        motion = Motion(
            forward=forward,
            ctrl=self._ctrl,
            standing=standing,
            height=self._qpos[:, self.body.height],
            earlier=start[:, nq],
        )
        reward = self.body.reward(motion)
        terminated = ~standing & ~unstable & self.config.terminals
        ended = terminated | unstable | self._lies_too_long()
        if unstable.any():  # MuJoCo has reset these scenes; the step did not lead there
            self._qpos[unstable] = start[unstable, :nq]
            self._qvel[unstable] = start[unstable, nq : nq + nv]
        reward = np.where(unstable, 0.0, reward)
        self.forward = np.where(unstable, 0.0, forward)
        return Step(self.observe(), reward, terminated, ended, valid=~unstable)

    def positions(self) -> Array:
        """Returns ``qpos`` ``(n, nq)``, a live view."""
        return self._qpos

    def body_position(self, name: str) -> Array:
        """Returns the origin of a part of the body ``(n, 3)``, one physics step old [m]."""
        return self._origins[:, self.model.body(name).id].copy()

    def coordinates(self) -> Array:
        """Returns x, or x and y ``(n, C)`` [m]."""
        return self._qpos[:, list(self.body.plane)]

    def hidden(self) -> Array:
        """Returns ``(n, 0)``: nothing is hidden."""
        return np.zeros((self.n, 0))

    def state_dict(self) -> dict[str, Any]:
        """Returns the generator of the starts."""
        return {"rng": self.rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the generator of the starts."""
        self.rng.bit_generator.state = state["rng"]

    def close(self) -> None:
        """Has no effect: the batch frees itself."""

    def _noise(self, kind: Noise, shape: tuple[int, int]) -> Array:
        if kind == "normal":
            return self.body.noise * self.rng.standard_normal(shape)
        return self.rng.uniform(-self.body.noise, self.body.noise, shape)

    def _command(self, action: Array) -> Array:
        """Returns the commands of the actuators ``(n, nu)`` for actions in [-1, 1]."""
        if self.body.joint_step is None:
            return self._centre + self._half_range * action
        target = self._qpos[:, self._driven] + self.body.joint_step * action
        return np.clip(target, self._low, self._high)

    def _forward_position(self) -> Array:
        """Returns x of the rewarded point ``(n,)`` [m]."""
        if self.body.forward_of == "qpos":
            return self._qpos[:, 0].copy()
        if self.body.forward_of == "torso":
            return self._origins[:, 1, 0].copy()
        return self._mass_centres[:, :, 0] @ self._mass_share

    def _standing(self) -> Flags:
        health = self.body.health
        if health is None:
            return np.ones(self.n, dtype=np.bool_)
        return health.standing(self._qpos, self._qvel, height=self.body.height)

    def _lies_too_long(self) -> Flags:
        limit = self.config.restart_lying_after
        if limit is None or not self._free:
            return np.zeros(self.n, dtype=np.bool_)
        x, y = self._qpos[:, 4], self._qpos[:, 5]
        on_its_back = x * x + y * y > 0.5  # of a unit quaternion: the body's z axis points down
        self._lying = np.where(on_its_back, self._lying + 1, 0)
        return self._lying >= limit


def find_body(name: str) -> Body:
    """Returns the body of that name.

    Raises:
        WorldError: There is none.
    """
    if name not in ALL_BODIES:
        raise WorldError(f"there is no body {name!r}; choose one of {', '.join(ALL_BODIES)}")
    return ALL_BODIES[name]


def body_model(body: Body, scenery: str = "") -> mujoco.MjModel:
    """Returns the model of a body.

    Args:
        body: The body.
        scenery: MJCF of further geoms, for a body of Gymnasium.

    Raises:
        WorldError: the package with its MJCF is not installed, or has no such file.
    """
    if isinstance(body, PackagedBody):
        return packaged_spec(body).compile()
    return load_model(mjcf_path(body), scenery)


def mjcf_path(body: Body) -> Path:
    """Returns the MJCF of a body in the installed Gymnasium.

    Raises:
        WorldError: Gymnasium is not installed, or has no such file.
    """
    found = find_spec("gymnasium")
    if found is None or found.origin is None:
        raise WorldError(
            f"{body.title} needs the body of Gymnasium, which is not installed; run: pip install "
            "'skill-serve[train]'"
        )
    path = Path(found.origin).parent / "envs" / "mujoco" / "assets" / body.mjcf
    if not path.is_file():
        raise WorldError(
            f"the installed Gymnasium has no {body.mjcf}; run: pip install 'gymnasium>=1.0'"
        )
    return path


def load_model(path: Path, scenery: str = "") -> mujoco.MjModel:
    """Returns the model of an MJCF file without references to others.

    MuJoCo 4 warns of the attribute ``settotalmass``, so the mass is set as the warning asks.

    Args:
        path: The file.
        scenery: MJCF of further geoms of the world.
    """
    text = path.read_text(encoding="utf-8").replace("</worldbody>", f"{scenery}</worldbody>")
    match = re.search(r'\bsettotalmass\s*=\s*"([^"]+)"', text)
    if match is None:
        return mujoco.MjModel.from_xml_string(text)
    model = mujoco.MjModel.from_xml_string(text.replace(match[0], ""))
    mujoco.mj_setTotalmass(model, float(match[1]))
    mujoco.mj_setConst(model, mujoco.MjData(model))
    return model


def body_spec(config: BodyConfig, model: mujoco.MjModel, body: Body | None = None) -> WorldSpec:
    """Returns the description of a body's world; see :class:`MujocoWorld` for ``body``."""
    body = find_body(config.body) if body is None else body
    fields = body_fields(model)
    step = body.joint_step
    spec = WorldSpec(
        name=body.name,
        title=body.title,
        observation=fields,
        action=(
            ActionPart(
                name="joint_displacement" if step else "actuator_command",
                size=model.nu,
                scale=step or float(model.actuator_ctrlrange[0, 1]),
                unit="rad" if step else "1",  # of the hinges; sliding fingers move by scale in m
                frame="none",
            ),
        ),
        episode_steps=config.episode_steps,
        control_rate_hz=1.0 / (body.frame_skip * model.opt.timestep),
        has_terminals=config.terminals,
    )
    size = len(body.plane)
    if not size:
        return spec
    coordinates = Coordinates(
        names=tuple(spec.entries[place] for place in body.plane),
        unit="m",
        cell=1.0,
        goal_low=(-body.goal_range_m,) * size,
        goal_high=(body.goal_range_m,) * size,
        goal_radius=body.goal_radius_m,
    )
    return dataclasses.replace(spec, coordinates=coordinates)
