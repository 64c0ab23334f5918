"""skill-serve as a user starts it: a process of its own."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import onnx.parser
import pytest
from tests.support.children import child_process
from tests.support.served import DEADLINE_S, state_when, until
from tests.support.served_process import COMMAND, Process, free_ports, is_alive, process

from skill_runtime.cli.serve import SECOND_SIGNAL_S
from skill_runtime.client import (
    CommandRefusedError,
    NoLeaseError,
    ServerReplacedError,
    SessionLostError,
    SkillClient,
)

PolicyFileFactory = Callable[..., Path]

NETWORK = ("gateway", "stop_listener")


def refused(*arguments: str) -> tuple[int, str]:
    """Returns exit code and output of a command line that is refused.

    Its port is a free one, since a test beside it may serve at the default.
    """
    if "--port" not in arguments:
        arguments = (*arguments, "--port", str(free_ports()))
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert "Traceback" not in done.stderr + done.stdout
    return done.returncode, done.stderr + done.stdout


def test_the_demo_runs_until_a_client_acquires_the_lease(policy_file: Path) -> None:
    with process("--model", str(policy_file)) as running, running.client() as client:
        state = state_when(client, lambda state: state.action is not None)
        assert (state.mode, state.command, state.lease_holder) == ("skill", "demo", None)
        assert state.scene is not None
        with client.acquire("a client"):
            assert state_when(client, lambda state: state.command is None).mode == "hold"
        state = state_when(client, lambda state: state.lease_holder is None)
        assert (state.mode, state.command) == ("hold", None)
        code, output = running.end()
        assert code == 0, output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_brings_the_arm_to_rest_and_ends_the_server(
    policy_file: Path, number: signal.Signals
) -> None:
    # A signal that the tests ignore, as under nohup, would be ignored by the server too.
    before = signal.signal(number, signal.SIG_DFL)
    try:
        running = Process("--model", str(policy_file))
    finally:
        signal.signal(number, before)
    with contextlib.closing(running), running.client() as client:
        state_when(client, lambda state: state.action is not None)
        code, output = running.end(number)
    assert code == 0, output
    assert output.rstrip().endswith("skill-serve: the arm is at rest and the sockets are closed")
    assert "Traceback" not in output


def test_the_last_telemetry_reports_the_shutdown(policy_file: Path) -> None:
    with process("--model", str(policy_file)) as running, running.client() as client:
        state_when(client, lambda state: state.action is not None)
        running.popen.send_signal(signal.SIGTERM)
        state = state_when(client, lambda state: state.mode == "stopped")
        assert "shutting down" in state.last_event
        assert running.wait() == 0


def test_the_banner_shows_policy_addresses_and_commands(policy_file: Path) -> None:
    with process("--model", str(policy_file), "--no-demo") as running:
        assert running.popen.stdout is not None
        lines = [running.popen.stdout.readline()]
        while not re.search(r"hold .*lease free .*cube \[.* wake-up .* overruns \d", lines[-1]):
            lines.append(running.popen.stdout.readline())
            assert lines[-1], "no status line"
        running.end()
    output = "".join(lines)
    for words in (
        "panda",
        "mujoco",
        "push_by_hand",
        "200 Hz",
        "25 Hz",
        "cube_mass 0.4 to 1.6 kg",
        f"tcp://127.0.0.1:{running.port}",
        f"tcp://127.0.0.1:{running.port + 1}",
        f"tcp://127.0.0.1:{running.port + 2}",
        f"skill-control skill 1 0 --address tcp://127.0.0.1:{running.port}",
    ):
        assert words in output


def test_mass_and_friction_keep_the_given_values_in_every_episode(policy_file: Path) -> None:
    arguments = ("--model", str(policy_file), "--mass", "2.5", "--friction", "0.3")
    with process(*arguments) as running, running.client() as client:
        assert state_when(client, lambda state: True).scene == {"mass": 2.5, "friction": 0.3}
        with client.acquire("test"):
            client.reset()
            client.scene(mass=3.0)
            client.reset()
        assert client.state().scene == {"mass": 3.0, "friction": 0.3}


def test_the_demo_of_a_goal_policy_runs_goals(goal_file: Path) -> None:
    arguments = ("--model", str(goal_file), "--mass", "10", "--friction", "5")
    with process(*arguments) as running, running.client() as client:
        state = state_when(client, lambda state: state.context_distance is not None)
        assert (state.mode, state.command) == ("goal", "demo")
        assert state.scene == {"mass": 10.0, "friction": 5.0}
        assert state.context_estimate is not None
        with client.acquire("test"):
            client.scene(mass=0.5)
            goal = state_when(client, lambda state: state.mode == "hold")
            assert goal.context_estimate is None
        code, output = running.end()
    assert code == 0, output
    assert "executes goals until a client takes the lease" in output
    assert "skill-control goal 0.15 0.15" in output
    assert "--mass 10 kg is outside the 0.4 to 1.6 kg of training" in output
    assert "--friction 5 is outside the 0.2 to 0.8 of training" in output


def test_it_serves_at_1_khz(policy_file: Path) -> None:
    arguments = ("--model", str(policy_file), "--servo-rate", "1000", "--spin-us", "50")
    with process(*arguments) as running, running.client() as client:
        assert client.server.servo_period_s == pytest.approx(0.001)
        state_when(client, lambda state: state.action is not None)


def test_tracking_an_object_that_the_policy_does_not_observe_is_remarked_on(
    policy_file: Path,
) -> None:
    with process("--model", str(policy_file), "--track", "cupe") as running:
        with running.client() as client:
            state_when(client, lambda state: state.tick > 10)
        _, output = running.end()
    assert "--track cupe: the policy observes cube, so that pose is not needed" in output


def test_realtime_is_granted_or_its_refusal_is_explained(policy_file: Path) -> None:
    arguments = ("--model", str(policy_file), "--realtime", "--no-demo")
    with process(*arguments) as running:
        with running.client() as client:
            state_when(client, lambda state: state.tick > 10)
        _, output = running.end()
    assert re.search(r"real-time scheduling: (SCHED_FIFO at priority \d+|refused .*rtprio)", output)
    assert re.search(r"locked memory: (yes|refused .*memlock)", output)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not pin threads")
def test_only_the_loop_is_pinned_to_a_processor(policy_file: Path) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        pytest.skip("needs two processors")
    with process("--model", str(policy_file), "--cpu", str(cpus[-1])) as running:
        with running.client() as client:
            state_when(client, lambda state: state.action is not None)
        kept: list[str] = []
        for role, child in running.processes().items():
            pinned = [
                thread
                for thread in child.threads()
                if os.sched_getaffinity(thread.id) == {cpus[-1]}
            ]
            kept += [role] * len(pinned)
        _, output = running.end()
    assert kept == ["controller"]
    assert f"note       processor: {cpus[-1]}, for the loop only" in output


def test_it_needs_little_memory_and_does_not_load_torch(policy_file: Path) -> None:
    with process("--model", str(policy_file)) as running, running.client() as client:
        state_when(client, lambda state: state.action is not None)
        client.act([[0.0] * 28], session="s", skill=[[1.0, 0.0]])
        processes = running.processes()
        assert set(processes) == {*NETWORK, "controller", "policy_service", "serve"}
        # Pages that processes share are counted once.
        assert sum(server.memory_full_info().pss for server in processes.values()) < 250e6
        for server in processes.values():
            loaded = {Path(mapped.path).name for mapped in server.memory_maps()}
            assert not [name for name in loaded if name.startswith(("libtorch", "libc10"))]


def test_a_port_in_use_names_the_port_and_the_flag(policy_file: Path) -> None:
    with process("--model", str(policy_file), "--no-demo") as running:
        with running.client() as client:
            client.hello()
        code, text = refused("--model", str(policy_file), "--port", str(running.port))
        assert code == 2
        assert f"port {running.port} is in use" in text
        assert "--port" in text
        with running.client() as client:  # the first server still serves
            client.hello()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], ["other machines", "no keys in", "skill-keys new server"]),
        (["--keys", "/nowhere"], ["no keys in /nowhere", "new server --folder /nowhere"]),
        (["--telemetry", "nonsense"], ["--telemetry", "is not an address"]),
        (["--servo-rate", "110"], ["25 Hz", "110 Hz", "--servo-rate"]),
        (
            ["--mass", "-1"],
            ["skill-serve: --mass takes a number from 0.001 to 100 kg, got -1; give one in that"],
        ),
        (["--mass", "101"], ["--mass takes", "0.001 to 100 kg", "or omit the flag"]),
        (["--mass", "nan"], ["--mass takes", "got nan"]),
        (["--friction", "0"], ["--friction takes a number from 0.001 to 10, got 0; give one"]),
        (["--servo-rate", "50"], ["--servo-rate takes a number from 100 to 2000 Hz, got 50"]),
        (["--seed", "-1"], ["--seed takes a number from 0 to 4294967295, got -1"]),
        (["--friction", "slippery"], ["friction"]),
        (["--port", "70000"], ["port", "65533"]),
        (["--device", "tpu"], ["--device", "cuda"]),
        (["--track"], ["--track takes the names of the objects", "e.g. --track cube"]),
        (["--track", ""], ["--track takes the names of the objects"]),
        (["--cpu", "4096"], ["--cpu takes one of this machine's processors, 0", "got 4096; give"]),
    ],
)
def test_impossible_flags_are_explained(
    policy_file: Path, arguments: list[str], words: list[str]
) -> None:
    code, text = refused("--model", str(policy_file), *arguments)
    assert code == 2
    assert "pydantic" not in text
    text = " ".join(text.split())  # undoes the line breaks of tyro
    for word in words:
        assert word in text


@pytest.mark.usefixtures("no_cuda")
def test_cuda_on_a_machine_without_it_is_explained(policy_file: Path) -> None:
    code, text = refused("--model", str(policy_file), "--device", "cuda")
    assert code == 2
    assert "device 'cuda' was requested" in text


@pytest.mark.gpu
@pytest.mark.usefixtures("cuda")
def test_it_serves_on_cuda(policy_file: Path) -> None:
    arguments = ("--model", str(policy_file), "--device", "cuda")
    with process(*arguments) as running, running.client() as client:
        state = state_when(client, lambda state: state.action is not None)
        assert state.mode == "skill"
        code, output = running.end()
    assert code == 0, output


def test_invalid_policy_files_are_explained(
    tmp_path: Path, policy_file: Path, make_policy_file: Callable[..., Path]
) -> None:
    whole = policy_file.read_bytes()
    truncated = tmp_path / "truncated.onnx"
    truncated.write_bytes(whole[: len(whole) // 2])
    text = tmp_path / "text.onnx"
    text.write_text("not a model")
    newer = make_policy_file(tmp_path, filename="newer.onnx", manifest='{"schema_version": 9}')
    bare = make_policy_file(tmp_path, filename="bare.onnx", manifest="")
    for path, word in (
        (tmp_path / "absent.onnx", "no such file"),
        (truncated, "truncated.onnx"),
        (text, "text.onnx"),
        (newer, "schema_version"),
        (bare, "manifest"),
    ):
        code, output = refused("--model", str(path))
        assert code == 2, output
        assert word in output


def test_the_same_signal_twice_in_a_row_counts_once(policy_file: Path) -> None:
    with process("--model", str(policy_file)) as running, running.client() as client:
        state_when(client, lambda state: state.action is not None)
        running.popen.send_signal(signal.SIGINT)
        running.popen.send_signal(signal.SIGINT)
        assert running.wait() == 0


HANGS = """
import time
from skill_runtime.cli.serve import Shutdown
shutdown = Shutdown()
print("ready", flush=True)
shutdown.asked.wait()
print("asked", flush=True)
time.sleep(60)
"""


def test_a_second_signal_ends_a_process_that_hangs() -> None:
    with child_process([sys.executable, "-c", HANGS], stdout=subprocess.PIPE, text=True) as hanging:
        assert hanging.stdout is not None
        assert hanging.stdout.readline() == "ready\n"
        hanging.send_signal(signal.SIGINT)
        assert hanging.stdout.readline() == "asked\n"
        time.sleep(2 * SECOND_SIGNAL_S)
        hanging.send_signal(signal.SIGINT)
        assert hanging.wait(DEADLINE_S) == 128 + signal.SIGINT


def test_on_a_terminal_the_status_line_is_rewritten_in_place(policy_file: Path) -> None:
    ours, theirs = pty.openpty()
    port = free_ports()
    arguments = ["--model", str(policy_file), "--port", str(port)]
    with child_process([*COMMAND, *arguments], stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        output = b""
        while output.count(b"\r\x1b[K") < 4:
            output += os.read(ours, 4096)
        running.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # the process has closed its end of the terminal
            while more := os.read(ours, 4096):
                output += more
        os.close(ours)
        assert running.wait(DEADLINE_S) == 0
    head, banner, *lines = output.decode().split("\r\x1b[K")
    assert head == ""
    assert "push_by_hand" in banner
    assert len(lines) > 2
    assert all("\n" not in line for line in lines[:-1])
    assert "the arm is at rest" in lines[-1]


def test_output_that_is_never_read_does_not_stop_it(policy_file: Path) -> None:
    with process("--model", str(policy_file)) as running, running.client() as client:
        assert running.popen.stdout is not None
        running.popen.stdout.close()  # before the first output
        state_when(client, lambda state: state.action is not None)
        running.popen.send_signal(signal.SIGTERM)
        assert running.wait() == 0


def test_output_that_is_no_longer_read_does_not_stop_it(policy_file: Path) -> None:
    with process("--model", str(policy_file)) as running, running.client() as client:
        state_when(client, lambda state: state.action is not None)
        assert running.popen.stdout is not None
        running.popen.stdout.close()
        first = client.state().tick
        state_when(client, lambda state: state.tick > first + 1200)  # past the next status line
        running.popen.send_signal(signal.SIGTERM)
        assert running.wait() == 0


# Addresses ----------------------------------------------------------------------------------------


def test_relative_paths_are_published_from_the_root(
    policy_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = [f"--{name}=ipc://{name}.socket" for name in ("commands", "telemetry", "stop")]
    with process("--model", str(policy_file), *flags) as running:
        monkeypatch.chdir("/")
        with SkillClient(f"ipc://{tmp_path}/commands.socket", timeout_s=DEADLINE_S) as client:
            server = client.hello()
            assert server.telemetry_address == f"ipc://{tmp_path}/telemetry.socket"
            assert server.stop_address == f"ipc://{tmp_path}/stop.socket"
            state_when(client, lambda state: state.tick > 0)
            client.stop("by its path")
            assert client.hello().mode == "stopped"
        code, output = running.end()
    assert code == 0, output
    assert f"--address ipc://{tmp_path}/commands.socket" in output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["localhost", "[::1]"])
def test_names_and_ipv6_are_published_as_clients_can_use_them(policy_file: Path, host: str) -> None:
    if host == "[::1]":
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this system has no IPv6")
    port = free_ports()
    given = [f"tcp://{host}:{port + offset}" for offset in (0, 1, 2)]
    flags = [f"--{flag}={given[n]}" for n, flag in enumerate(("commands", "telemetry", "stop"))]
    with process("--model", str(policy_file), *flags) as running:
        with SkillClient(given[0], timeout_s=DEADLINE_S) as client:
            server = client.hello()
            published = host.replace("localhost", "127.0.0.1")
            assert server.telemetry_address == f"tcp://{published}:{port + 1}"
            assert server.stop_address == f"tcp://{published}:{port + 2}"
            state_when(client, lambda state: state.tick > 0)
            client.stop("by its address")
            assert client.hello().mode == "stopped"
        assert running.end()[0] == 0


# Processes that fail ------------------------------------------------------------------------------


@pytest.mark.parametrize("role", NETWORK)
def test_after_kill_9_of_a_network_process_serving_goes_on(policy_file: Path, role: str) -> None:
    with process("--model", str(policy_file)) as running, running.client() as client:
        state_when(client, lambda state: state.action is not None)
        running.processes()[role].kill()
        state = state_when(client, lambda state: state.counters.get(f"restarts.{role}") == 1)
        assert role == "stop_listener" or state.mode == "skill"
        client.stop("still works")
        code, output = running.end()
    assert code == 0, output
    name = role.replace("_", " ")
    assert output.count(f"skill-serve: the {name} failed (SIGKILL); it is started again") == 1


def test_after_kill_9_of_the_policy_service_clients_learn_that_sessions_are_lost(
    policy_file: Path,
) -> None:
    with process("--model", str(policy_file)) as running, running.client() as client:
        given = {"session": "s", "skill": [[1.0, 0.0]]}
        client.act([[0.0] * 28], **given)
        running.processes()["policy_service"].kill()
        until(lambda: client.state().counters.get("restarts.policy_service") == 1)
        with pytest.raises(SessionLostError):
            client.act([[0.0] * 28], **given)
        client.act([[0.0] * 28], **given)
        code, output = running.end()
    assert code == 0, output
    assert "the policy service failed (SIGKILL); it is started again" in output


def test_without_a_controller_the_program_ends_with_all_processes(policy_file: Path) -> None:
    with process("--model", str(policy_file)) as running, running.client() as client:
        state_when(client, lambda state: state.action is not None)
        processes = running.processes()
        processes["controller"].kill()
        output, _ = running.popen.communicate(timeout=DEADLINE_S)
        assert running.popen.returncode == 1
    assert "skill-serve: the controller ended (SIGKILL)" in output
    assert "Traceback" not in output
    assert "at rest" not in output
    until(lambda: not any(map(is_alive, processes.values())))


def test_after_kill_9_of_the_program_all_processes_end(policy_file: Path) -> None:
    with process("--model", str(policy_file)) as running, running.client() as client:
        state_when(client, lambda state: state.action is not None)
        client.act([[0.0] * 28], session="s", skill=[[1.0, 0.0]])
        processes = running.processes()
        assert len(processes) == 5
        running.popen.kill()
        running.wait()
        until(lambda: not any(map(is_alive, processes.values())))


def test_a_controller_that_does_not_come_to_an_end_is_reported(policy_file: Path) -> None:
    with process("--model", str(policy_file)) as running, running.client() as client:
        state_when(client, lambda state: state.action is not None)
        processes = running.processes()
        processes["controller"].suspend()
        code, output = running.end()
    assert code == 1
    assert "the arm was not brought to rest (SIGKILL)" in output
    assert "the arm is at rest" not in output
    until(lambda: not any(map(is_alive, processes.values())))


def test_a_second_signal_ends_all_processes_at_once(policy_file: Path) -> None:
    with process("--model", str(policy_file)) as running, running.client() as client:
        state_when(client, lambda state: state.action is not None)
        processes = running.processes()
        processes["controller"].suspend()  # the first signal waits for it
        running.popen.send_signal(signal.SIGTERM)
        time.sleep(2 * SECOND_SIGNAL_S)
        running.popen.send_signal(signal.SIGTERM)
        assert running.wait() == 128 + signal.SIGTERM
        processes.pop("controller").kill()
        until(lambda: not any(map(is_alive, processes.values())))


def test_a_signal_during_the_start_ends_it(policy_file: Path) -> None:
    with process("--model", str(policy_file)) as running:
        until(lambda: "controller" in running.processes())
        processes = running.processes()
        code, output = running.end(signal.SIGTERM)
    assert code in (128 + signal.SIGTERM, 0), output
    assert "Traceback" not in output
    until(lambda: not any(map(is_alive, processes.values())))


# Log ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "shown"),
    [("debug", ["hello", "stop"]), ("info", ["stop"]), ("warning", ["stop"]), ("error", [])],
)
def test_the_log_level_holds_in_all_processes(
    policy_file: Path, level: str, shown: list[str]
) -> None:
    with process("--model", str(policy_file), "--log-level", level) as running:
        with running.client() as client:
            client.hello()
            client.stop("enough\x1b[2J")
            state_when(client, lambda state: state.mode == "stopped")
        code, output = running.end()
    assert code == 0, output
    assert ("hello from" in output) == ("hello" in shown)
    assert (r"skill-serve: stop: enough\x1b[2J" in output) == ("stop" in shown)
    assert "\x1b" not in output
    assert "push_by_hand" in output  # the banner is no log


def test_a_log_level_that_does_not_exist_is_explained(policy_file: Path) -> None:
    code, text = refused("--model", str(policy_file), "--log-level", "loud")
    assert code == 2
    assert "--log-level" in text
    assert "warning" in text


# Under a supervisor -------------------------------------------------------------------------------


def test_after_kill_9_and_a_restart_the_arm_is_at_rest_until_a_clear(policy_file: Path) -> None:
    with process("--model", str(policy_file), "--stopped") as running:
        port, client = running.port, running.client()
        with client:
            client.clear()
            client.acquire("before")
            client.skill([1, 0], valid_for_s=10.0)
            state_when(client, lambda state: state.action is not None)
            gone = running.processes()
            running.popen.kill()
            running.wait()
            until(lambda: not any(map(is_alive, gone.values())))
            with process("--model", str(policy_file), "--stopped", port=port) as again:
                with pytest.raises(ServerReplacedError):
                    client.hold()
                client.hello()
                with pytest.raises(NoLeaseError):
                    client.hold()
                words = r"stopped \(stop: server was started with --stopped"
                with pytest.raises(CommandRefusedError, match=words):
                    client.acquire("after")
                state = client.state()
                assert (state.mode, state.command) == ("stopped", None)
                assert max(map(abs, state.joint_velocity)) < 0.01
                client.clear()
                with client.acquire("after"):
                    client.skill([1, 0], valid_for_s=10.0)
                    state_when(client, lambda state: state.action is not None)
                code, output = again.end()
    assert code == 0, output
    assert "stopped until a client sends 'clear'" in output


def test_systemd_is_notified_of_start_and_end(policy_file: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    notes: list[bytes] = []

    def listen(supervisor: socket.socket) -> None:
        while not notes or notes[-1] != b"STOPPING=1":
            notes.append(supervisor.recv(100))

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(path)
        supervisor.settimeout(DEADLINE_S)
        listener = threading.Thread(target=listen, args=(supervisor,))
        listener.start()
        with process("--model", str(policy_file), NOTIFY_SOCKET=path) as running:
            until(lambda: b"READY=1" in notes)
            with SkillClient(running.address, timeout_s=1.0) as client:
                assert client.hello().mode in {"hold", "skill"}
            until(lambda: b"WATCHDOG=1" in notes)
            code, output = running.end()
            assert code == 0, output
        listener.join(DEADLINE_S)
    assert (notes[0], notes[-1]) == (b"READY=1", b"STOPPING=1")


SLOW = """<ir_version: 10, opset_import: ["" : 20]>
g (float[batch,28] observation) => (float[batch,3] action)
<int64[3] first = {0, 1, 2}, int64 times = {20000}, bool always = {1}> {
    start = Gather <axis = 1> (observation, first)
    action = Loop (times, always, start) <body =
        again (int64 i, bool before, float[batch,3] x) => (bool after, float[batch,3] y) {
            after = Identity (before)
            y = Identity (x)
        }>
}"""


def test_a_policy_too_slow_for_the_servo_rate_is_remarked_on_and_not_fatal(
    tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    path = make_policy_file(
        tmp_path,
        model=onnx.parser.parse_model(SLOW),
        goal=None,
        skill={"kind": "none", "size": 0},
    )
    with process("--model", str(path)) as running, running.client() as client:
        client.state()
        code, output = running.end()
    assert code == 0, output
    assert re.search(r"an inference takes [\d.]+ ms, and set-points are 5.0 ms apart", output)
