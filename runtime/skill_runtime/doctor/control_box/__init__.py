"""Examination of a Franka control box, real or simulated: ``skill-doctor --arm HOST``.

The same questions go to every control box, so that the answers of a real robot can be compared
with those of the simulated one.

- ``client``: connection, requests, states and commands, without a vendor's library.
- ``received_state``: decodes states.
- ``robot_test``: one question and the record of its answer.
- ``resting_tests``: questions that move no joint.
- ``gripper``: questions to the gripper.
- ``motion``: one motion of a test.
- ``moving_tests``: questions that need a motion.
- ``examination``: asks all questions, and makes the file.
- ``comparison``: differences between the answers of two control boxes.
- ``report``: the answers as text.
"""
