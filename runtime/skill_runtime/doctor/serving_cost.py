"""Measures the parts of serving: an inference, a tick, and a message with its reply."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import zmq

from skill_proto.arrays import Array
from skill_robots.franka.specs import PANDA
from skill_robots.motion.policy_support import check_supported
from skill_runtime.channel.channel import Channel
from skill_runtime.doctor.loop_latency import LoopMeasurement, WaitStrategy
from skill_runtime.policy import OnnxPolicy, load_manifest
from skill_runtime.realtime.clock import MonotonicClock
from skill_runtime.realtime.pacing import Pacer
from skill_runtime.realtime.scheduling import DeferredGc, configure_thread
from skill_runtime.server.arm_server import ArmServer, ServeConfig
from skill_runtime.server.backends import simulated_arm
from skill_runtime.server.control_loop import Signals

SERVO_RATE_HZ = 200.0
"""Default servo rate of skill-serve with the simulated arm [Hz]."""

WARM_UP_RUNS = 20
"""Runs before the first one that is measured."""

MESSAGE = b"x" * 160
"""A message of the length of a skill command."""

REPLY_TIMEOUT_MS = 2000
"""Longest wait for a reply; after it the measurement ends [ms]."""

ECHO = """
import sys, zmq
socket = zmq.Context().socket(zmq.ROUTER)
socket.setsockopt(zmq.LINGER, 0)
socket.setsockopt(zmq.RCVTIMEO, int(sys.argv[1]))
print(socket.bind_to_random_port("tcp://127.0.0.1"), flush=True)
try:
    while True:
        socket.send_multipart(socket.recv_multipart())
except zmq.Again:
    pass
"""


def open_server(model: Path) -> ArmServer:
    """Opens the controller of ``model`` with a simulated arm; its loop is not started.

    Raises:
        PolicyFileError, RateMismatchError, UnsupportedPolicyError, ArmError: The policy file cannot
            be served.
    """
    manifest = load_manifest(model)
    check_supported(PANDA, manifest)
    arm = simulated_arm(manifest, servo_rate_hz=SERVO_RATE_HZ, seed=0)
    config = ServeConfig(model=model, watch_stop_listener=False)
    return ArmServer(arm, config, Channel.in_process(), Signals(wait=lambda _: False))


def time_inference(model: Path, seconds: float, cpu: int | None = None) -> Array:
    """Returns ``(n,)`` times of consecutive inferences [s]."""
    configure_thread(cpu=cpu)
    policy = OnnxPolicy(model)
    manifest = policy.manifest
    observation = np.zeros(manifest.observation_size)
    size = manifest.skill.size
    skill = np.eye(size)[0] if size else None
    goal = None if size or manifest.goal is None else np.array(manifest.goal.high)
    times: list[float] = []
    with DeferredGc():
        ends = time.perf_counter() + seconds
        while len(times) <= WARM_UP_RUNS or time.perf_counter() < ends:
            start = time.perf_counter()
            policy.step(observation, skill, goal)
            times.append(time.perf_counter() - start)
    return np.array(times[WARM_UP_RUNS:])


def measure_ticks(
    server: ArmServer, strategy: WaitStrategy, seconds: float, cpu: int | None = None
) -> LoopMeasurement:
    """Runs the demo of a server at its servo rate in the calling thread, and measures its ticks.

    A tick comprises commands, policy if due, shaper, governor, arm and state. It includes the
    time that other programs take the processor away, which is shorter with SCHED_FIFO.
    """
    configure_thread(cpu=cpu, realtime=strategy.fifo)
    clock = MonotonicClock()
    period_s = server.controller.arm.servo_period_s
    pacer = Pacer(period_s, clock, strategy.spin_us * 1e-6)
    times: list[tuple[float, float]] = []
    with DeferredGc() as collector:
        pacer.start()
        ends = clock.now() + seconds
        while len(times) <= WARM_UP_RUNS or clock.now() < ends:
            latency_s = pacer.wait()
            start = clock.now()
            server.loop.tick(start)
            done = clock.now()
            times.append((latency_s, done - start))
            collector.collect_in_slack(done, pacer.deadline - done)
    latencies_s, execution_times_s = np.array(times[WARM_UP_RUNS:]).T
    return LoopMeasurement(
        rate_hz=1.0 / period_s,
        strategy=strategy,
        wakeup_latency_s=latencies_s,
        execution_time_s=execution_times_s,
    )


def time_round_trips(seconds: float, rate_hz: float | None = None) -> Array:
    """Measures round trips to a process on this machine, over ZeroMQ and loopback TCP.

    Args:
        seconds: Duration of the measurement [s].
        rate_hz: Messages per second; None sends the next message when the reply has arrived.

    Returns:
        ``(n,)`` times of the messages that got a reply [s]; empty if the other process does not
        start.
    """
    command = [sys.executable, "-c", ECHO, str(REPLY_TIMEOUT_MS)]
    # In its own session, so that Ctrl-C does not reach it; it ends itself after a timeout.
    with (
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        ) as echo,
        zmq.Context() as context,
        context.socket(zmq.DEALER) as socket,
    ):
        try:
            port = echo.stdout.readline().strip() if echo.stdout is not None else ""
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.RCVTIMEO, REPLY_TIMEOUT_MS)
            if port:
                socket.connect(f"tcp://127.0.0.1:{port}")
            return _exchange(socket, seconds, rate_hz) if port else np.zeros(0)
        finally:
            echo.kill()


def _exchange(socket: zmq.Socket[bytes], seconds: float, rate_hz: float | None) -> Array:
    clock = MonotonicClock()
    pacer = Pacer(1.0 / (rate_hz or 1.0), clock)
    times: list[float] = []
    with DeferredGc():
        pacer.start()
        ends = clock.now() + seconds
        while len(times) <= WARM_UP_RUNS or clock.now() < ends:
            if rate_hz is not None:
                pacer.wait()
            start = time.perf_counter()
            try:
                socket.send(MESSAGE)
                socket.recv()
            except zmq.Again:
                break
            times.append(time.perf_counter() - start)
    return np.array(times[WARM_UP_RUNS:])
