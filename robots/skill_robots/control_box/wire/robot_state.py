"""The state of the robot that the control box sends every millisecond.

The meaning of each field is that of libfranka's ``franka::RobotState``. Poses are 4x4 homogeneous
matrices in column-major order, inertia tensors 3x3 in column-major order. Frames: O base, F flange,
NE nominal end effector, EE end effector, K stiffness.
"""

from __future__ import annotations

import struct

import numpy as np

from skill_proto.arrays import Array
from skill_robots.control_box.wire.protocol import (
    ERROR_COUNT,
    ControllerMode,
    GeneratorMode,
    Protocol,
)
from skill_robots.franka.robot_mode import RobotMode

FIELDS = (
    *(("o_t_ee", 16), ("o_t_ee_d", 16), ("f_t_ee", 16), ("ee_t_k", 16), ("f_t_ne", 16)),
    *(("ne_t_ee", 16), ("m_ee", 1), ("i_ee", 9), ("f_x_cee", 3), ("m_load", 1), ("i_load", 9)),
    *(("f_x_cload", 3), ("elbow", 2), ("elbow_d", 2), ("tau_j", 7), ("tau_j_d", 7)),
    *(("dtau_j", 7), ("q", 7), ("q_d", 7), ("dq", 7), ("dq_d", 7), ("ddq_d", 7)),
    *(("joint_contact", 7), ("cartesian_contact", 6), ("joint_collision", 7)),
    *(("cartesian_collision", 6), ("tau_ext_hat_filtered", 7), ("o_f_ext_hat_k", 6)),
    *(("k_f_ext_hat_k", 6), ("o_dp_ee_d", 6), ("o_ddp_o", 3), ("elbow_c", 2), ("delbow_c", 2)),
    *(("ddelbow_c", 2), ("o_t_ee_c", 16), ("o_dp_ee_c", 6), ("o_ddp_ee_c", 6), ("theta", 7)),
    ("dtheta", 7),
)
"""Numbers of every version, in the order on the wire, with their sizes."""

ACCELEROMETERS = (("accelerometer_top", 18), ("accelerometer_bottom", 18))
"""Numbers that follow :data:`FIELDS` in versions with accelerometers."""

_MESSAGE_ID = struct.Struct("<Q")
_RATES = {"<f4": struct.Struct("<f"), "<f8": struct.Struct("<d")}


