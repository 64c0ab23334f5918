"""What comes in fails: the policy's numbers, the tracker, the network; or too much of it comes.

For failures.py.
"""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

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
from benchmarks.serving.failures.rig import CLOCK, Peer, Rig
from skill_proto.messages import Stop
from skill_runtime.client.client import SkillClient
from skill_runtime.client.connection import Connection

# Policy and tracker -------------------------------------------------------------------------------


def policy_nan(model: Path) -> Outcome:
    """A policy that puts out NaN where the skill points along -x."""
    with tempfile.TemporaryDirectory() as folder:
        faulty = break_policy(model, Path(folder) / "faulty.onnx")
        with Rig(faulty) as rig, SkillClient(rig.address, timeout_s=30.0) as client:
            size = client.server.manifest.skill.size
            client.acquire("controller", ttl_s=30.0)
            client.skill([0.0, 1.0] + [0.0] * (size - 2), valid_for_s=30.0)
            rig.wait_moving()
            failed = CLOCK.now()
            client.skill([-1.0, 0.0] + [0.0] * (size - 2), valid_for_s=30.0)
            after = aftermath(rig, "fault", failed)
    facts = {
        "mode in the end": after.last.mode,
        "lease": after.last.lease_holder or "revoked",
        "event": after.first.last_event,
    }
    bound = Bound(POLICY_PERIOD_S, "the policy's next step, 0.04")
    return after.outcome("policy: NaN", bound, facts)


def break_policy(model: Path, path: Path) -> Path:
    """Writes a copy of a policy file whose action is NaN for skills that point along -x."""
    copy = onnx.load(model)
    graph = copy.graph
    for node in graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name == "action":
                    names[i] = "sound_action"
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
            helper.make_node("Where", ["faulty", "not_a_number", "sound_action"], ["action"]),
        ]
    )
    onnx.save(copy, path)
    return path


def tracker_silent(model: Path) -> Outcome:
    """SIGSTOP of the tracker, and SIGCONT two seconds later."""
    with Rig(model, "--track", "cube") as rig:
        tracker = rig.peer("tracker", rig.address)
        rig.controller()
        failed = tracker.signal(signal.SIGSTOP)
        after = aftermath(rig, "fault", failed, watched_s=AWAY_S)
        resumed = tracker.signal(signal.SIGCONT)
        recovered = rig.recording.wait_for(lambda state: state.mode != "fault", resumed)
        goes_on = rig.wait_moving(resumed)
    facts = {
        "recovered after SIGCONT [s]": round(recovered.time - resumed, 3),
        "moves again [s]": round(goes_on.time - resumed, 3),
        "leases": goes_on.counters["leases"],
        "lease": goes_on.lease_holder or "",
    }
    bound = Bound(TRACKER_TIMEOUT_S + POLICY_PERIOD_S, "--tracker-timeout 0.2, policy period 0.04")
    return after.outcome("tracker: SIGSTOP", bound, facts)


# The network --------------------------------------------------------------------------------------


def network_cut_1s(model: Path) -> Outcome:
    """The cable pulled for a second; the lease lasts for five."""
    with Cable() as cable, Rig(model, prefix=cable.server) as rig:
        cable.tunnel(rig)
        rig.controller(*OUTLASTING, prefix=cable.controller)
        failed = cable.pull()
        rig.recording.wait_for_mode("hold", failed)
        left = max(0.0, failed + 1.0 - CLOCK.now())  # of the second
        after = aftermath(rig, "hold", failed, watched_s=left)
        plugged = cable.plug()
        goes_on = rig.wait_moving(plugged)
    facts = {
        **after.ended_by(),
        "moves again after it is back [s]": round(goes_on.time - plugged, 3),
        "leases": goes_on.counters["leases"],
        "refused as stale": counted(goes_on, "rejected.stale"),
    }
    return after.outcome("network: cut for 1 s", COMMAND_VALID, facts)


def network_cut(model: Path) -> Outcome:
    """The cable pulled for good."""
    with Cable() as cable, Rig(model, prefix=cable.server) as rig:
        cable.tunnel(rig)
        controller = rig.controller(*OUTLASTING, prefix=cable.controller)
        failed = cable.pull()
        said = controller.wait_for("ServerUnreachableError", failed)
        after = aftermath(rig, "hold", failed)
        free = rig.recording.wait_for(lambda state: state.lease_holder is None, failed)
    facts = {
        **after.ended_by(),
        "lease free [s]": after.passed(free.time),
        "client: ServerUnreachableError [s]": after.passed(said["at"]),
    }
    return after.outcome("network: cut for good", COMMAND_VALID, facts)


# A flood ------------------------------------------------------------------------------------------


def flood(model: Path) -> Outcome:
    """Commands without a lease as fast as a process can send them, with a stop behind them."""
    with Rig(model) as rig:
        controller = rig.controller(*LONG)
        quiet_from, quiet_to = CLOCK.now(), rig.observe(WATCHED_S)
        flooder = rig.peer("flood", rig.address)
        began = CLOCK.now()
        rig.observe(WATCHED_S)
        rig.wait_moving()
        with Connection(rig.stop_address, 30.0) as channel:
            failed = CLOCK.now()
            channel.ask(Stop(reason="behind a flood"))
            reply_s = CLOCK.now() - failed
        after = aftermath(rig, "stopped", failed)
        quiet = rig.recording.between(quiet_from, quiet_to)
        flooded = rig.recording.between(began, failed)
    seconds = flooded[-1].time - flooded[0].time
    facts = {
        "sent a second": _rate(flooder, began, failed),
        "answered a second": round(added(flooded, "rejected") / seconds),
        "reply to stop [s]": round(reply_s, 3),
        **pace(quiet, "before"),
        **pace(flooded, "meanwhile"),
        "expired meanwhile": added(flooded, "expired"),
        "controller's commands a second": round(commands(flooded) / seconds, 1),
        "mode in the end": after.last.mode,
        "controller": controller.lines[-1]["what"],
    }
    bound = Bound(SERVO_PERIOD_S, "next servo period, 0.005")
    return after.outcome("flood, then stop", bound, facts)


def _rate(flooder: Peer, since: float, until: float) -> int:
    """Messages a second that its sockets took."""
    lines = [line for line in list(flooder.lines) if since <= line["at"] <= until]
    first, last = lines[0], lines[-1]
    return round((last["sent"] - first["sent"]) / (last["at"] - first["at"]))
