"""The node: subscriptions, services and the timer of the diagnostics."""

from __future__ import annotations

import time
from collections.abc import Callable

from skill_proto.messages import Welcome
from skill_runtime.client import ClientError, SkillClient
from skill_runtime.ros2.diagnostics import Names, Report, reports
from skill_runtime.ros2.log import Log
from skill_runtime.ros2.parameters import (
    ParameterError,
    Ros2Parameters,
    list_parameters,
    read_parameters,
)
from skill_runtime.ros2.ros import (
    Clock,
    ClockType,
    DiagnosticArray,
    DiagnosticStatus,
    Float64MultiArray,
    HistoryPolicy,
    JointState,
    KeyValue,
    MutuallyExclusiveCallbackGroup,
    Node,
    ParameterDescriptor,
    ParameterException,
    PointStamped,
    PoseStamped,
    QoSProfile,
    ReliabilityPolicy,
    Trigger,
)
from skill_runtime.ros2.status import Status
from skill_runtime.ros2.steering import Steering
from skill_runtime.ros2.targets import Header, RefusedMessageError, Target, TargetRules

NAME = "skill_ros2"

NEWEST = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT
)
"""Of all subscriptions: a best-effort subscription receives from publishers of either kind."""

LOOK_S = 0.1
"""Time between two looks at what has changed [s]."""

REPEAT_S = 1.0
"""Time between two diagnostics without a change, and two counts of publishers [s]."""

RESET_S = 5.0
"""Longest duration of a reset [s]."""

DIAGNOSTICS_DEPTH = 10


def declare_parameters(node: Node) -> Ros2Parameters:
    """Declares the parameters of the node, and returns their values.

    Raises:
        ParameterError: A value has the wrong type or is out of bounds.
    """
    for parameter in list_parameters():
        # One check for all: with dynamic typing ROS leaves the type to read_parameters.
        descriptor = ParameterDescriptor(
            description=parameter.description, read_only=True, dynamic_typing=True
        )
        try:
            node.declare_parameter(parameter.name, parameter.default, descriptor)
        except ParameterException as error:
            raise ParameterError(f"ROS parameter {parameter.name}: {error}") from None
    return read_parameters(lambda name: node.get_parameter(name).value)


