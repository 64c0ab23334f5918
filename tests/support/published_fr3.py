"""Published facts of the FR3, written out as tables, and a URDF of them.

- kinematics and inertias: frankarobotics/franka_description 1.0.1, ``robots/fr3/kinematics.yaml``,
  ``robots/fr3/inertials.yaml`` and ``end_effectors/franka_hand/inertials.yaml``;
- ranges and velocity limits of robot systems from 5.9 on: the documentation of the Franka Control
  Interface; offsets and decelerations: the URDF of franky-sim 1.0.4.
"""

from __future__ import annotations

from math import pi

JOINTS = tuple(range(1, 8))

# x, y, z [m] and roll, pitch, yaw [rad] of each joint in its parent link; the last is the flange.
ORIGINS = (
    ((0, 0, 0.333), (0, 0, 0)),
    ((0, 0, 0), (-pi / 2, 0, 0)),
    ((0, -0.316, 0), (pi / 2, 0, 0)),
    ((0.0825, 0, 0), (pi / 2, 0, 0)),
    ((-0.0825, 0.384, 0), (-pi / 2, 0, 0)),
    ((0, 0, 0), (pi / 2, 0, 0)),
    ((0.088, 0, 0), (pi / 2, 0, 0)),
    ((0, 0, 0.107), (0, 0, 0)),
)

# Mass [kg], centre of mass [m], (ixx, ixy, ixz, iyy, iyz, izz) [kg m^2], by link.
INERTIALS = (
    (2.3966, (-0.0172, 0.0004, 0.0745), (0.0090, 0, 0.0020, 0.0115, 0, 0.0085)),
    (
        2.9274653454,
        (0.0000004128, -0.0181251324, -0.0386035970),
        (
            *(0.023927316485107913, 1.3317903455714081e-05, -0.00011404774918616684),
            *(0.0224821613275756, -0.0019950320628240115, 0.006350098258530016),
        ),
    ),
    (
        2.9355370338,
        (0.0031828864, -0.0743221644, 0.0088146084),
        (
            *(0.041938946257609425, 0.00020257331521090626, 0.004077784227179924),
            *(0.02514514885014724, -0.0042252158006570156, 0.06170214472888839),
        ),
    ),
    (
        2.2449013699,
        (0.0407015686, -0.0048200565, -0.0289730823),
        (
            *(0.02410142547240885, 0.002404694559042109, -0.002856269270114313),
            *(0.01974053266708178, -0.002104212683891874, 0.019044494482244823),
        ),
    ),
    (
        2.6155955791,
        (-0.0459100965, 0.0630492960, -0.0085187868),
        (
            *(0.03452998321913202, 0.01322552265982813, 0.01015142998484113),
            *(0.028881621933049058, -0.0009762833870704552, 0.04125471171146641),
        ),
    ),
    (
        2.3271207594,
        (-0.0016039605, 0.0292536262, -0.0972965990),
        (
            *(0.051610278463662895, -0.005715173387783472, -0.0035673167625872135),
            *(0.04787729713371481, 0.010673985108535986, 0.016423625579357254),
        ),
    ),
    (
        1.8170376524,
        (0.0597131221, -0.0410294666, -0.0101692726),
        (
            *(0.005412333594383447, 0.006193456360285834, 0.0014219289306117652),
            *(0.014058329545509979, -0.0013140753741120031, 0.016080817924212554),
        ),
    ),
    (
        0.6271432862,
        (0.0045225817, 0.0086261921, -0.0161633251),
        (
            *(0.00021092389150104718, -2.433299114461931e-05, 4.564480393778983e-05),
            *(0.00017718568002411474, 8.744070223226438e-05, 5.993190599659971e-05),
        ),
    ),
)
HAND = (0.6544, (-0.0000376, 0.0119128, 0.0207260), (0.00186, 0, 0, 0.0003, -0.00002, 0.00174))
FINGER = (0.0291, (0, 0.0152850, 0.0219675), (8.49e-06, 0, 0, 8.53e-06, -1.06e-06, 1.77e-06))

