"""The panels: the headline and the buttons, which are always in sight, and the charts below."""

from __future__ import annotations

import html
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Literal

import numpy as np
import viser
from viser import uplot

from skill_proto.bounds import FRICTION, MASS_KG
from skill_proto.manifest import PolicyManifest
from skill_proto.messages import Telemetry, Welcome
from skill_proto.printable import printable
from skill_runtime.subscribers.web.reasons import Headline, Tone
from skill_runtime.subscribers.web.watch import TRUTHS, Sample

Action = Literal["stop", "hold", "release", "clear"]

COLOURS: dict[Tone, str] = {
    "moves": "#2f9e44",
    "rests": "#1971c2",
    "warns": "#e67700",
    "stopped": "#c92a2a",
}

MEASURED, TRUE, P99 = "#4c9be8", "#40a060", "#e8734c"

SHOWN_EVENTS = 9

OBJECT_UNITS = {"mass": "kg", "friction": ""}

STOP_HINT = (
    "stops the arm at once, until clear. The key Escape does the same, unless the cursor is in a "
    "number or text field"
)

_BOUNDS = {"mass": MASS_KG, "friction": FRICTION}


class Panel:
    """The widgets, which all tabs share.

    Args:
        gui: The page's.
        welcome: The server.
        act: Called for a button.
        change: Called with ``mass`` or ``friction`` and its new value.
        add_inputs: Adds the widgets of skills and goals.
    """

    def __init__(
        self,
        gui: viser.GuiApi,
        welcome: Welcome,
        act: Callable[[viser.ClientHandle, Action], None],
        change: Callable[[viser.ClientHandle, str, float], None],
        add_inputs: Callable[[viser.GuiApi], object],
    ) -> None:
        self._gui = gui
        self._manifest = welcome.manifest
        gui.configure_theme(show_logo=False, show_share_button=False, dark_mode=True)
        gui.main_panel.dock_right()
        gui.main_panel.set_width(370)
        self._headline = gui.add_html("")
        self._add_buttons(act)
        add_inputs(gui)
        self._facts = gui.add_html("")
        details = gui.add_panel()
        details.dock_below(gui.main_panel)
        with details.add_tab("object"):
            self._add_object(welcome, change)
        with details.add_tab("timing"):
            self._timing = gui.add_html("")
            self._latency = _chart(
                gui, "wake-up latency [ms]", (("median", MEASURED), ("99 %", P99)), 190
            )
        with details.add_tab("events"):
            self._events = gui.add_html("")

    def _add_buttons(self, act: Callable[[viser.ClientHandle, Action], None]) -> None:
        stop = self._gui.add_button("STOP", color="red", hint=STOP_HINT)
        stop.on_click(_acts("stop", act))
        self._gui.add_command("Stop the arm", hotkey="escape").on_trigger(_acts("stop", act))
        group = self._gui.add_button_group("", ("hold", "release", "clear"))

        # In the event loop, where no other tab presses a button between a press and this call.
        async def on_group(event: viser.GuiEvent[Any]) -> None:
            if event.client is not None:
                act(event.client, event.target.value)

        group.on_click(on_group)

    def _add_object(
        self, welcome: Welcome, change: Callable[[viser.ClientHandle, str, float], None]
    ) -> None:
        context, gui = self._manifest.context, self._gui
        self._estimates = gui.add_html("")
        self._sliders: dict[str, viser.GuiSliderHandle[float]] = {}
        if welcome.simulated:
            for name, unit in OBJECT_UNITS.items():
                label = f"true {name}{f' [{unit}]' if unit else ''}"
                self._sliders[name] = self._add_slider(label, name, change)
        estimates = () if context is None else context.estimates
        self._charts = {
            item.name: _chart(
                gui, f"{_plain(item.name)}{_unit(item.unit)}",
                (("estimate", MEASURED), ("true", TRUE)), 130,
            )
            for item in estimates
        }  # fmt: skip
        has_distance = context is not None and bool(context.center)
        self._distance = (
            _chart(gui, "distance from training (unusual above 1)", (("distance", P99),), 120)
            if has_distance
            else None
        )

    def _add_slider(
        self, label: str, name: str, change: Callable[[viser.ClientHandle, str, float], None]
    ) -> viser.GuiSliderHandle[float]:
        low, high, marks = slider_range(self._manifest, name)
        slider = self._gui.add_slider(
            label, low, high, 0.01, low, marks=marks, hint="the marks are the ends of training"
        )

        async def changed(event: viser.GuiEvent[Any]) -> None:
            if event.client is not None:
                change(event.client, name, event.target.value)

        slider.on_update(changed)
        return slider

    # Contents -------------------------------------------------------------------------------------

    def show_headline(self, headline: Headline, tabs: str) -> None:
        """Shows the headline, and who of the tabs steers."""
        colour = COLOURS[headline.tone]
        self._headline.content = (
            f'<div style="background:{colour};color:white;border-radius:6px;margin:.3em .6em;'
            f'padding:.5em .8em;line-height:1.35"><b style="font-size:1.15em">'
            f"{_safe(headline.word)}</b><br>{_safe(headline.text)}</div>"
            f'<div style="margin:0 .8em;opacity:.75;font-size:.85em">{_safe(tabs)}</div>'
        )

    def show_state(self, state: Telemetry, timing: str) -> None:
        """Shows the facts of a state, and sets the sliders to the true values."""
        rows = {
            "lease": state.lease_holder or "free",
            "command": state.command or "none",
            "skill": _numbers(state.skill, 2),
            "goal": f"{_numbers(state.goal, 3)} {(state.goal_status or '').replace('_', ' ')}",
        }
        self._facts.content = _table(rows)
        self._estimates.content = _table(estimate_rows(state, self._manifest))
        self._timing.content = _table(
            {
                "overruns": timing,
                "wake-up latency": f"{state.timing.wakeup_latency_p50_us / 1e3:.2f} ms, "
                f"99 %: {state.timing.wakeup_latency_p99_us / 1e3:.2f} ms",
                "time of a tick": f"{state.timing.execution_time_p50_us / 1e3:.2f} ms, "
                f"99 %: {state.timing.execution_time_p99_us / 1e3:.2f} ms",
            }
        )

    def set_sliders(self, scene: dict[str, float]) -> None:
        """Sets the sliders to the true values of the object."""
        for name, slider in self._sliders.items():
            value = scene.get(name)
            if value is None or abs(value - slider.value) < 0.006:
                continue
            slider.min, slider.max = min(slider.min, value), max(slider.max, value)
            slider.value = round(value, 2)

    def show_events(self, events: Sequence[tuple[float, str]]) -> None:
        """Shows the newest events, newest first."""
        rows = "".join(
            f'<div style="margin:.25em 0"><span style="opacity:.6">{time:.1f} s</span> '
            f"{_safe(text)}</div>"
            for time, text in list(events)[:SHOWN_EVENTS]
        )
        self._events.content = f'<div style="margin:.4em .8em;font-size:.9em">{rows}</div>'

    def show_history(self, samples: Sequence[Sample]) -> None:
        """Draws the last minute."""
        if len(samples) < 2:
            return
        ago = np.array([one.time for one in samples]) - samples[-1].time
        latency = np.array([one.latency_ms for one in samples])
        self._latency.data = (ago, latency[:, 0], latency[:, 1])
        for name, chart in self._charts.items():
            estimates = [one.estimates.get(name, np.nan) for one in samples]
            truths = [one.truths.get(name, np.nan) for one in samples]
            chart.data = (ago, np.array(estimates), np.array(truths))
        if self._distance is not None:
            distances = [np.nan if one.distance is None else one.distance for one in samples]
            self._distance.data = (ago, np.array(distances))


