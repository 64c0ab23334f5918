"""What comes in fails: the policy's numbers, the tracker, the network; or too much of it comes.

For failures.py.
"""

from __future__ import annotations

import signal
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
from failure_network import Cable
from failure_outcome import (
    AWAY_S,
    LONG,
    POLICY_PERIOD_S,
    SERVO_PERIOD_S,
    TRACKER_TIMEOUT_S,
    VALID_FOR_S,
    WATCHED_S,
    Outcome,
    added,
    counted,
    held_after,
    pace,
    speed_at,
)
from failure_rig import Peer, Rig
from onnx import helper, numpy_helper

from skill_proto.messages import Stop
from skill_runtime.channel import Channel
from skill_runtime.client import SkillClient

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
            failed = time.monotonic()
            client.skill([-1.0, 0.0] + [0.0] * (size - 2), valid_for_s=30.0)
            fault = rig.recording.wait_for(lambda state: state.mode == "fault", failed)
            state_s, rest, last = held_after(rig, failed, "fault")
            return Outcome(
                name="policy: NaN",
                state=f"fault {fault.fault}",
                state_s=state_s,
                bound_s=POLICY_PERIOD_S,
                stated="the policy's next step, 0.04",
                rest=rest,
                facts={
                    "rad/s": speed_at(rig, failed),
                    "mode in the end": last.mode,
                    "lease": last.lease_holder or "revoked",
                    "event": fault.last_event,
                },
            )


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
        tracker.wait_for("ok")
        rig.controller()
        failed = tracker.signal(signal.SIGSTOP)
        fault = rig.recording.wait_for(lambda state: state.mode == "fault", failed)
        until = rig.observe(AWAY_S)
        rest = rig.recording.rest_after(failed, until)
        resumed = tracker.signal(signal.SIGCONT)
        recovered = rig.recording.wait_for(lambda state: state.mode != "fault", resumed)
        goes_on = rig.wait_moving(resumed)
        return Outcome(
            name="tracker: SIGSTOP",
            state=f"fault {fault.fault}",
            state_s=fault.time - failed,
            bound_s=TRACKER_TIMEOUT_S + POLICY_PERIOD_S,
            stated="--tracker-timeout 0.2, policy period 0.04",
            rest=rest,
            facts={
                "rad/s": speed_at(rig, failed),
                "recovered after SIGCONT [s]": round(recovered.time - resumed, 3),
                "moves again [s]": round(goes_on.time - resumed, 3),
                "leases": goes_on.counters["leases"],
                "lease": goes_on.lease_holder or "",
            },
        )


# The network --------------------------------------------------------------------------------------


def network_cut_1s(model: Path) -> Outcome:
    """The cable pulled for a second; the lease lasts for five."""
    with Cable() as cable, Rig(model, prefix=cable.server) as rig:
        cable.tunnel(rig)
        rig.controller("--ttl-s", "5", prefix=cable.controller)
        failed = cable.pull()
        held = rig.recording.wait_for(lambda state: state.mode == "hold", failed)
        ends = rig.observe(max(0.0, failed + 1.0 - time.monotonic()))
        rest = rig.recording.rest_after(failed, ends)
        plugged = cable.plug()
        goes_on = rig.wait_moving(plugged)
        return Outcome(
            name="network: cut for 1 s, ttl_s 5",
            state="hold",
            state_s=held.time - failed,
            bound_s=VALID_FOR_S,
            stated="valid_for_s 0.3",
            rest=rest,
            facts={
                "rad/s": speed_at(rig, failed),
                "moves again after it is back [s]": round(goes_on.time - plugged, 3),
                "leases": goes_on.counters["leases"],
                "refused as stale": counted(goes_on, "rejected.stale"),
            },
        )


def network_cut(model: Path) -> Outcome:
    """The cable pulled for good."""
    with Cable() as cable, Rig(model, prefix=cable.server) as rig:
        cable.tunnel(rig)
        controller = rig.controller(prefix=cable.controller)
        failed = cable.pull()
        said = controller.wait_for("ServerUnreachableError", failed)
        state_s, rest, last = held_after(rig, failed, "hold")
        free = rig.recording.wait_for(lambda state: state.lease_holder is None, failed)
        return Outcome(
            name="network: cut for good",
            state="hold",
            state_s=state_s,
            bound_s=VALID_FOR_S,
            stated="valid_for_s 0.3",
            rest=rest,
            facts={
                "rad/s": speed_at(rig, failed),
                "lease free [s]": round(free.time - failed, 3),
                "lease lost": last.counters["lease_lost"],
                "client: ServerUnreachableError [s]": round(said["at"] - failed, 3),
            },
        )


# A flood ------------------------------------------------------------------------------------------


def flood(model: Path) -> Outcome:
    """Commands without a lease as fast as a process can send them, with a stop behind them."""
    with Rig(model) as rig:
        controller = rig.controller(*LONG)
        quiet_from, quiet_to = time.monotonic(), rig.observe(WATCHED_S)
        flooder = rig.peer("flood", rig.address)
        flooder.wait_for("ok")
        began = time.monotonic()
        rig.observe(WATCHED_S)
        rig.wait_moving()
        with Channel(f"tcp://127.0.0.1:{rig.port + 2}", 30.0) as channel:
            failed = time.monotonic()
            channel.ask(Stop(reason="behind a flood"))
            reply_s = time.monotonic() - failed
        state_s, rest, last = held_after(rig, failed, "stopped")
        quiet = rig.recording.between(quiet_from, quiet_to)
        flooded = rig.recording.between(began, failed)
        seconds = flooded[-1].time - flooded[0].time
        return Outcome(
            name="flood, then stop",
            state="stopped",
            state_s=state_s,
            bound_s=SERVO_PERIOD_S,
            stated="next servo period, 0.005",
            rest=rest,
            facts={
                "rad/s": speed_at(rig, failed),
                "sent a second": _rate(flooder, began, failed),
                "answered a second": round(added(flooded, "rejected") / seconds),
                "reply to stop [s]": round(reply_s, 3),
                **pace(quiet, "before"),
                **pace(flooded, "meanwhile"),
                "expired meanwhile": added(flooded, "expired"),
                "controller's commands a second": round(
                    (flooded[-1].command_seq - flooded[0].command_seq) / seconds, 1
                ),
                "mode in the end": last.mode,
                "controller": controller.lines[-1]["what"],
            },
        )


def _rate(flooder: Peer, since: float, until: float) -> int:
    """Messages a second that its sockets took."""
    lines = [line for line in list(flooder.lines) if since <= line["at"] <= until]
    first, last = lines[0], lines[-1]
    return round((last["sent"] - first["sent"]) / (last["at"] - first["at"]))
