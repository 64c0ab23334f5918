"""Sliders of skills and goals that have no place in the scene."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import viser

from skill_proto.manifest import PolicyManifest
from skill_runtime.subscribers.web.scene import Picked, has_disc, table_goal

MAX_SLIDERS = 16
"""Sliders of a long skill; its other entries are 0."""


class Inputs:
    """The widgets of one policy; a policy whose skill and goal are in the scene has none.

    All tabs share the widgets. viser shows a change of one tab to all before it is known here, so
    that commands are made of the accepted values alone, and a refused change is taken back.

    Args:
        gui: Where to add them.
        manifest: The policy's manifest.
        picked: Receives what a tab has picked, and returns whether it was accepted.
        may_act: Returns whether a tab may change a goal that it picks later.
    """

    def __init__(
        self,
        gui: viser.GuiApi,
        manifest: PolicyManifest,
        picked: Picked,
        may_act: Callable[[viser.ClientHandle], bool],
    ) -> None:
        self._gui = gui
        self._manifest = manifest
        self._picked = picked
        self._may_act = may_act
        self._free: list[float] = []
        if not has_disc(manifest):
            self._add_skill()
        self._add_goal()

    def goal(self, on_table: tuple[float, ...]) -> tuple[float, ...]:
        """Returns the whole goal to a click on the table: the sliders have its other entries."""
        return (*on_table, *self._free)

    def _add_skill(self) -> None:
        skill = self._manifest.skill
        if skill.kind == "one_hot":
            names = tuple(map(str, range(1, skill.size + 1)))
            _on_change(
                self._gui.add_dropdown("skill", names),
                lambda tab, value: self._picked(
                    tab, "skill", tuple(float(name == value) for name in names)
                ),
            )
        elif skill.kind == "sphere":
            values = [1.0] + [0.0] * (skill.size - 1)
            for index in range(min(skill.size, MAX_SLIDERS)):
                self._add_entry(values, index)
        elif self._manifest.goal is None:
            run = self._gui.add_button("run the policy", hint="it takes neither skill nor goal")
            _on_press(run, lambda tab: self._picked(tab, "skill", ()))

    def _add_entry(self, values: list[float], index: int) -> None:
        """Adds a slider of one entry of a skill."""

        def change(tab: viser.ClientHandle, value: float) -> bool:
            skill = (*values[:index], value, *values[index + 1 :])
            is_accepted = self._picked(tab, "skill", skill)
            if is_accepted:
                values[index] = value
            return is_accepted

        label = f"skill {index + 1}"
        _on_change(self._gui.add_slider(label, -1.0, 1.0, 0.01, values[index]), change)

    def _add_goal(self) -> None:
        goal = self._manifest.goal
        if goal is None:
            return
        first = 0 if table_goal(self._manifest) is None else 2
        for low, high in list(zip(goal.low, goal.high, strict=True))[first:]:
            self._add_free(f"goal {first + len(self._free) + 1} [{goal.unit}]", low, high)
        if first == 0:
            go = self._gui.add_button("go to the goal")
            _on_press(go, lambda tab: self._picked(tab, "goal", self.goal(())))

    def _add_free(self, label: str, low: float, high: float) -> None:
        """Adds a slider of one entry of a goal, which counts from the next pick on."""
        index, middle = len(self._free), (low + high) / 2
        self._free.append(middle)

        def change(tab: viser.ClientHandle, value: float) -> bool:
            is_accepted = self._may_act(tab)
            if is_accepted:
                self._free[index] = value
            return is_accepted

        step = max((high - low) / 100, 1e-6)
        _on_change(self._gui.add_slider(label, low, high, step, middle), change)


def _on_press(button: viser.GuiButtonHandle, act: Callable[[viser.ClientHandle], object]) -> None:
    """Calls ``act`` when a tab presses the button."""

    async def pressed(event: viser.GuiEvent[Any]) -> None:
        if event.client is not None:
            act(event.client)

    button.on_click(pressed)


def _on_change(
    widget: Any,  # noqa: ANN401  widgets of several kinds
    accept: Callable[[viser.ClientHandle, Any], bool],
) -> None:
    """Calls ``accept`` when a tab changes the widget; takes the change back if it is refused."""
    accepted = widget.value

    # In the event loop, where no other tab changes the value between its arrival and this call.
    async def changed(event: viser.GuiEvent[Any]) -> None:
        nonlocal accepted
        if event.client is None:  # this program's own change
            return
        if accept(event.client, event.target.value):
            accepted = event.target.value
        else:
            event.target.value = accepted

    widget.on_update(changed)


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