def _acts(
    action: Action, act: Callable[[viser.ClientHandle, Action], None]
) -> Callable[[Any], Coroutine[Any, Any, None]]:
    """Returns what a button, or a key, does for the tab that presses it.

    It runs in the event loop: it must not wait, and nothing that waits delays it.
    """

    async def pressed(event: Any) -> None:  # noqa: ANN401  of a button, or of a key
        if event.client is not None:
            act(event.client, action)

    return pressed


def slider_range(
    manifest: PolicyManifest, name: str
) -> tuple[float, float, tuple[tuple[float, str], ...]]:
    """Returns the ends of a slider of ``mass`` or ``friction``, and its marks.

    It reaches beyond the values of training on both sides, so that an object can be unusual.
    """
    least, most = _BOUNDS[name]
    estimate = next(key for key, value in TRUTHS.items() if value == name)
    span = manifest.trained_on.get(estimate)
    if span is None:
        return max(least, 0.01), min(most, 5.0), ()
    low, high = max(least, round(span.low / 4, 2), 0.01), min(most, 1.5 * span.high)
    return low, high, ((span.low, f"{span.low:g}"), (span.high, f"{span.high:g}"))


def estimate_rows(state: Telemetry, manifest: PolicyManifest) -> dict[str, str]:
    """Returns what the policy knows of the object, beside the truth, as rows of a table."""
    truths = state.scene or {}
    if manifest.context is None:
        return {"policy": "has no encoder: it does not estimate the object"}
    rows: dict[str, str] = {}
    for item in manifest.context.estimates:
        value = (state.context_estimate or {}).get(item.name)
        truth = truths.get(TRUTHS.get(item.name, ""))
        estimate = "no estimate yet" if value is None else f"estimate {value:.3g}"
        rows[_plain(item.name)] = estimate + ("" if truth is None else f", true {truth:.3g}")
    for item in manifest.context.unidentified:
        rows[_plain(item.name)] = "not estimated by this policy"
    distance = state.context_distance
    unusual = " (unusual)" if distance is not None and distance > 1 else ""
    rows["distance"] = "unknown" if distance is None else f"{distance:.2f}{unusual}"
    if state.outside:
        rows["policy"] = "outside of its training"
    return rows


def _chart(
    gui: viser.GuiApi, title: str, lines: tuple[tuple[str, str], ...], height: int
) -> viser.GuiUplotHandle:
    series = [uplot.Series(label=label, stroke=colour, width=2) for label, colour in lines]
    axis = uplot.Axis(stroke="#909090", grid={"stroke": "#80808040"}, size=40)
    return gui.add_uplot(
        (np.zeros(2), *(np.zeros(2) for _ in lines)),
        (uplot.Series(label="s"), *series),
        title=title,
        scales={"x": uplot.Scale(time=False)},
        axes=(axis, axis),
        legend=uplot.Legend(show=len(lines) > 1, live=False),
        height=height,
    )


def _table(rows: dict[str, str]) -> str:
    cells = "".join(
        f'<tr><td style="opacity:.65;padding-right:.8em;white-space:nowrap;vertical-align:top">'
        f"{_safe(name)}</td><td>{_safe(text)}</td></tr>"
        for name, text in rows.items()
    )
    return f'<table style="margin:.3em .8em;font-size:.9em;line-height:1.35">{cells}</table>'


def _safe(text: str) -> str:
    return html.escape(printable(text))


def _plain(name: str) -> str:
    return name.removeprefix("cube_").replace("_", " ")


def _unit(unit: str) -> str:
    return "" if unit == "1" else f" [{unit}]"


def _numbers(values: Sequence[float | None] | None, decimals: int) -> str:
    if not values:
        return "none"
    return "  ".join("?" if value is None else f"{value:+.{decimals}f}" for value in values)
