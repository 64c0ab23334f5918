"""The page without a browser: tabs over real sockets press its buttons."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.support.served import Served, until
from tests.support.web_tab import RawTab

from skill_runtime.client import SkillClient
from skill_runtime.subscribers.web.access import new_token
from skill_runtime.subscribers.web.page import Page
from skill_runtime.subscribers.web.scene import Scene
from skill_runtime.subscribers.web.server import PageConfig


@contextmanager
def tab_of(served: Served) -> Iterator[tuple[Page, RawTab]]:
    """Runs a page, and opens a tab of it."""
    token, ended = new_token(), threading.Event()
    config = PageConfig(host="127.0.0.1", port=0, token=token)
    page = Page(config, lambda: SkillClient(served.address, timeout_s=20.0), "page")
    thread = threading.Thread(target=page.run, args=(ended.is_set,))
    thread.start()
    try:
        with RawTab(page.port, token) as tab:
            yield page, tab
    finally:
        ended.set()
        thread.join()


def test_a_picture_that_cannot_be_drawn_leaves_the_buttons(
    served: Served,
    client: SkillClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(*_: object) -> None:
        raise ValueError("a skill of another size")

    monkeypatch.setattr(Scene, "draw", fails)
    with tab_of(served) as (page, tab):
        until(lambda: "the page cannot be drawn; its buttons work" in caplog.text)
        tab.press(page, "hold")
        until(lambda: client.state().lease_holder == "page")
        tab.press(page, "stop")
        until(lambda: client.state().mode == "stopped" and not client.state().braking)
        tab.press(page, "clear")
        until(lambda: client.state().mode == "hold")
        assert client.state().lease_holder is None
    assert caplog.text.count("the page cannot be drawn") == 1
