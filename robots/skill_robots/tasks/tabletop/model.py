"""The MuJoCo model of the tabletop: a Panda, a table and one cube, with explicit contact pairs.

Geometry as in panda-gym: the arm's base at x = -0.6 m, the table top at z = 0, a 4 cm cube. The
collision flags of every geom are off; only the listed pairs touch. The number in a pair *is* the
effective friction coefficient: no maximum, product or priority rule of the engine applies.
"""

from __future__ import annotations

import mujoco

from skill_robots.franka.model import panda_spec
from skill_robots.franka.specs import PANDA
from skill_robots.objects import CUBE_SIZE

ARM_JOINTS = PANDA.joint_names
"""Names of the arm's joints in the model."""

CUBE_TABLE_PAIR = "cube_table"
"""Name of the contact pair whose friction is *the* friction of a scene."""

_HAND_GEOMS = ("palm", "left_finger", "right_finger")
_HAND_CUBE_FRICTION = 0.5
_HAND_TABLE_FRICTION = 0.3
_TORSIONAL, _ROLLING = 0.005, 0.0001


def tabletop_model(
    physics_step_s: float, base_position: tuple[float, float, float], *, visual: bool = False
) -> mujoco.MjModel:
    """Compiles the scene with a Panda.

    Args:
        physics_step_s: time step [s]; 5 ms keeps contacts clean, 10 ms does not.
        base_position: position of the arm in the world frame [m].
        visual: keep the lights and the geoms without contacts. The physics is the same without
            them, since every inertia is explicit, and a step costs 6 % less.
    """
    return tabletop_spec(physics_step_s, base_position, visual=visual).compile()


def tabletop_spec(
    physics_step_s: float, base_position: tuple[float, float, float], *, visual: bool = False
) -> mujoco.MjSpec:
    """Returns the scene of :func:`tabletop_model`, not compiled, to add further bodies to."""
    spec = panda_spec()
    add_tabletop(spec, base_position, visual=visual)
    set_physics(spec, physics_step_s)
    return spec


def set_physics(spec: mujoco.MjSpec, physics_step_s: float) -> None:
    """Sets time step [s], integrator and solver of the plant (docs/plant.md)."""
    spec.option.timestep = physics_step_s
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    # Pyramidal cones would make a cube coast 1.0 to 1.4 times as far, depending on its direction.
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.iterations = 10
    spec.option.ls_iterations = 10


def add_tabletop(
    spec: mujoco.MjSpec, base_position: tuple[float, float, float], *, visual: bool = False
) -> None:
    """Places a Franka arm (``franka_spec``) in the scene.

    Args:
        spec: model of the arm, changed in place.
        base_position: position of the arm in the world frame [m].
        visual: keep the lights and the geoms without contacts.
    """
    spec.body("panda_link0").pos = base_position
    _add_surroundings(spec)
    _add_cube(spec)
    _add_pairs(spec)
    # The equality of the fingers matters only for a grasp; a closed fist rests on the stops of the
    # fingers. An active equality costs a tenth of every step, so the first use activates it.
    spec.equality("finger_gear").active = False
    if not visual:
        _strip(spec)


def _strip(spec: mujoco.MjSpec) -> None:
    for part in (*spec.lights, *spec.textures):
        spec.delete(part)
    for geom in list(spec.geoms):
        if geom.name not in (*_HAND_GEOMS, "table", "cube"):
            spec.delete(geom)


def _add_surroundings(spec: mujoco.MjSpec) -> None:
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 1920, 1080
    spec.visual.headlight.ambient = [0.35, 0.35, 0.35]
    spec.visual.headlight.diffuse = [0.35, 0.35, 0.35]
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.75, 0.82, 0.90],
        rgb2=[0.28, 0.36, 0.47],
        width=256,
        height=1536,
    )
    world = spec.worldbody
    world.add_light(pos=[0.4, -0.9, 2.2], dir=[-0.25, 0.35, -1.0], diffuse=[0.5, 0.5, 0.5])
    world.add_geom(
        # An infinite plane, so that the cube cannot fall off. The slab below is the visible table.
        name="table",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[5.0, 5.0, 0.1],
        rgba=[0, 0, 0, 0],
        contype=0,
        conaffinity=0,
    )
    world.add_geom(
        name="table_slab",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=[-0.1, 0.0, -0.02],
        size=[0.7, 0.6, 0.019],
        rgba=[0.82, 0.80, 0.76, 1.0],
        contype=0,
        conaffinity=0,
    )


def _add_cube(spec: mujoco.MjSpec) -> None:
    half = CUBE_SIZE / 2
    cube = spec.worldbody.add_body(name="cube", pos=[0.1, 0.0, half])
    cube.add_freejoint(name="cube")
    cube.add_geom(
        name="cube",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[half, half, half],
        mass=1.0,
        rgba=[0.85, 0.33, 0.10, 1.0],
        contype=0,
        conaffinity=0,
    )


def _add_pairs(spec: mujoco.MjSpec) -> None:
    def pair(name: str, first: str, second: str, friction: float) -> None:
        spec.add_pair(
            name=name,
            geomname1=first,
            geomname2=second,
            condim=3,
            friction=[friction, friction, _TORSIONAL, _ROLLING, _ROLLING],
        )

    pair(CUBE_TABLE_PAIR, "table", "cube", 0.5)
    for geom in _HAND_GEOMS:
        pair(f"cube_{geom}", geom, "cube", _HAND_CUBE_FRICTION)
        pair(f"table_{geom}", "table", geom, _HAND_TABLE_FRICTION)
