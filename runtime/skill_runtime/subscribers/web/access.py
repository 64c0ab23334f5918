"""Access to the page: a token in the address, a cookie from then on, and the Origin of a socket.

As in Jupyter, the address that the program prints has a token. A browser that opens it gets a
cookie and is sent on to an address without the token. Without the cookie there is neither page nor
socket. A page of another site can make a browser open a socket to this one: the browser then sends
an Origin that differs from the Host, and the socket is refused. The cookie is HttpOnly (no script
reads it) and SameSite=Strict (no request that another site causes has it).

viser serves with ``websockets`` and has neither; :func:`guard` puts them in front of it.
"""

from __future__ import annotations

import functools
import hmac
import http
import inspect
import secrets
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import websockets.asyncio.server
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from skill_runtime.subscribers.web.pulse import CONNECTION


def cookie_name(port: int) -> str:
    """Returns the name of a page's cookie: a browser has one set of cookies for all ports."""
    return f"skill_web_{port}"


HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "frame-ancestors 'none'; form-action 'none'",
}
"""Headers of every answer: no other page may frame this one, and no request tells its address."""

Check = Callable[[ServerConnection, Request], "Awaitable[Response | None] | Response | None"]
"""Answers a request before its handshake; None opens the socket."""


def new_token() -> str:
    """Returns a token of 128 random bits."""
    return secrets.token_urlsafe(16)


@contextmanager
def guard(token: str, port: int) -> Generator[None]:
    """Guards every server of ``websockets`` that is started in the block, as long as it runs.

    Args:
        token: Opens the page; see :func:`new_token`.
        port: Port of the page.
    """
    module = websockets.asyncio.server
    serve = module.serve

    @functools.wraps(serve)
    def guarded(
        handler: Callable[[ServerConnection], Awaitable[None]],
        *args: Any,  # noqa: ANN401  those of websockets
        process_request: Check | None = None,
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        async def handle(connection: ServerConnection) -> None:
            CONNECTION.set(connection)
            await handler(connection)

        async def check(connection: ServerConnection, request: Request) -> Response | None:
            answer = refusal(request, token, port)
            if answer is None and process_request is not None:
                given = process_request(connection, request)
                answer = await given if inspect.isawaitable(given) else given
            if answer is not None:
                for name, value in HEADERS.items():
                    answer.headers[name] = value
            return answer

        return serve(handle, *args, process_request=check, **options)

    module.serve = guarded  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        module.serve = serve


def refusal(request: Request, token: str, port: int) -> Response | None:
    """Returns the answer to a request that may not pass: a refusal, or the cookie.

    Args:
        request: The request for a file or a socket.
        token: The expected token.
        port: Port of the page, of which the name of the cookie is made.

    Returns:
        The answer; None for a request with the cookie and, for a socket, from the page itself.
    """
    is_socket = request.headers.get("Upgrade", "").lower() == "websocket"
    if is_socket and not _is_own_page(request.headers):
        return _answer(http.HTTPStatus.FORBIDDEN, "opened by the page of another site\n")
    given = parse_qs(urlsplit(request.path).query).get("token", [""])[0]
    if not is_socket and _is_token(given, token):  # also with the cookie: the token leaves the bar
        answer = _answer(http.HTTPStatus.FOUND, "")
        answer.headers["Location"] = "/"
        cookie = f"{cookie_name(port)}={token}; HttpOnly; SameSite=Strict; Path=/"
        answer.headers["Set-Cookie"] = cookie
        return answer
    if _is_token(_cookie(request.headers, cookie_name(port)), token):
        return None
    text = "open the address that the program printed; it has a token\n"
    return _answer(http.HTTPStatus.FORBIDDEN, text)


def _is_token(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(errors="surrogateescape"), token.encode())


def _is_own_page(headers: Headers) -> bool:
    """Returns whether the Origin is the Host. A browser always sends an Origin with a socket."""
    origins, hosts = headers.get_all("Origin"), headers.get_all("Host")
    return len(origins) == len(hosts) == 1 and urlsplit(origins[0]).netloc == hosts[0]


def _cookie(headers: Headers, name: str) -> str:
    """Returns the value of one cookie; '' without it.

    The standard library drops all cookies if one, of any program on this host, is irregular.
    """
    pairs = (part.partition("=") for text in headers.get_all("Cookie") for part in text.split(";"))
    return next((value.strip() for key, _, value in pairs if key.strip() == name), "")


def _answer(status: http.HTTPStatus, text: str) -> Response:
    body = text.encode()
    headers = Headers(
        {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
        }
    )
    return Response(status.value, status.phrase, headers, body)
