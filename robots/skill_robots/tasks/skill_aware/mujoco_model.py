"""The MuJoCo model of the skill-aware benchmark: panda-gym's arm, table and cube.

Shapes and joints are those of our own Panda. Inertias, motors and contacts are those of the
benchmark, not of Franka and not of the served plant (docs/plant.md), so that a policy behaves on
MuJoCo as on PyBullet. The numbers are those of panda-gym 3.0.7 and of pybullet_data's
``franka_panda/panda.urdf``, read from PyBullet 3.2.7 unless stated otherwise.

Two differences remain. Bullet limits friction along two tangents separately, MuJoCo limits the
whole vector, so a cube that is jerked in one direction creeps in the other. And this table has no
edge: in Bullet a cube falls off at y = +-0.35 m and x = 0.25 m.
"""

from __future__ import annotations

import mujoco
import numpy as np

from skill_proto.arrays import Array
from skill_robots.franka.model import FINGER_JOINTS, panda_spec
from skill_robots.objects import CUBE_SIZE

PHYSICS_STEP_S = 0.002
"""Physics step, that of panda-gym [s]."""

BASE_POSITION = (-0.6, 0.0, 0.0)
"""Position of the arm in the world frame [m]."""

MOTOR_RATE = 50.0
"""Requested speed of a motor per distance to its target [1/s]. Bullet's position motor covers a
tenth of the distance in a physics step, if its force limit allows."""

JOINT_FORCE: Array = np.array([87.0, 87.0, 87.0, 87.0, 12.0, 120.0, 120.0])
"""Torque limits of panda-gym's motors [N m]; the last two are ten times Franka's. The motors also
carry the weight of the arm."""
JOINT_FORCE.flags.writeable = False

FINGER_FORCE = 170.0
"""Force limit of each finger's motor [N]; Franka's hand has 70."""

MOTOR_DAMPING: Array = np.array([1250.0, 1400.0, 850.0, 650.0, 28.0, 130.0, 110.0])
"""Torque per velocity error [N m s/rad]: about 1.4 times a joint's inertia over the physics step.
A higher value makes a motor chatter at its limit; with a lower one it lags behind Bullet's motors,
which are constraints."""

FINGER_DAMPING = 375.0
"""Force per velocity error of a finger [N s/m]."""

_FINGERS = ("left_finger", "right_finger")
_TOUCHED = ("table", *_FINGERS)

_LINKS = {
    # name: mass [kg], centre of mass [m], principal inertia about it [kg m2]; Bullet takes the
    # inertia from the bounding box of the collision mesh.
    "panda_link1": (2.7, (0.0, -0.04, -0.05), (0.02297, 0.01777, 0.01148)),
    "panda_link2": (2.73, (0.0, -0.04, 0.06), (0.02349, 0.01161, 0.01823)),
    "panda_link3": (2.04, (0.01, 0.01, -0.05), (0.01092, 0.01258, 0.01197)),
    "panda_link4": (2.08, (-0.03, 0.03, 0.02), (0.01134, 0.01225, 0.01306)),
    "panda_link5": (3.0, (0.0, 0.04, -0.12), (0.03568, 0.02985, 0.0128)),
    "panda_link6": (1.3, (0.04, 0.0, 0.0), (0.00343, 0.00512, 0.00599)),
    "panda_link7": (0.2, (0.0, 0.0, 0.08), (0.00036, 0.00036, 0.00059)),
    "panda_hand": (0.81, (0.0, 0.0, 0.04), (0.00372, 0.00102, 0.00339)),
    "panda_leftfinger": (0.1, (0.0, 0.01, 0.02), (4e-5, 4e-5, 2e-5)),
    "panda_rightfinger": (0.1, (0.0, -0.01, 0.02), (4e-5, 4e-5, 2e-5)),
}

