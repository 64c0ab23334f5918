"""The page in Debian's Chromium: real clicks, and the telemetry that follows from them.

The tests share one browser and one server, and are in the order of an operator's day.
"""

from __future__ import annotations

import contextlib
import math
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from tests.support.browser import CHROMIUM, Tab, beside, browser, new_tab
from tests.support.served import DEADLINE_S, Served, serving, until
from tests.support.web_page import page_of

from skill_runtime.client import SkillClient

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine; on Debian: apt-get install chromium"
)


@pytest.fixture(scope="module")
def server(policy_file: Path) -> Iterator[Served]:
    with serving(policy_file) as served:
        yield served


@pytest.fixture(scope="module")
def url(server: Served) -> Iterator[str]:
    with page_of(server.address) as url:
        yield url


@pytest.fixture(scope="module")
def tab(url: str) -> Iterator[Tab]:
    with browser() as running:
        tab = new_tab(running)
        tab.open(url)
        yield tab


@pytest.fixture(scope="module")
def client(server: Served) -> Iterator[SkillClient]:
    with SkillClient(server.address, timeout_s=DEADLINE_S) as client:
        yield client


def bare(url: str) -> str:
    """Returns the address without the token."""
    return url.partition("?")[0]


def steered(client: SkillClient, mode: str) -> bool:
    state = client.state()
    return state.mode == mode and (state.lease_holder or "").startswith("web page")


def test_the_page_is_complete_without_any_other_host(tab: Tab, url: str) -> None:
    assert tab.page.url == bare(url)  # the token is in no history
    hosts = {urlsplit(one).netloc for one in tab.asked if not one.startswith(("data:", "blob:"))}
    assert hosts == {urlsplit(url).netloc}
    tab.expect_text("Nobody has the lease")


def test_a_click_on_the_table_is_a_goal(tab: Tab, client: SkillClient) -> None:
    tab.click_table(0.05, 0.1)
    until(lambda: steered(client, "goal"))
    assert client.state().goal == pytest.approx((0.05, 0.1), abs=0.02)
    tab.expect_text("Commanded by this page")


def test_a_click_beside_the_box_is_no_goal(tab: Tab, client: SkillClient) -> None:
    tab.click_table(-0.2, 0.1)
    tab.expect_text("outside of the box of goals")
    until(lambda: steered(client, "goal"))
    assert client.state().goal == pytest.approx((0.05, 0.1), abs=0.02)


def test_the_disc_is_a_skill(tab: Tab, client: SkillClient) -> None:
    def direction() -> float:
        x, y = client.state().skill or (math.nan, math.nan)
        assert x is not None
        assert y is not None
        return math.atan2(y, x)

    tab.click_disc(0.5)
    until(lambda: steered(client, "skill") and abs(direction() - 0.5) < 0.1)
    tab.drag_disc(0.5, 2.0)
    until(lambda: abs(direction() - 2.0) < 0.1)


def test_a_slider_changes_the_object(tab: Tab, client: SkillClient) -> None:
    tab.set_slider("true mass", 0.9)
    until(lambda: (client.state().scene or {})["mass"] > 1.8)
    assert steered(client, "skill")  # goes on


def test_a_second_tab_watches_and_stops_the_arm(tab: Tab, client: SkillClient, url: str) -> None:
    tab.click_disc(1.0)
    until(lambda: steered(client, "skill"))
    second = beside(tab)
    second.open(bare(url))
    second.click_disc(-1.0)
    second.expect_text("Another tab steers the arm")
    until(lambda: steered(client, "skill"))
    second.press("STOP")
    tab.expect_text("STOPPED")
    assert client.state().last_event.endswith("stop: web page")  # or a command refused after it
    second.page.close()


def test_after_clear_the_arm_holds_until_the_next_click(tab: Tab, client: SkillClient) -> None:
    until(lambda: max(map(abs, filter(None, client.state().joint_velocity)), default=0.0) < 0.01)
    tab.press("clear")
    until(lambda: client.state().mode == "hold")
    tab.expect_text("Nobody has the lease")
    tab.press("hold")
    until(lambda: steered(client, "hold"))
    tab.press("release")
    until(lambda: client.state().lease_holder is None)


def test_the_key_escape_stops_the_arm(tab: Tab, client: SkillClient) -> None:
    tab.page.keyboard.press("Escape")
    tab.expect_text("STOPPED")
    until(lambda: client.state().mode == "stopped" and not client.state().braking)
    tab.press("clear")
    until(lambda: client.state().mode == "hold")


def test_a_lost_connection_releases_the_lease(tab: Tab, client: SkillClient) -> None:
    """The browser is suspended: its sockets stay open, and nothing answers."""
    tab.click_disc(0.5)
    until(lambda: steered(client, "skill"))
    processes = _browser_processes()
    try:
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        until(lambda: client.state().mode == "hold" and client.state().lease_holder is None)
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)

    def steers_again() -> bool:
        tab.click_disc(0.5)
        tab.page.wait_for_timeout(500)
        return steered(client, "skill")

    until(steers_again)  # the page has come back by itself


def test_a_closed_tab_releases_the_lease(tab: Tab, client: SkillClient) -> None:
    until(lambda: steered(client, "skill"))
    tab.page.close()
    until(lambda: client.state().mode == "hold" and client.state().lease_holder is None)


def _browser_processes() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [process for process in children if "chrom" in process.name()]
