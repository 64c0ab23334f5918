"""Sliders of skills and goals that have no place in the scene."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import viser

from skill_proto.manifest import PolicyManifest
from skill_runtime.subscribers.web.scene import has_disc, table_goal

MAX_SLIDERS = 16
"""Sliders of a long skill; its other entries are 0."""

Picked = Callable[[viser.ClientHandle, Literal["skill", "goal"], tuple[float, ...]], None]
"""As in scene.py."""


class Inputs:
    """The widgets of one policy; a policy whose skill and goal are in the scene has none.

    Args:
        gui: Where to add them.
        manifest: The policy's manifest.
        picked: Receives what a tab has picked.
    """

    def __init__(self, gui: viser.GuiApi, manifest: PolicyManifest, picked: Picked) -> None:
        self._gui = gui
        self._manifest = manifest
        self._picked = picked
        self._free: list[viser.GuiSliderHandle[float]] = []
        if not has_disc(manifest):
            self._add_skill()
        self._add_goal()

    def goal(self, on_table: tuple[float, ...]) -> tuple[float, ...]:
        """Returns the whole goal to a click on the table: the sliders have its other entries."""
        return (*on_table, *(slider.value for slider in self._free))

    def _add_skill(self) -> None:
        skill = self._manifest.skill
        if skill.kind == "one_hot":
            names = tuple(map(str, range(1, skill.size + 1)))
            choice = self._gui.add_dropdown("skill", names)
            self._on_tab(
                choice,
                lambda tab: self._picked(
                    tab, "skill", tuple(float(name == choice.value) for name in names)
                ),
            )
        elif skill.kind == "sphere":
            sliders = [
                self._gui.add_slider(f"skill {i + 1}", -1.0, 1.0, 0.01, float(i == 0))
                for i in range(min(skill.size, MAX_SLIDERS))
            ]
            zeros = (0.0,) * (skill.size - len(sliders))
            for slider in sliders:
                self._on_tab(
                    slider,
                    lambda tab: self._picked(
                        tab, "skill", (*(one.value for one in sliders), *zeros)
                    ),
                )
        elif self._manifest.goal is None:
            run = self._gui.add_button("run the policy", hint="it takes neither skill nor goal")
            self._on_tab(run, lambda tab: self._picked(tab, "skill", ()))

    def _add_goal(self) -> None:
        goal = self._manifest.goal
        if goal is None:
            return
        first = 0 if table_goal(self._manifest) is None else 2
        for low, high in list(zip(goal.low, goal.high, strict=True))[first:]:
            label = f"goal {first + len(self._free) + 1} [{goal.unit}]"
            middle, step = (low + high) / 2, max((high - low) / 100, 1e-6)
            self._free.append(self._gui.add_slider(label, low, high, step, middle))
        if first == 0:
            go = self._gui.add_button("go to the goal")
            self._on_tab(go, lambda tab: self._picked(tab, "goal", self.goal(())))

    def _on_tab(
        self,
        widget: Any,  # noqa: ANN401  widgets of several kinds
        act: Callable[[viser.ClientHandle], None],
    ) -> None:
        """Calls ``act`` when a tab, not this program, changes the widget."""

        def changed(event: viser.GuiEvent[Any]) -> None:
            if event.client is not None:
                act(event.client)

        (widget.on_click if hasattr(widget, "on_click") else widget.on_update)(changed)


def how_to_move(manifest: PolicyManifest) -> str:
    """Returns how to give a command, in words."""
    ways: list[str] = []
    if has_disc(manifest):
        ways.append("click on the disc of skills or drag it")
    elif manifest.skill.kind != "none":
        ways.append("choose a skill")
    elif manifest.goal is None:
        ways.append("press run the policy")
    if manifest.goal is not None:
        on_table = table_goal(manifest) is not None
        ways.append("click on the table in the box of goals" if on_table else "choose a goal")
    return ", or ".join(ways)