_ARMATURE = (0.03, 0.03, 0.03, 0.03, 0.03, 0.15, 0.15)
"""Armature of every joint [kg m2]. Bullet has no armature. Here the light wrist needs it, to have
motors stiff enough to reach their high force limits."""
_FINGER_ARMATURE = 0.4  # [kg], likewise
_NO_DAMPING = [0.0, 0.0, 0.0]  # coefficients of speed, its square and cube

_FINGER_HULL = tuple(
    (side * x, y, z)
    for x, y, z in (
        (0.0104, 0.0025, 0.0),
        (0.0104, 0.0264, 0.0),
        (0.0104, 0.0253, 0.019),
        (0.0087, 0.0, 0.036),
        (0.0087, 0.0, 0.051),
        (0.0087, 0.014, 0.051),
        (0.0058, 0.0, 0.0538),
        (0.0058, 0.0143, 0.0538),
    )
    for side in (-1.0, 1.0)
)
"""The relevant corners of the convex hull of the left finger, in its own frame [m]. The outer faces
are inclined: a fist touches a cube at the upper edge, where a push tips the cube over."""

_SOFT_IMPEDANCE = (0.5, 0.5, 0.001, 0.5, 2.0)
_SOFT_STIFFNESS = 4625.0
_SOFT_RELAXATION_S = 0.06
_FINGER_INVERSE_MASS = 0.924

_FINGER_CUBE, _PALM_CUBE = 0.5, 0.25

FINGER_TABLE_FRICTION = 1.0
"""Finger-table coefficient per unit of friction label: Bullet multiplies, and a finger has 1."""

CUBE_TABLE_PAIR = "table_cube"
FINGER_TABLE_PAIRS = tuple(f"table_{finger}" for finger in _FINGERS)
FINGER_CUBE_PAIRS = tuple(f"{finger}_cube" for finger in _FINGERS)


def grasp_model() -> mujoco.MjModel:
    """Compiles the model; friction and the cube's mass are set later, for each scene of a batch."""
    return grasp_spec().compile()


def grasp_spec() -> mujoco.MjSpec:
    """Returns the scene of :func:`grasp_model`, not compiled, to add further bodies to."""
    spec = panda_spec()
    spec.option.timestep = PHYSICS_STEP_S
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    # Prevents that a held cube creeps out of the fingers, as Bullet's friction anchors do.
    spec.option.impratio = 10.0
    spec.option.iterations = 20
    spec.option.ls_iterations = 20
    spec.body("panda_link0").pos = BASE_POSITION
    _make_arm(spec)
    _make_hand(spec)
    _add_table_and_cube(spec)
    _add_pairs(spec)
    _add_touch(spec)
    return spec


def soft_contact(mass: Array) -> Array:
    """Returns ``solref`` ``(n, 2)`` of the contacts between fingers and cubes, mass ``(n,)`` [kg].

    The fingers of the URDF are soft: 30 kN/m and 1 kN s/m per contact point. A cube held with 170 N
    is indented by 4.5 mm on each side within a tenth of a second, which the gripper width shows.
    MuJoCo scales the stiffness of a contact with the effective mass of both bodies; the factor
    compensates that. Damping is limited to the value that stops a body within one physics step; a
    higher one is unstable. The three constants are fitted to PyBullet's gripper width over the
    first 0.24 s of a grasp, at 1, 5 and 30 kg.
    """
    stiffness = _SOFT_STIFFNESS * (_FINGER_INVERSE_MASS + 1.0 / mass)
    damping = np.minimum(_SOFT_RELAXATION_S * stiffness, 1.0 / PHYSICS_STEP_S)
    return np.stack([-stiffness, -damping], axis=-1)