class RobotState:
    """Fields as float64 views of one vector, and the datagram that carries them.

    A writer assigns in place, ``state.q[:] = q``; :meth:`pack` converts the vector at once. The
    vector is zero at the start, the modes are those of an idle robot.
    """

    o_t_ee: Array
    """``(16,)`` measured pose of EE in O."""
    o_t_ee_d: Array
    """``(16,)`` desired pose of EE in O: the last one that the motion generator accepted."""
    f_t_ee: Array
    """``(16,)`` pose of EE in F."""
    ee_t_k: Array
    """``(16,)`` pose of K in EE."""
    f_t_ne: Array
    """``(16,)`` pose of NE in F."""
    ne_t_ee: Array
    """``(16,)`` pose of EE in NE."""
    m_ee: Array
    """``(1,)`` mass of the end effector [kg]."""
    i_ee: Array
    """``(9,)`` its inertia about its centre of mass, in F [kg m^2]."""
    f_x_cee: Array
    """``(3,)`` its centre of mass in F [m]."""
    m_load: Array
    """``(1,)`` mass of the load [kg]."""
    i_load: Array
    """``(9,)`` its inertia about its centre of mass, in F [kg m^2]."""
    f_x_cload: Array
    """``(3,)`` its centre of mass in F [m]."""
    elbow: Array
    """``(2,)`` position of joint 3 [rad] and the sign of joint 4."""
    elbow_d: Array
    """``(2,)`` desired elbow."""
    tau_j: Array
    """``(7,)`` measured link-side torque, gravity included [N m]."""
    tau_j_d: Array
    """``(7,)`` desired torque without gravity [N m]."""
    dtau_j: Array
    """``(7,)`` derivative of the measured torque [N m/s]."""
    q: Array
    """``(7,)`` measured joint position [rad]."""
    q_d: Array
    """``(7,)`` desired joint position [rad]."""
    dq: Array
    """``(7,)`` measured joint velocity [rad/s]."""
    dq_d: Array
    """``(7,)`` desired joint velocity [rad/s]."""
    ddq_d: Array
    """``(7,)`` desired joint acceleration [rad/s^2]."""
    joint_contact: Array
    """``(7,)`` 1 for a joint whose external torque is above the lower threshold."""
    cartesian_contact: Array
    """``(6,)`` 1 for a direction in K whose external force is above the lower threshold."""
    joint_collision: Array
    """``(7,)`` as ``joint_contact``, above the upper threshold; it stays until recovery."""
    cartesian_collision: Array
    """``(6,)`` as ``cartesian_contact``, above the upper threshold; it stays until recovery."""
    tau_ext_hat_filtered: Array
    """``(7,)`` estimated external torque, low-pass filtered [N m]."""
    o_f_ext_hat_k: Array
    """``(6,)`` estimated external force and torque at K, in O [N, N m]."""
    k_f_ext_hat_k: Array
    """``(6,)`` the same in K."""
    o_dp_ee_d: Array
    """``(6,)`` desired twist of EE in O [m/s, rad/s]."""
    o_ddp_o: Array
    """``(3,)`` acceleration of the base, gravity included [m/s^2]."""
    elbow_c: Array
    """``(2,)`` commanded elbow."""
    delbow_c: Array
    """``(2,)`` commanded elbow velocity [rad/s]."""
    ddelbow_c: Array
    """``(2,)`` commanded elbow acceleration [rad/s^2]."""
    o_t_ee_c: Array
    """``(16,)`` pose of EE in O of the last command."""
    o_dp_ee_c: Array
    """``(6,)`` twist of EE in O of the last command [m/s, rad/s]."""
    o_ddp_ee_c: Array
    """``(6,)`` its derivative [m/s^2, rad/s^2]."""
    theta: Array
    """``(7,)`` motor position [rad]."""
    dtheta: Array
    """``(7,)`` motor velocity [rad/s]."""
    accelerometer_top: Array
    """``(18,)`` six readings of three axes [m/s^2]; sent by version 10 only."""
    accelerometer_bottom: Array
    """``(18,)`` six readings of three axes [m/s^2]; sent by version 10 only."""

    message_id: int
    """Time of the state [ms]; it rises by one with each state."""
    motion_generator_mode: GeneratorMode
    controller_mode: ControllerMode
    robot_mode: RobotMode
    errors: int
    """Active errors: bit ``e`` stands for ``ErrorBit(e)``."""
    reflex_reason: int
    """Errors that aborted the last motion, as bits."""
    control_command_success_rate: float
    """Share of the last 100 commands that arrived in time; 0 if no motion runs."""

    def __init__(self, protocol: Protocol) -> None:
        sizes = FIELDS + ACCELEROMETERS
        self._numbers = np.zeros(sum(size for _, size in sizes))
        offset = 0
        for name, size in sizes:
            setattr(self, name, self._numbers[offset : offset + size])
            offset += size
        self.message_id = 0
        self.motion_generator_mode = GeneratorMode.IDLE
        self.controller_mode = ControllerMode.OTHER
        self.robot_mode = RobotMode.IDLE
        self.errors = 0
        self.reflex_reason = 0
        self.control_command_success_rate = 0.0

        self._datagram = bytearray(protocol.state_size)
        self._view = memoryview(self._datagram)
        sent = offset if protocol.has_accelerometers else sum(size for _, size in FIELDS)
        number = np.dtype(protocol.number_type)
        self._sent = self._numbers[:sent]
        self._wire = np.frombuffer(self._datagram, number, sent, _MESSAGE_ID.size)
        self._flags = _MESSAGE_ID.size + sent * number.itemsize
        self._rate = _RATES[protocol.number_type]
        self._packed_errors = (0, 0)

    def pack(self) -> memoryview:
        """Returns the datagram of the present values; the next call overwrites it."""
        data, flags = self._datagram, self._flags
        _MESSAGE_ID.pack_into(data, 0, self.message_id)
        self._wire[:] = self._sent
        data[flags] = self.motion_generator_mode
        data[flags + 1] = self.controller_mode
        if (self.errors, self.reflex_reason) != self._packed_errors:
            self._pack_errors(flags + 2)
        mode = flags + 2 + 2 * ERROR_COUNT
        data[mode] = self.robot_mode
        self._rate.pack_into(data, mode + 1, self.control_command_success_rate)
        return self._view

    def _pack_errors(self, offset: int) -> None:
        self._packed_errors = (self.errors, self.reflex_reason)
        for mask in self._packed_errors:
            self._datagram[offset : offset + ERROR_COUNT] = bytes(
                mask >> bit & 1 for bit in range(ERROR_COUNT)
            )
            offset += ERROR_COUNT
