from std_msgs.msg import Header

class Point:
    x: float
    y: float
    z: float

class Vector3(Point): ...

class Quaternion:
    x: float
    y: float
    z: float
    w: float

class Pose:
    position: Point
    orientation: Quaternion

class Transform:
    translation: Vector3
    rotation: Quaternion

class PointStamped:
    header: Header
    point: Point

class PoseStamped:
    header: Header
    pose: Pose

class TransformStamped:
    header: Header
    child_frame_id: str
    transform: Transform
