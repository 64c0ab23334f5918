"""Facts of the Franka Research 3: inertias and ranges of its links.

Every value is in the frame of its link, which the two arms share. The ranges are those of robot
systems from 5.9 on (Franka Control Interface documentation, "Robot and interface specifications").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from skill_robots.kinematics import Point

POSITION_LOW = (-2.9007, -1.8361, -2.9007, -3.0770, -2.8763, 0.4398, -3.0508)
"""Lower ends of the joints' ranges [rad]."""

POSITION_HIGH = (2.9007, 1.8361, 2.9007, -0.1169, 2.8763, 4.6216, 3.0508)
"""Upper ends of the joints' ranges [rad]."""


class Inertial(NamedTuple):
    """Mass and inertia of one body."""

    mass: float
    """[kg]."""
    centre: Point
    """Centre of mass [m]."""
    tensor: tuple[float, float, float, float, float, float]
    """Ixx, Iyy, Izz, Ixy, Ixz, Iyz about the centre of mass [kg m^2]."""


INERTIALS: Mapping[str, Inertial] = {
    "panda_link0": Inertial(
        2.3966,
        (-0.0172, 0.0004, 0.0745),
        (0.009, 0.0115, 0.0085, 0.0, 0.002, 0.0),
    ),
    "panda_link1": Inertial(
        2.9274653454,
        (0.0000004128, -0.0181251324, -0.0386035970),
        (
            0.023927316485107913,
            0.0224821613275756,
            0.006350098258530016,
            1.3317903455714081e-05,
            -0.00011404774918616684,
            -0.0019950320628240115,
        ),
    ),
    "panda_link2": Inertial(
        2.9355370338,
        (0.0031828864, -0.0743221644, 0.0088146084),
        (
            0.041938946257609425,
            0.02514514885014724,
            0.06170214472888839,
            0.00020257331521090626,
            0.004077784227179924,
            -0.0042252158006570156,
        ),
    ),
    "panda_link3": Inertial(
        2.2449013699,
        (0.0407015686, -0.0048200565, -0.0289730823),
        (
            0.02410142547240885,
            0.01974053266708178,
            0.019044494482244823,
            0.002404694559042109,
            -0.002856269270114313,
            -0.002104212683891874,
        ),
    ),
    "panda_link4": Inertial(
        2.6155955791,
        (-0.0459100965, 0.0630492960, -0.0085187868),
        (
            0.03452998321913202,
            0.028881621933049058,
            0.04125471171146641,
            0.01322552265982813,
            0.01015142998484113,
            -0.0009762833870704552,
        ),
    ),
    "panda_link5": Inertial(
        2.3271207594,
        (-0.0016039605, 0.0292536262, -0.0972965990),
        (
            0.051610278463662895,
            0.04787729713371481,
            0.016423625579357254,
            -0.005715173387783472,
            -0.0035673167625872135,
            0.010673985108535986,
        ),
    ),
    "panda_link6": Inertial(
        1.8170376524,
        (0.0597131221, -0.0410294666, -0.0101692726),
        (
            0.005412333594383447,
            0.014058329545509979,
            0.016080817924212554,
            0.006193456360285834,
            0.0014219289306117652,
            -0.0013140753741120031,
        ),
    ),
    "panda_link7": Inertial(
        0.6271432862,
        (0.0045225817, 0.0086261921, -0.0161633251),
        (
            0.00021092389150104718,
            0.00017718568002411474,
            5.993190599659971e-05,
            -2.433299114461931e-05,
            4.564480393778983e-05,
            8.744070223226438e-05,
        ),
    ),
    "panda_hand": Inertial(
        0.6544,
        (-0.0000376, 0.0119128, 0.0207260),
        (0.00186, 0.0003, 0.00174, 0.0, 0.0, -0.00002),
    ),
    "panda_leftfinger": Inertial(
        0.0291,
        (0.0, 0.0152850, 0.0219675),
        (8.49e-06, 8.53e-06, 1.77e-06, 0.0, 0.0, -1.06e-06),
    ),
    # Published in a frame that is turned by pi about z.
    "panda_rightfinger": Inertial(
        0.0291,
        (0.0, -0.0152850, 0.0219675),
        (8.49e-06, 8.53e-06, 1.77e-06, 0.0, 0.0, 1.06e-06),
    ),
}
"""Identified by the manufacturer: frankarobotics/franka_description 1.0.1,
``robots/fr3/inertials.yaml`` and ``end_effectors/franka_hand/inertials.yaml``."""
