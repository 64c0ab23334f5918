"""The page: what the tabs do, and what they are shown."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Literal

import viser

from skill_proto.messages import Welcome
from skill_runtime.client import ClientError, SkillClient
from skill_runtime.subscribers.web.inputs import Inputs, how_to_move
from skill_runtime.subscribers.web.panel import Action, Panel
from skill_runtime.subscribers.web.pulse import CONNECTION, watch_pulse
from skill_runtime.subscribers.web.reasons import View, headline
from skill_runtime.subscribers.web.requests import Requests
from skill_runtime.subscribers.web.scene import Scene
from skill_runtime.subscribers.web.server import PageConfig, open_server
from skill_runtime.subscribers.web.steering import Steering, Wish
from skill_runtime.subscribers.web.watch import Watch

log = logging.getLogger(__name__)

FRAME_S = 1 / 30
"""Time between two drawings of the scene [s]."""

IDLE_S = 0.25
"""Time between two states that are read while no tab is open [s]."""

TEXT_S, CHART_S = 0.2, 0.5
"""Time between two updates of the texts, and of the charts [s]."""

SLIDER_S = 1.0
"""A slider that a tab has moved is left alone for this long [s]."""


class OtherPolicyError(ClientError):
    """The server was started again with a policy that this page does not fit."""


class Page:
    """The page of one server.

    Args:
        config: Where the page is.
        make_client: Makes a client of the server, for a thread of its own.
        holder: Name under which the page holds the lease.
        telemetry_address: Address for telemetry; that of the server if None.

    Raises:
        ClientError: The server does not answer.
        OSError: The address cannot be used, or is in use.
    """

    def __init__(
        self,
        config: PageConfig,
        make_client: Callable[[], SkillClient],
        holder: str,
        telemetry_address: str | None = None,
    ) -> None:
        with contextlib.ExitStack() as stack:
            # A client serves one thread: that of the telemetry, of the requests, of the lease.
            watching, asking, commanding = (stack.enter_context(make_client()) for _ in range(3))
            self._watch = Watch(watching, telemetry_address)
            stack.callback(self._watch.close)
            commanding.hello()
            self._server = open_server(config)
            stack.callback(self._server.stop)
            self._pulses: dict[int, asyncio.Task[None]] = {}
            stack.callback(self._end_pulses)
            self._requests = Requests(asking, commanding, make_client)
            stack.callback(self._requests.close)
            self._steering = Steering(commanding, holder)
            stack.callback(self._steering.close)
            self._fill(self._watch.welcome)
            self._stack = stack.pop_all()
        self._steering.start()

    def _fill(self, welcome: Welcome) -> None:
        """Adds everything that tabs see."""
        manifest, gui = welcome.manifest, self._server.gui
        self._how = how_to_move(manifest)
        self._unit = "" if manifest.goal is None else manifest.goal.unit
        self._moved_at = 0.0
        self._is_drawn = True
        self._inputs: Inputs | None = None
        self._scene = Scene(self._server, manifest, self._picked)
        self._panel = Panel(gui, welcome, self._act, self._change, self._add_inputs)
        self._server.on_client_connect(self._tab_opened)
        self._server.on_client_disconnect(self._tab_closed)

    @property
    def port(self) -> int:
        """Port on which the page listens."""
        return self._server.get_port()

    def run(self, has_ended: Callable[[], bool]) -> None:
        """Draws until ``has_ended``, then releases the lease and closes the page.

        Raises:
            OtherPolicyError: The server was started again with another policy.
        """
        self._next_texts = self._next_charts = time.monotonic()
        try:
            while not has_ended():
                began = time.monotonic()
                is_new = self._watch.read(FRAME_S)
                self._check()
                is_watched = bool(self._server.get_clients())
                if is_watched:
                    self._draw(began, is_new=is_new)
                pause = FRAME_S if is_watched else IDLE_S
                time.sleep(max(0.001, began + pause - time.monotonic()))
        finally:
            self._stack.close()

    def _check(self) -> None:
        """Ends a page that can no longer be used."""
        if self._watch.other_policy:
            raise OtherPolicyError(
                f"the server was started again with another policy, {self._watch.other_policy}; "
                "start the page again"
            )
        if self._steering.failure is not None:
            raise self._steering.failure

    def _draw(self, now: float, *, is_new: bool) -> None:
        """Shows the newest state. What cannot be drawn must not take STOP from the tabs."""
        try:
            if is_new and self._watch.state is not None:
                self._scene.draw(self._watch.state)
            if now >= self._next_texts:
                self._next_texts = now + TEXT_S
                self._show_texts()
            if now >= self._next_charts:
                self._next_charts = now + CHART_S
                self._panel.show_history(self._watch.history)
        except Exception:
            if self._is_drawn:  # says it once
                log.exception("the page cannot be drawn; its buttons work")
            self._is_drawn = False

    def _show_texts(self) -> None:
        watch, steering = self._watch, self._steering
        view = View(
            state=watch.state,
            silence_s=watch.silence_s if watch.is_silent else None,
            error=watch.error,
            holds=steering.holds,
            note=steering.note,
            unit=self._unit,
            inputs=self._how,
        )
        self._panel.show_headline(headline(view), self._tabs_text())
        self._panel.show_events(watch.events)
        if watch.state is not None:
            self._panel.show_state(watch.state, self._overruns_text())
            if time.monotonic() > self._moved_at + SLIDER_S:
                self._panel.set_sliders(watch.state.scene or {})

    def _tabs_text(self) -> str:
        tabs, steers = sorted(self._server.get_clients()), self._steering.tab
        if len(tabs) < 2:
            return ""
        who = "none of them steers" if steers not in tabs else f"number {tabs.index(steers) + 1}"
        return f"{len(tabs)} tabs are open; {who}{' steers' if steers in tabs else ''}"

    def _overruns_text(self) -> str:
        samples = self._watch.history
        if not samples:
            return "unknown"
        recent = samples[-1].overruns - samples[0].overruns
        return f"{samples[-1].overruns}, {recent} in the last minute"

    # What the tabs do -----------------------------------------------------------------------------

    # All of it runs in viser's event loop, one after the other, and none of it waits.

    def _add_inputs(self, gui: viser.GuiApi) -> None:
        manifest = self._watch.welcome.manifest
        self._inputs = Inputs(gui, manifest, self._picked_all, self._may_act)

    def _picked(
        self, tab: viser.ClientHandle, kind: Literal["skill", "goal"], values: tuple[float, ...]
    ) -> bool:
        if kind == "goal" and self._inputs is not None:
            values = self._inputs.goal(values)
        return self._picked_all(tab, kind, values)

    def _picked_all(
        self, tab: viser.ClientHandle, kind: Literal["skill", "goal"], values: tuple[float, ...]
    ) -> bool:
        goal = self._watch.welcome.manifest.goal
        if kind == "goal" and goal is not None:
            bounds = zip(goal.low, values, goal.high, strict=True)
            if not all(low <= value <= high for low, value, high in bounds):
                _notify(tab, "That is outside of the box of goals.")
                return False
        return self._want(tab, Wish(kind, values))

    def _want(self, tab: viser.ClientHandle, wish: Wish) -> bool:
        refusal = self._steering.want(tab.client_id, wish)
        if refusal:
            _notify(tab, refusal)
        return not refusal

    def _may_act(self, tab: viser.ClientHandle) -> bool:
        refusal = self._steering.refusal(tab.client_id)
        if refusal:
            _notify(tab, refusal)
        return not refusal

    def _act(self, tab: viser.ClientHandle, action: Action) -> None:
        if action == "stop":  # of any tab, and at any time
            self._steering.end()
            self._requests.stop(lambda reason: _warn(tab, reason))
        elif not self._may_act(tab):
            return
        elif action == "hold":
            self._want(tab, Wish("hold"))
        elif action == "release":
            self._steering.drop(tab.client_id)
        else:
            self._requests.ask("clear", lambda client: client.clear(), partial(_notify, tab))

    def _change(self, tab: viser.ClientHandle, name: str, value: float) -> None:
        if not self._may_act(tab):
            return
        self._moved_at = time.monotonic()
        if name == "mass":
            self._requests.ask(name, lambda one: one.scene(mass=value), partial(_notify, tab))
        else:
            self._requests.ask(name, lambda one: one.scene(friction=value), partial(_notify, tab))

    async def _tab_opened(self, tab: viser.ClientHandle) -> None:
        number = tab.client_id
        self._pulses[number] = asyncio.create_task(
            watch_pulse(
                CONNECTION.get(),
                lambda: self._steering.open(number),
                lambda: self._steering.shut(number),
            )
        )

    def _end_pulses(self) -> None:
        for pulse in tuple(self._pulses.values()):
            pulse.get_loop().call_soon_threadsafe(pulse.cancel)

    async def _tab_closed(self, tab: viser.ClientHandle) -> None:
        pulse = self._pulses.pop(tab.client_id, None)
        if pulse is not None:
            pulse.cancel()  # so that it does not open the tab after this
        self._steering.shut(tab.client_id)


def _notify(tab: viser.ClientHandle, text: str) -> None:
    tab.add_notification("Not done", text, auto_close_seconds=6.0, color="orange")


def _warn(tab: viser.ClientHandle, reason: str) -> None:
    """Says that the arm may still move, until somebody closes it."""
    text = f"The arm may still move: {reason}"
    tab.add_notification("STOP IS NOT CONFIRMED", text, auto_close_seconds=None, color="red")
