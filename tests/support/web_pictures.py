"""Pictures of the web page: ``python -m tests.support.web_pictures`` writes docs/images/web_*.png.

The steps are those of tests/runtime/subscribers/web/test_page.py.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser
from tests.support.browser import CHROMIUM, Tab, browser, new_tab
from tests.support.served import DEADLINE_S, tracking, until
from tests.support.served_process import serving_process
from tests.support.web_page import page_of

from skill_runtime.client import SkillClient

SIZE = (1180, 740)
"""Width and height of a picture [pixels]."""

ROOT = Path(__file__).parents[2]

SHIPPED = ROOT / "models"
IMAGES = ROOT / "docs" / "images"

MOVE_S = 2.5
"""Time of a motion before its picture [s]."""

ADAPT_S = 16.0
"""Time for which the estimate follows a table that has become slippery [s]."""


def main(names: Sequence[str]) -> None:
    """Takes the pictures of these names; all of them without a name."""
    if CHROMIUM is None:
        sys.exit("the pictures need Chromium; on Debian: apt-get install chromium")
    with browser() as running:
        for take in (skills, fault, slippery):
            if not names or take.__name__ in names:
                take(running)


def skills(running: Browser) -> None:
    """Takes the pictures of an arm that waits, moves by a skill and a goal, and is stopped."""
    model = SHIPPED / "csf_panda.onnx"
    with (
        serving_process(model, "--no-demo", "--seed", "1") as address,
        page_of(address) as url,
        SkillClient(address, timeout_s=DEADLINE_S) as client,
    ):
        tab = opened(running, url)
        tab.expect_text("Nobody has the lease")
        save(tab, "idle")
        tab.drag_disc(0.0, 1.2)
        until(lambda: client.state().mode == "skill")
        save(tab, "skill", MOVE_S)
        tab.click_table(0.06, 0.11)
        until(lambda: client.state().mode == "goal")
        save(tab, "goal", MOVE_S)
        tab.press("STOP")
        tab.expect_text("STOPPED")
        tab.show("events")
        save(tab, "stopped")
        tab.page.close()


def fault(running: Browser) -> None:
    """Takes the picture of an arm whose tracker has gone silent."""
    model = SHIPPED / "csf_panda.onnx"
    with (
        serving_process(model, "--no-demo", "--track", "cube", "--tracker-timeout", "1") as address,
        tracking(address) as sends,
        page_of(address) as url,
        SkillClient(address, timeout_s=DEADLINE_S) as client,
    ):
        tab = opened(running, url)
        until(lambda: not client.state().awaited_objects)
        tab.click_disc(0.4)
        until(lambda: client.state().mode == "skill")
        sends.clear()
        tab.expect_text("FAULT tracker")
        tab.show("timing")
        save(tab, "fault")
        tab.page.close()


def slippery(running: Browser) -> None:
    """Takes the picture of a policy that adapts to a table that has become slippery."""
    with (
        serving_process(
            SHIPPED / "goal_panda.onnx", "--friction", "0.9", "--mass", "0.5"
        ) as address,
        page_of(address) as url,
        SkillClient(address, timeout_s=DEADLINE_S) as client,
    ):
        tab = opened(running, url)
        until(lambda: (client.state().context_distance or 9.0) < 1.0)
        tab.page.wait_for_timeout(1e3 * ADAPT_S)
        tab.set_slider("true friction", 0.06)
        until(lambda: (client.state().scene or {})["friction"] < 0.3)
        save(tab, "slippery", ADAPT_S)
        tab.page.close()


def opened(running: Browser, url: str) -> Tab:
    """Opens a tab of the pictures' size."""
    tab = new_tab(running, SIZE)
    tab.open(url)
    return tab


def save(tab: Tab, name: str, after_s: float = 0.5) -> None:
    """Saves a picture.

    Args:
        tab: The tab.
        name: Name of the picture.
        after_s: Time before it is taken [s].
    """
    tab.page.wait_for_timeout(1e3 * after_s)
    tab.page.screenshot(path=IMAGES / f"web_{name}.png")


if __name__ == "__main__":
    main(sys.argv[1:])