LOWER = (-2.9007, -1.8361, -2.9007, -3.0770, -2.8763, 0.4398, -3.0508)
UPPER = (2.9007, 1.8361, 2.9007, -0.1169, 2.8763, 4.6216, 3.0508)
VELOCITY = (2.62, 2.62, 2.62, 2.62, 5.26, 4.18, 5.26)
EFFORT = (87, 87, 87, 87, 12, 12, 12)
OFFSET = (0.652, 0.25, 0.2005, 0.3542, 0.5738, 0.4885, 0.4592)
DECELERATION = (6.0, 2.585, 3.5, 4.0, 17.0, 5.5, 17.0)

Inertial = tuple[float, tuple[float, float, float], tuple[float, ...]]


def urdf(*, prefix: str = "fr3_", position_based: bool = True) -> str:
    """A URDF of the arm with its hand, fingers closed, as an FR3 would send it."""
    links = [_link(f"{prefix}link{i}", inertial) for i, inertial in enumerate(INERTIALS)]
    links.append(f'<link name="{prefix}link8"/>')
    joints = [_arm_joint(prefix, i, position_based) for i in JOINTS]
    joints.append(_joint(f"{prefix}joint8", f"{prefix}link7", f"{prefix}link8", ORIGINS[7]))
    return "\n".join(
        [
            '<?xml version="1.0" ?>',
            '<robot name="fr3">',
            *links,
            *joints,
            *_hand(prefix),
            "</robot>",
        ]
    )


def _hand(prefix: str) -> list[str]:
    hand, turned = f"{prefix}hand", (0, 0, pi)
    parts = [
        _link(hand, HAND),
        _joint(f"{prefix}hand_joint", f"{prefix}link8", hand, ((0, 0, 0), (0, 0, -pi / 4))),
    ]
    for number, (side, turn) in enumerate((("left", (0, 0, 0)), ("right", turned)), 1):
        finger = f"{prefix}{side}finger"
        parts += [
            _link(finger, FINGER),
            _joint(
                f"{prefix}finger_joint{number}",
                hand,
                finger,
                ((0, 0, 0.0584), turn),
                kind="prismatic",
                inside='<axis xyz="0 1 0"/><limit effort="100" lower="0" upper="0.04" '
                'velocity="0.2"/>',
            ),
        ]
    return parts


def _arm_joint(prefix: str, number: int, position_based: bool) -> str:
    i = number - 1
    inside = (
        f'<axis xyz="0 0 1"/><limit effort="{EFFORT[i]}" lower="{LOWER[i]}" upper="{UPPER[i]}" '
        f'velocity="{VELOCITY[i]}"/>'
    )
    if position_based:
        inside += (
            f'<position_based_velocity_limits deceleration_limit="{DECELERATION[i]}" '
            f'velocity_offset="{OFFSET[i]}"/>'
        )
    return _joint(
        f"{prefix}joint{number}",
        f"{prefix}link{i}",
        f"{prefix}link{number}",
        ORIGINS[i],
        kind="revolute",
        inside=inside,
    )


def _joint(
    name: str,
    parent: str,
    child: str,
    origin: tuple[tuple[float, ...], tuple[float, ...]],
    *,
    kind: str = "fixed",
    inside: str = "",
) -> str:
    return (
        f'<joint name="{name}" type="{kind}">{_origin(*origin)}<parent link="{parent}"/>'
        f'<child link="{child}"/>{inside}</joint>'
    )


def _link(name: str, inertial: Inertial) -> str:
    mass, centre, tensor = inertial
    axes = ("ixx", "ixy", "ixz", "iyy", "iyz", "izz")
    entries = " ".join(f'{axis}="{value}"' for axis, value in zip(axes, tensor, strict=True))
    return (
        f'<link name="{name}"><inertial>{_origin(centre, (0, 0, 0))}<mass value="{mass}"/>'
        f"<inertia {entries}/></inertial></link>"
    )


def _origin(xyz: tuple[float, ...], rpy: tuple[float, ...]) -> str:
    place, turn = (" ".join(repr(float(value)) for value in values) for values in (xyz, rpy))
    return f'<origin xyz="{place}" rpy="{turn}"/>'
