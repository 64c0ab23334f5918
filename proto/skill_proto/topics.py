"""Topics of the telemetry socket: the first frame of a message that is not telemetry."""

from __future__ import annotations

POLICY_STEP_TOPIC = b"policy_step"
COMMANDED_TOPIC = b"commanded"

TOPICS = (POLICY_STEP_TOPIC, COMMANDED_TOPIC)

TELEMETRY_PREFIX = b"{"
"""First character of telemetry, which has no topic; no topic begins with it."""
