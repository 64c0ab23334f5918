"""What the parts of serving cost here: an inference, a tick, a message and its answer."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import zmq

from skill_proto.arrays import Array
from skill_runtime.doctor.loop_latency import Timer, Way
from skill_runtime.policy.onnx_policy import OnnxPolicy, load_manifest
from skill_runtime.realtime.clock import MonotonicClock
from skill_runtime.realtime.pacing import Pacer
from skill_runtime.realtime.scheduling import DeferredGc, configure_thread
from skill_runtime.server.arm_server import ArmServer, ServeConfig
from skill_runtime.server.backends import simulated_arm
from skill_runtime.transport.sockets import Addresses

SERVO_RATE_HZ = 200.0
"""What skill-serve gives the simulated arm unless told otherwise [Hz]."""

WARM_UP = 20
"""Runs before the first that counts."""

ANY_PORT = "tcp://127.0.0.1:*"

MESSAGE = b"x" * 160
"""As long as a skill command."""

ANSWER_TIMEOUT_MS = 2000
"""Longest wait for an answer, after which there is no more to measure [ms]."""

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
    """A server of ``model`` and a simulated arm, on free ports, whose loop nobody runs.

    Raises:
        PolicyFileError, RateMismatchError, UnsupportedPolicyError, ArmError: it cannot be served.
    """
    arm = simulated_arm(load_manifest(model), servo_rate_hz=SERVO_RATE_HZ, seed=0)
    addresses = Addresses(commands=ANY_PORT, telemetry=ANY_PORT, stop=ANY_PORT)
    return ArmServer(arm, ServeConfig(model=model, addresses=addresses))


def time_inference(model: Path, seconds: float, cpu: int | None = None) -> Array:
    """Times of one inference after the other [s]."""
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
        while len(times) <= WARM_UP or time.perf_counter() < ends:
            start = time.perf_counter()
            policy.step(observation, skill, goal)
            times.append(time.perf_counter() - start)
    return np.array(times[WARM_UP:])


def measure_ticks(server: ArmServer, way: Way, seconds: float, cpu: int | None = None) -> Timer:
    """A showing arm served at its servo rate, in the calling thread.

    A tick is all of it: messages, policy when it is due, shaper, governor, arm, telemetry. What
    other programs take of the processor meanwhile counts, which is less with SCHED_FIFO.
    """
    configure_thread(cpu=cpu, realtime=way.fifo)
    clock = MonotonicClock()
    period_s = server.pilot.arm.servo_period_s
    pacer = Pacer(period_s, clock, way.spin_us * 1e-6)
    times: list[tuple[float, float]] = []
    with DeferredGc() as collector:
        pacer.start()
        ends = clock.now() + seconds
        while len(times) <= WARM_UP or clock.now() < ends:
            late_s = pacer.wait()
            start = clock.now()
            server.loop.tick(start)
            done = clock.now()
            times.append((late_s, done - start))
            collector.collect_in_slack(done, pacer.deadline - done)
    late, work = np.array(times[WARM_UP:]).T
    return Timer(rate_hz=1.0 / period_s, way=way, late_s=late, work_s=work)


def time_round_trips(seconds: float, rate_hz: float | None = None) -> Array:
    """Times to a process on this machine and back, over ZeroMQ and loopback TCP [s].

    Args:
        seconds: how long to go on.
        rate_hz: messages per second; None sends the next as soon as the last is back.

    Returns:
        As many as were answered; none where the other process does not come up.
    """
    command = [sys.executable, "-c", ECHO, str(ANSWER_TIMEOUT_MS)]
    # In a session of its own: Ctrl-C is for us, and without us it ends by itself.
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
            socket.setsockopt(zmq.RCVTIMEO, ANSWER_TIMEOUT_MS)
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
        while len(times) <= WARM_UP or clock.now() < ends:
            if rate_hz is not None:
                pacer.wait()
            start = time.perf_counter()
            try:
                socket.send(MESSAGE)
                socket.recv()
            except zmq.Again:
                break
            times.append(time.perf_counter() - start)
    return np.array(times[WARM_UP:])
