"""Who may open the page: a real server, asked with and without token, cookie and Origin."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import msgspec
import pytest
import viser
import websockets.sync.client
from viser import _tunnel
from websockets.exceptions import ConnectionClosed, InvalidStatus

from skill_runtime.subscribers.web.access import HEADERS, cookie_name, new_token
from skill_runtime.subscribers.web.server import PageConfig, PageServer, open_server

TOKEN = new_token()


@pytest.fixture(scope="module")
def page() -> Iterator[PageServer]:
    server = open_server(PageConfig(host="127.0.0.1", port=0, token=TOKEN))
    yield server
    server.stop()


def get(page: PageServer, path: str, cookie: str = "") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", page.get_port(), timeout=30)
    try:
        connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
        answer = connection.getresponse()
        answer.read()
        return answer
    finally:
        connection.close()


def cookie_of(page: PageServer, token: str = TOKEN) -> str:
    return f"{cookie_name(page.get_port())}={token}"


OWN = "the page itself"


def connect(
    page: PageServer, token: str = TOKEN, origin: str | None = OWN
) -> websockets.sync.client.ClientConnection:
    port = page.get_port()
    return websockets.sync.client.connect(
        f"ws://127.0.0.1:{port}/",
        origin=f"http://127.0.0.1:{port}" if origin == OWN else origin,  # pyright: ignore[reportArgumentType]
        additional_headers={"Cookie": cookie_of(page, token)},
        subprotocols=[f"viser-v{viser.__version__}"],  # pyright: ignore[reportArgumentType]
        max_size=None,
        compression=None,
    )


@pytest.mark.parametrize("path", ["/", "/index.html", "/?token=", "/?token=wrong", "/?Token=TOKEN"])
def test_without_the_token_there_is_no_page(page: PageServer, path: str) -> None:
    assert get(page, path.replace("TOKEN", TOKEN)).status == 403


def test_the_address_that_is_printed_gives_a_cookie_that_no_script_and_no_other_site_uses(
    page: PageServer,
) -> None:
    answer = get(page, f"/?token={TOKEN}")
    assert answer.status == 302
    assert answer.getheader("Location") == "/"
    assert answer.getheader("Set-Cookie") == (
        f"{cookie_of(page)}; HttpOnly; SameSite=Strict; Path=/"
    )
    opened = get(page, "/", f"a=b; {cookie_of(page)}")
    assert opened.status == 200
    for name, value in HEADERS.items():
        assert opened.getheader(name) == value


@pytest.mark.parametrize(
    "cookie", ["a=b", "NAME=", "NAME=wrong", "=;;=", "NAME=\xe9", "other=TOKEN", "NAME"]
)
def test_a_wrong_cookie_is_refused(page: PageServer, cookie: str) -> None:
    sent = cookie.replace("NAME", cookie_name(page.get_port())).replace("TOKEN", TOKEN)
    assert get(page, "/", sent).status == 403


def test_the_cookies_of_other_programs_and_pages_do_no_harm(page: PageServer) -> None:
    others = f'prefs={{"a": 1}}; {cookie_name(page.get_port() + 1)}=its-token'
    assert get(page, "/", f"{others}; {cookie_of(page)}").status == 200


def test_the_token_leaves_the_address_also_with_the_cookie(page: PageServer) -> None:
    answer = get(page, f"/?token={TOKEN}", cookie_of(page))
    assert (answer.status, answer.getheader("Location")) == (302, "/")


def test_the_page_itself_opens_a_socket(page: PageServer) -> None:
    with connect(page) as socket:
        assert socket.recv(timeout=30)


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "http://evil.example",
        "http://127.0.0.1",
        "null",
        "",
        "http://127.0.0.1:1",
        "https://127.0.0.1.x",
    ],
)
def test_a_socket_that_the_page_of_another_site_opens_is_refused(
    page: PageServer, origin: str | None
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(page, origin=origin).close()
    assert refused.value.response.status_code == 403


def test_a_socket_without_the_cookie_is_refused(page: PageServer) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(page, token="wrong").close()
    assert refused.value.response.status_code == 403


def test_no_tab_opens_a_tunnel_to_the_public(
    page: PageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(_tunnel.ViserTunnel, "__init__", lambda *args: asked.append(args))
    original = PageServer.request_share_url
    answered: list[None] = []

    def counted(self: PageServer, verbose: bool = True) -> None:
        answered.append(original(self, verbose))

    monkeypatch.setattr(PageServer, "request_share_url", counted)
    with connect(page) as socket:
        socket.send(msgspec.msgpack.encode({"type": "ShareUrlRequest"}))
        while not answered:
            try:
                socket.recv(timeout=0.05)
            except TimeoutError:
                continue
            except ConnectionClosed:
                pytest.fail("the request was not understood")
    assert asked == []


def test_a_port_in_use_is_an_error(page: PageServer) -> None:
    with pytest.raises(OSError, match="in use"):
        open_server(PageConfig(host="127.0.0.1", port=page.get_port(), token=TOKEN))


def test_a_page_that_does_not_answer_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[viser.ViserServer] = []

    def silent(server: viser.ViserServer, config: PageConfig) -> bool:
        del config
        made.append(server)
        raise TimeoutError("timed out")

    monkeypatch.setattr("skill_runtime.subscribers.web.server._refuses_strangers", silent)
    with pytest.raises(OSError, match="does not answer this program") as refused:
        open_server(PageConfig(host="127.0.0.1", port=0, token=TOKEN))
    assert refused.value.strerror
    with pytest.raises(ConnectionRefusedError):
        get(made[0], "/")  # pyright: ignore[reportArgumentType]
