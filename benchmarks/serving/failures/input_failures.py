"""Failures of the server's inputs: policy, tracker, network, and too many messages."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from benchmarks.serving.failures.client_process import CLOCK, Peer
from benchmarks.serving.failures.network import Cable
from benchmarks.serving.failures.outcome import (
    AWAY_S,
    COMMAND_VALID,
    LONG,
    OUTLASTING,
    POLICY_PERIOD_S,
    SERVO_PERIOD_S,
    TRACKER_TIMEOUT_S,
    WATCHED_S,
    Bound,
    Outcome,
    added,
    aftermath,
    commands,
    counted,
    pace,
)
from benchmarks.serving.failures.rig import Rig
from skill_proto.messages import Stop
from skill_runtime.client import Connection, SkillClient

# Policy and tracker -------------------------------------------------------------------------------


def policy_nan(model: Path) -> Outcome:
    """The policy returns NaN for a skill along -x."""
    with tempfile.TemporaryDirectory() as folder:
        faulty = break_policy(model, Path(folder) / "faulty.onnx")
        with Rig(faulty) as rig, SkillClient(rig.address, timeout_s=30.0) as client:
            size = client.server.manifest.skill.size
            client.acquire("client", ttl_s=30.0)
            client.skill([0.0, 1.0] + [0.0] * (size - 2), valid_for_s=30.0)
            rig.wait_moving()
            failed = CLOCK.now()
            client.skill([-1.0, 0.0] + [0.0] * (size - 2), valid_for_s=30.0)
            after = aftermath(rig, "fault", failed)
    facts = {
        "mode at the end": after.last.mode,
        "lease": after.last.lease_holder or "revoked",
        "event": after.first.last_event,
    }
    bound = Bound(POLICY_PERIOD_S, "next policy step, 0.04")
    return after.outcome("policy: NaN", bound, facts)


def break_policy(model: Path, path: Path) -> Path:
    """Writes a copy of a policy file that returns NaN for skills along -x."""
    copy = onnx.load(model)
    graph = copy.graph
    for node in graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name == "action":
                    names[i] = "finite_action"
    for name, value, kind in (
        ("first_entry", [0], np.int64),
        ("faulty_below", -0.9, np.float32),
        ("not_a_number", np.nan, np.float32),
    ):
        graph.initializer.append(numpy_helper.from_array(np.array(value, kind), name))
    graph.node.extend(
        [
            helper.make_node("Gather", ["skill", "first_entry"], ["skill_x"], axis=1),
            helper.make_node("Less", ["skill_x", "faulty_below"], ["faulty"]),
            helper.make_node("Where", ["faulty", "not_a_number", "finite_action"], ["action"]),
        ]
    )
    onnx.save(copy, path)
    return path


def tracker_silent(model: Path) -> Outcome:
    """The tracker is stopped (SIGSTOP), and continued two seconds later."""
    with Rig(model, "--track", "cube") as rig:
        tracker = rig.peer("tracker", rig.address)
        rig.client()
        failed = tracker.signal(signal.SIGSTOP)
        after = aftermath(rig, "fault", failed, watched_s=AWAY_S)
        resumed = tracker.signal(signal.SIGCONT)
        recovered = rig.recording.wait_for(lambda state: state.mode != "fault", resumed)
        moving = rig.wait_moving(resumed)
    facts = {
        "recovery after SIGCONT [s]": round(recovered.time - resumed, 3),
        "motion after SIGCONT [s]": round(moving.time - resumed, 3),
        "leases": moving.counters["leases"],
        "lease": moving.lease_holder or "",
    }
    bound = Bound(TRACKER_TIMEOUT_S + POLICY_PERIOD_S, "--tracker-timeout 0.2, policy period 0.04")
    return after.outcome("tracker: SIGSTOP", bound, facts)


# The network --------------------------------------------------------------------------------------


def network_cut_1s(model: Path) -> Outcome:
    """The network is cut for one second; the lease lasts for five."""
    with Cable() as cable, Rig(model, prefix=cable.server) as rig:
        cable.tunnel(rig)
        rig.client(*OUTLASTING, prefix=cable.client)
        failed = cable.unplug()
        rig.recording.wait_for_mode("hold", failed)
        rest_of_second = max(0.0, failed + 1.0 - CLOCK.now())
        after = aftermath(rig, "hold", failed, watched_s=rest_of_second)
        plugged = cable.plug()
        moving = rig.wait_moving(plugged)
    facts = {
        **after.ended_by(),
        "motion after the cut [s]": round(moving.time - plugged, 3),
        "leases": moving.counters["leases"],
        "refused as stale": counted(moving, "rejected.stale"),
    }
    return after.outcome("network: cut for 1 s", COMMAND_VALID, facts)


def network_cut(model: Path) -> Outcome:
    """The network is cut permanently."""
    with Cable() as cable, Rig(model, prefix=cable.server) as rig:
        cable.tunnel(rig)
        client = rig.client(*OUTLASTING, prefix=cable.client)
        failed = cable.unplug()
        unreachable = client.wait_for("ServerUnreachableError", failed)
        after = aftermath(rig, "hold", failed)
        free = rig.recording.wait_for(lambda state: state.lease_holder is None, failed)
    facts = {
        **after.ended_by(),
        "lease free [s]": after.passed(free.time),
        "client: ServerUnreachableError [s]": after.passed(unreachable["at"]),
    }
    return after.outcome("network: cut permanently", COMMAND_VALID, facts)


# A flood ------------------------------------------------------------------------------------------


def flood(model: Path) -> Outcome:
    """A process sends commands without a lease at full speed; then another sends a stop."""
    with Rig(model) as rig:
        client = rig.client(*LONG)
        quiet_from, quiet_to = CLOCK.now(), rig.observe(WATCHED_S)
        flooder = rig.peer("flood", rig.address)
        began = CLOCK.now()
        rig.observe(WATCHED_S)
        rig.wait_moving()
        with Connection(rig.stop_address, 30.0) as connection:
            failed = CLOCK.now()
            connection.ask(Stop(reason="after a flood"))
            reply_s = CLOCK.now() - failed
        after = aftermath(rig, "stopped", failed)
        quiet = rig.recording.between(quiet_from, quiet_to)
        flooded = rig.recording.between(began, failed)
    seconds = flooded[-1].time - flooded[0].time
    facts = {
        "sent per second": _rate(flooder, began, failed),
        "answered per second": round(added(flooded, "rejected") / seconds),
        "reply to stop [s]": round(reply_s, 3),
        **pace(quiet, "before the flood"),
        **pace(flooded, "during the flood"),
        "commands expired during the flood": added(flooded, "expired"),
        "commands of the client per second": round(commands(flooded) / seconds, 1),
        "mode at the end": after.last.mode,
        "client": client.lines[-1]["event"],
    }
    bound = Bound(SERVO_PERIOD_S, "next servo period, 0.005")
    return after.outcome("flood, then stop", bound, facts)


def _rate(flooder: Peer, since: float, until: float) -> int:
    """Returns the rate of messages that the flood's sockets accepted [1/s]."""
    lines = [line for line in list(flooder.lines) if since <= line["at"] <= until]
    first, last = lines[0], lines[-1]
    return round((last["sent"] - first["sent"]) / (last["at"] - first["at"]))