def _make_arm(spec: mujoco.MjSpec) -> None:
    for name, (mass, centre, inertia) in _LINKS.items():
        body = spec.body(name)
        body.mass, body.ipos, body.inertia = mass, centre, inertia
        body.fullinertia = [np.nan] * 6
        body.iquat = [1.0, 0.0, 0.0, 0.0]
    for body in spec.bodies:
        body.gravcomp = 0.0
    for i in range(7):
        joint = spec.joint(f"panda_joint{i + 1}")
        joint.armature, joint.damping = _ARMATURE[i], _NO_DAMPING
        _make_motor(spec.actuator(f"joint{i + 1}"), MOTOR_DAMPING[i], JOINT_FORCE[i])


def _make_motor(motor: mujoco.MjsActuator, damping: float, limit: float) -> None:
    """Sets force = damping (rate (target - position) - speed), within +-limit."""
    motor.gainprm[0] = damping * MOTOR_RATE
    motor.biasprm[1:3] = -damping * MOTOR_RATE, -damping
    motor.forcerange = (-limit, limit)


def _make_hand(spec: mujoco.MjSpec) -> None:
    """Gives each finger an independent motor, so the cube is not centred between them."""
    spec.delete(spec.equality("finger_gear"))
    spec.delete(spec.actuator("hand"))
    spec.delete(spec.tendon("hand"))
    spec.add_mesh(name="finger_hull", uservert=np.ravel(_FINGER_HULL))
    turned = ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    for finger, name, turn in zip(_FINGERS, FINGER_JOINTS, turned, strict=True):
        joint = spec.joint(name)
        joint.armature, joint.damping = _FINGER_ARMATURE, _NO_DAMPING
        motor = spec.add_actuator(
            name=finger,
            target=name,
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            gaintype=mujoco.mjtGain.mjGAIN_FIXED,
            biastype=mujoco.mjtBias.mjBIAS_AFFINE,
            forcelimited=True,
        )
        _make_motor(motor, FINGER_DAMPING, FINGER_FORCE)
        geom = spec.geom(finger)
        geom.type, geom.meshname = mujoco.mjtGeom.mjGEOM_MESH, "finger_hull"
        geom.pos, geom.quat = np.zeros(3), turn
    for geom in list(spec.geoms):
        if geom.name not in ("palm", *_FINGERS):
            spec.delete(geom)


def _add_table_and_cube(spec: mujoco.MjSpec) -> None:
    spec.worldbody.add_geom(
        name="table",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[5.0, 5.0, 0.1],
        contype=0,
        conaffinity=0,
    )
    half = CUBE_SIZE / 2
    cube = spec.worldbody.add_body(name="cube", pos=[0.0, 0.0, half])
    cube.add_freejoint(name="cube")
    cube.add_geom(
        name="cube",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[half, half, half],
        mass=1.0,
        contype=0,
        conaffinity=0,
    )


def _add_pairs(spec: mujoco.MjSpec) -> None:
    def pair(first: str, second: str, friction: float, *, soft: bool) -> None:
        added = spec.add_pair(
            name=f"{first}_{second}",
            geomname1=first,
            geomname2=second,
            condim=3,
            friction=[friction, friction, 0.0, 0.0, 0.0],
        )
        if soft:
            added.solref, added.solimp = soft_contact(np.ones(1))[0], _SOFT_IMPEDANCE

    pair("table", "cube", 0.5, soft=False)
    pair("palm", "cube", _PALM_CUBE, soft=False)
    for finger in _FINGERS:
        pair(finger, "cube", _FINGER_CUBE, soft=True)
        pair("table", finger, 1.0, soft=True)


def _add_touch(spec: mujoco.MjSpec) -> None:
    for other in _TOUCHED:
        spec.add_sensor(
            name=f"touch_{other}",
            type=mujoco.mjtSensor.mjSENS_CONTACT,
            objtype=mujoco.mjtObj.mjOBJ_GEOM,
            objname="cube",
            reftype=mujoco.mjtObj.mjOBJ_GEOM,
            refname=other,
            intprm=[1 << mujoco.mjtConDataField.mjCONDATA_FOUND.value, 0, 1],
        )
