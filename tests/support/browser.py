"""An operator before the web page: Debian's Chromium without a window, and real clicks.

Playwright drives it, since it waits for what it clicks; it takes the browser of the machine. A page
that draws sixty times a second without a GPU would take the processors from the server, so these
tabs draw twice a second.
"""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from skill_runtime.subscribers.web.scene import DISC, EYE, FIELD_OF_VIEW, LOOK_AT, RADIUS

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
"""The browser of the machine; None without one."""

WAIT_MS = 60_000.0
"""Longest wait for what is expected on a page [ms]; long, since the machine may be busy."""

SIZE = (900, 600)
"""Width and height of a tab [pixels]."""

_SLOW_DRAWING = """
    const pause = %d;
    window.requestAnimationFrame = (draw) => setTimeout(() => draw(performance.now()), pause);
    window.cancelAnimationFrame = (id) => clearTimeout(id);
"""

FLAGS = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
"""Draw without a GPU."""


class Tab:
    """One tab with the page.

    Args:
        page: Playwright's handle of the tab.

    Attributes:
        page: as given.
        asked: addresses that the tab has asked for, in order.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: list[str] = []
        page.set_default_timeout(WAIT_MS)
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("websocket", lambda socket: self.asked.append(socket.url))

    def open(self, url: str) -> None:
        """Opens the page, and waits until it is complete and shows a state."""
        self.page.goto(url)
        self.button("STOP").wait_for()
        self.expect_text("lease")  # of the first state
        self.page.locator(".mantine-Notification-root button").first.dispatch_event("click")

    def button(self, name: str) -> Locator:
        """Returns the button with this text."""
        return self.page.get_by_role("button", name=name, exact=True)

    def press(self, name: str) -> None:
        """Clicks the button with this text."""
        self.button(name).click()

    def expect_text(self, text: str) -> None:
        """Waits until the page shows this text somewhere."""
        expect(self.page.get_by_text(re.compile(text)).first).to_be_visible(timeout=WAIT_MS)

    def click_table(self, x: float, y: float) -> None:
        """Clicks on a point of the table [m]."""
        self.page.mouse.click(*self._pixel(x, y))

    def click_disc(self, angle: float) -> None:
        """Clicks on the disc of skills in this direction [rad]."""
        x, y = DISC[:2] + 0.8 * RADIUS * np.array([math.cos(angle), math.sin(angle)])
        self.click_table(float(x), float(y))

    def drag_disc(self, start: float, end: float) -> None:
        """Drags the knob of the disc from one direction to another [rad]."""
        angles = np.linspace(start, end, 6)
        points = [DISC[:2] + 0.8 * RADIUS * np.array([math.cos(a), math.sin(a)]) for a in angles]
        pixels = [self._pixel(float(x), float(y)) for x, y in points]
        self.page.mouse.move(*pixels[0])
        self.page.wait_for_timeout(400)  # the page finds what is under the pointer as it draws
        self.page.mouse.down()
        for pixel in pixels[1:]:
            self.page.mouse.move(*pixel)
            self.page.wait_for_timeout(100)
        self.page.mouse.up()

    def set_slider(self, label: str, share: float) -> None:
        """Clicks on a slider, at this share of its length."""
        name = self.page.locator("label", has_text=label).get_attribute("for")
        box = self.page.locator(f'[id="{name}"]').bounding_box()
        assert box is not None
        self.page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        self.page.mouse.move(1.0, 1.0)  # away, so that the slider's hint goes

    def show(self, name: str) -> None:
        """Opens a tab of the lower panel."""
        self.page.get_by_text(name, exact=True).click()

    def _pixel(self, x: float, y: float) -> tuple[float, float]:
        """Returns where the camera of a new tab sees a point of the table [pixels]."""
        box = self.page.locator("canvas").first.bounding_box()
        assert box is not None
        ahead = np.array(LOOK_AT) - np.array(EYE)
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        ray = np.array([x, y, 0.0]) - np.array(EYE)
        depth = float(ray @ ahead)
        scale = box["height"] / 2 / math.tan(FIELD_OF_VIEW / 2) / depth
        up = np.cross(right, ahead)
        return (
            box["x"] + box["width"] / 2 + scale * float(ray @ right),
            box["y"] + box["height"] / 2 - scale * float(ray @ up),
        )


@contextmanager
def browser() -> Generator[Browser]:
    """Runs Chromium until the end of the block."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield running
        finally:
            running.close()


def beside(tab: Tab) -> Tab:
    """Opens an empty tab with the cookies of another one."""
    return Tab(tab.page.context.new_page())


def new_tab(running: Browser, size: tuple[int, int] = SIZE, pause_ms: int = 500) -> Tab:
    """Opens an empty tab with cookies of its own.

    Args:
        running: The browser.
        size: Width and height [pixels].
        pause_ms: Time between two drawings [ms].
    """
    width, height = size
    context = running.new_context(viewport={"width": width, "height": height})
    context.add_init_script(_SLOW_DRAWING % pause_ms)
    return Tab(context.new_page())
