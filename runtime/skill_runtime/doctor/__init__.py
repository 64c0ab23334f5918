"""skill-doctor: measures the timing of this machine, and recommends changes.

``control_box`` examines the control box of a robot instead (``--arm HOST``).

- ``options``: command-line options and their validation.
- ``machine``: facts of kernel, processors and limits.
- ``loop_latency``: wake-up latency of a loop, per wait strategy, and missed deadlines.
- ``serving_cost``: time of an inference, of a tick and of a message.
- ``verdict``: measured deadlines against the requirements of an arm.
- ``advice``: recommended changes, the most useful first.
- ``report``: the results as text and as JSON.
- ``examination``: runs all measurements.
"""
