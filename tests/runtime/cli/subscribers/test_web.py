"""skill-web and skill-serve --web as a user starts them; the page itself is tested elsewhere."""

from __future__ import annotations

import http.client
import importlib.util
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import zmq
from tests.support.served import DEADLINE_S, Served, serving, until
from tests.support.served_process import Process, is_alive, process
from tests.support.web_page import page_of

from skill_runtime.cli.subscribers import web_options
from skill_runtime.cli.subscribers.web_options import (
    PAGE_PORT,
    PageOptions,
    check_page,
    check_page_options,
    page_url,
    without_screen,
)
from skill_runtime.cli.subscribers.web_process import PageProcess
from skill_runtime.client import SkillClient
from skill_runtime.console.exit_codes import FAILED, USAGE
from skill_runtime.console.flags import UsageError
from skill_runtime.security.client_keys import ClientKeys

WEB = [sys.executable, "-m", "skill_runtime.cli.subscribers.web"]


def refused(*arguments: str) -> tuple[int, str]:
    """Returns exit code and output of a command line that is refused."""
    done = subprocess.run(
        [*WEB, *arguments], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert "Traceback" not in done.stderr + done.stdout
    return done.returncode, done.stderr


def test_the_key_needs_the_role_that_steers() -> None:
    done = subprocess.run([*WEB, "--help"], capture_output=True, text=True, check=True)
    assert "controller" in done.stdout
    assert "observer" not in done.stdout


def status(url: str) -> int:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=DEADLINE_S)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_page_ends_at_a_signal_and_watches_without_the_lease(
    served: Served, client: SkillClient
) -> None:
    with page_of(served.address) as url:
        assert status(url) == 403
        assert client.state().lease_holder is None


def test_without_a_server_there_is_no_page() -> None:
    code, text = refused("--address", "tcp://127.0.0.1:1", "--port", "0")
    assert code == FAILED
    assert text.startswith("skill-web: no answer from tcp://127.0.0.1:1 within 1 s.")
    assert text.count("\n") == 1


def test_a_missing_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "viser" else found(name)
    )
    with pytest.raises(UsageError, match=r"viser, which is not .*pip install 'skill-serve\[web\]'"):
        check_page("skill-web", "127.0.0.1", 0, "", has_keys=False)


def test_other_machines_need_keys() -> None:
    with pytest.raises(UsageError, match=r"--web-host 0\.0\.0\.0 can be reached .* no keys"):
        check_page_options(PageOptions(web=True, web_host="0.0.0.0", web_port=0), has_keys=False)
    check_page_options(PageOptions(web=True, web_host="0.0.0.0", web_port=0), has_keys=True)


def test_a_port_in_use_names_the_flag() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port}: Address already in use.*--web-port"):
            check_page_options(PageOptions(web=True, web_port=port), has_keys=False)
        code, text = refused("--port", str(port))
    assert code == USAGE
    assert "choose another port with --port" in text


def test_an_address_without_a_page_is_refused() -> None:
    with pytest.raises(UsageError, match="for the page of --web; give it, too"):
        check_page_options(PageOptions(web_port=PAGE_PORT + 1), has_keys=False)
    check_page_options(PageOptions(), has_keys=False)


def test_the_address_has_the_token() -> None:
    assert page_url("127.0.0.1", 5560, "abc") == "http://127.0.0.1:5560/?token=abc"
    assert page_url("::1", 5560, "abc") == "http://[::1]:5560/?token=abc"


def test_skill_serve_opens_a_page_and_ends_it(policy_file: Path) -> None:
    with process("--model", str(policy_file), "--web", "--web-port", "0") as running:
        until(lambda: bool(listening(running)))
        page, port = running.processes()["web"], listening(running)[0]
        assert status(f"http://127.0.0.1:{port}") == 403
        code, output = running.end()
        assert code == 0, output
        assert f"page       http://127.0.0.1:{port}/?token=" in output
        assert not is_alive(page)


def test_without_a_screen_view_is_the_page(
    policy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with process("--model", str(policy_file), "--view", "--web-port", "0") as running:
        until(lambda: bool(listening(running)))
        assert status(f"http://127.0.0.1:{listening(running)[0]}") == 403
        code, output = running.end()
        assert code == 0, output
        assert "there is no screen" in output
        assert "page       http://127.0.0.1:" in output


def test_the_page_for_a_missing_screen_takes_a_free_port_and_needs_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = PageOptions(web_port=other.getsockname()[1])
        assert without_screen(taken) == PageOptions(web=True, web_port=0)
    assert without_screen(taken) == replace(taken, web=True)
    monkeypatch.setattr(web_options, "MODULES", ("no_such_module",))
    assert without_screen(PageOptions()) == PageOptions()


def test_a_page_ends_when_another_policy_is_served(
    policy_file: Path, make_policy_file: Callable[..., Path], tmp_path: Path
) -> None:
    other = make_policy_file(tmp_path, name="another")
    with serving(policy_file) as first:
        addresses = first.server.addresses
        web = subprocess.Popen(
            [*WEB, "--address", addresses.commands, "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert web.stdout is not None
        assert web.stdout.readline().startswith("page")
    with serving(other, addresses=addresses):
        _, errors = web.communicate(timeout=DEADLINE_S)
    assert web.returncode == FAILED
    assert errors == (
        "skill-web: the server was started again with another policy, another; start the page "
        "again\n"
    )


def test_a_page_that_ends_is_named_and_a_cleaned_folder_of_keys_does_no_harm(
    served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    shown: list[str] = []
    public, secret = map(bytes.decode, zmq.curve_keypair())
    keys = ClientKeys(public, secret, public)
    with socket.create_server(("127.0.0.1", 0)) as other:  # so that the page cannot be opened
        options = PageOptions(web=True, web_port=other.getsockname()[1])
        page = PageProcess(options, served.server.addresses, keys, shown.append)
        page.open()
        until(lambda: any("the page has ended" in line for line in shown))
    assert shown[-1] == f"--web: the page has ended (exit code {USAGE}); serving continues"
    (key_file,) = tmp_path.iterdir()
    key_file.unlink()
    page.close()


def listening(running: Process) -> list[int]:
    """Returns the ports on which the page listens."""
    page = running.processes().get("web")
    found = [] if page is None else page.net_connections(kind="tcp")
    return [one.laddr.port for one in found if one.status == psutil.CONN_LISTEN]