class Interface:
    """What other nodes may send to this one, and its diagnostics.

    Args:
        node: The node.
        parameters: Its parameters.
        steering: Receives the targets.
        status: What is known.
        make_client: Makes a client of the server, for one request.
        stop_arm: Stops the arm, for a reason.
        log: The log of the node.
        address: Address of the server.
    """

    def __init__(
        self,
        node: Node,
        parameters: Ros2Parameters,
        steering: Steering,
        status: Status,
        make_client: Callable[[], SkillClient],
        stop_arm: Callable[[str], None],
        log: Log,
        address: str,
    ) -> None:
        self._node = node
        self._rules = TargetRules(parameters)
        self._steering = steering
        self._status = status
        self._make_client = make_client
        self._stop_arm = stop_arm
        self._log = log
        self._names = Names(node.get_fully_qualified_name().lstrip("/"), address)
        self._shown: tuple[Report, ...] = ()
        self._shown_at = self._next_count = float("-inf")
        self._subscribe(parameters)
        self._serve()
        self._diagnostics = node.create_publisher(
            DiagnosticArray, "/diagnostics", DIAGNOSTICS_DEPTH
        )
        node.create_timer(
            LOOK_S,
            self._look,
            MutuallyExclusiveCallbackGroup(),
            Clock(clock_type=ClockType.STEADY_TIME),
        )

    # Targets --------------------------------------------------------------------------------------

    def _subscribe(self, parameters: Ros2Parameters) -> None:
        node = self._node
        # crisp_py publishes target_pose and target_joint at once, so only one of them steers.
        if parameters.target == "pose":
            target = node.create_subscription(PoseStamped, "target_pose", self._on_pose, NEWEST)
        else:
            target = node.create_subscription(JointState, "target_joint", self._on_joint, NEWEST)
        skill = node.create_subscription(Float64MultiArray, "skill", self._on_skill, NEWEST)
        goal = node.create_subscription(PointStamped, "goal", self._on_goal, NEWEST)
        self._topics = [subscription.topic_name for subscription in (target, skill, goal)]

    def _on_pose(self, message: PoseStamped) -> None:
        at, turn = message.pose.position, message.pose.orientation
        self._offer(
            "target_pose",
            lambda _, now: self._rules.pose(
                self._header(message), (at.x, at.y, at.z), (turn.w, turn.x, turn.y, turn.z), now
            ),
        )

    def _on_joint(self, message: JointState) -> None:
        self._offer(
            "target_joint",
            lambda welcome, now: self._rules.joints(
                self._header(message), message.name, message.position, welcome.joint_names, now
            ),
        )

    def _on_skill(self, message: Float64MultiArray) -> None:
        self._offer(
            "skill",
            lambda welcome, now: self._rules.skill(message.data, welcome.manifest.skill.size, now),
        )

    def _on_goal(self, message: PointStamped) -> None:
        at = message.point
        self._offer(
            "goal",
            lambda welcome, now: self._rules.goal(
                self._header(message), (at.x, at.y, at.z), welcome.manifest.goal_size, now
            ),
        )

    def _offer(self, topic: str, read: Callable[[Welcome, float], Target]) -> None:
        """Offers the target of a message; a message that is refused lets the arm hold."""
        welcome = self._status.known.welcome
        try:
            if welcome is None:
                raise RefusedMessageError(f"the server is away: {self._status.known.unreachable}")
            self._steering.offer(read(welcome, time.monotonic()))
        except RefusedMessageError as error:
            self._status.refuse(topic, str(error))
            self._steering.refuse()

    def _header(self, message: PoseStamped | JointState | PointStamped) -> Header:
        header = message.header
        stamp_ns = 1_000_000_000 * header.stamp.sec + header.stamp.nanosec
        age_ns = self._node.get_clock().now().nanoseconds - stamp_ns
        return Header(header.frame_id, 1e-9 * age_ns, stamp_ns)

    # Services -------------------------------------------------------------------------------------

    def _serve(self) -> None:
        # A stop waits neither for a target nor for another service.
        stops, others = MutuallyExclusiveCallbackGroup(), MutuallyExclusiveCallbackGroup()
        for name, action, group in (
            ("stop", self._stop, stops),
            ("clear", self._clear, others),
            ("reset", self._reset, others),
            ("release", self._release, others),
        ):
            self._node.create_service(Trigger, name, _answer(action), callback_group=group)

    def _stop(self) -> None:
        self._steering.stop(lambda: self._stop_arm("ROS 2 service stop"))

    def _clear(self) -> None:
        with self._make_client() as client:
            self._steering.clear(client.clear)

    def _reset(self) -> None:
        self._steering.reset(RESET_S)

    def _release(self) -> None:
        self._steering.release("the lease was released by the service release")

    # Diagnostics ----------------------------------------------------------------------------------

    def _look(self) -> None:
        """Publishes the diagnostics after a change of level or message, and once in a while."""
        self._steering.notice_silence()
        self._log.count()
        now = time.monotonic()
        if now >= self._next_count:
            self._next_count = now + REPEAT_S
            crowded = [name for name in self._topics if self._node.count_publishers(name) > 1]
            self._status.crowd(", ".join(crowded))
        found = reports(self._status.known, now, self._names)
        changed = [(old.level, old.message) for old in self._shown] != [
            (new.level, new.message) for new in found
        ]
        if not changed and now - self._shown_at < REPEAT_S:
            return
        self._shown, self._shown_at = found, now
        message = DiagnosticArray(status=[_status(report) for report in found])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._diagnostics.publish(message)


def _answer(
    action: Callable[[], None],
) -> Callable[[Trigger.Request, Trigger.Response], Trigger.Response]:
    """Returns a service that performs an action, and reports its error."""

    def serve(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        del request
        try:
            action()
        except (ClientError, TimeoutError) as error:
            response.success = False
            response.message = str(error) or "the server did not answer in time"
        else:
            response.success = True
        return response

    return serve


def _status(report: Report) -> DiagnosticStatus:
    return DiagnosticStatus(
        level=bytes([report.level]),
        name=report.name,
        hardware_id=report.hardware_id,
        message=report.message,
        values=[KeyValue(key=key, value=value) for key, value in report.values.items()],
    )
