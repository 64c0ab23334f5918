"""The state in words: whether the arm moves, by whose command, and if not, why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from skill_proto.faults import FAULTS, needs_clear
from skill_proto.messages import Telemetry

Tone = Literal["moves", "rests", "warns", "stopped"]


@dataclass(frozen=True)
class Headline:
    """The most important sentence of the page."""

    word: str
    """In capitals, e.g. 'HOLDS'."""
    text: str
    """The reason, and what to do about it."""
    tone: Tone


@dataclass(frozen=True, kw_only=True)
class View:
    """What the headline depends on."""

    state: Telemetry | None
    """Newest state; None if the server never published."""
    silence_s: float | None
    """Time without telemetry [s]; None while the server publishes."""
    error: str = ""
    """Why the server cannot be reached."""
    holds: bool = False
    """Whether this page has the lease."""
    note: str = ""
    """The newest refusal of a command of this page."""
    unit: str = ""
    """Unit of goals."""
    inputs: str = "press hold"
    """How to move the arm, in words."""


def headline(view: View) -> Headline:
    """Returns the headline of a page."""
    state = view.state
    if state is None or view.silence_s is not None:
        wait = f" for {view.silence_s:.0f} s" if view.silence_s else ""
        return Headline("NO TELEMETRY", _sentence(f"none{wait}", view.error), "stopped")
    if state.mode == "stopped":
        return Headline("STOPPED", f"{_stopped_text(state)} {CLEAR}", "stopped")
    if state.mode == "fault":
        return Headline(f"FAULT {state.fault or ''}".strip(), _fault_text(state), "stopped")
    if state.mode == "hold":
        return Headline("HOLDS", _why_it_holds(state, view), "rests")
    return _moves(state, view)


STOP = "stop: "
"""Precedes the reason of a stop in the newest event, also in that of a command refused after it."""

CLEAR = "Make sure that motion is safe, press clear, then give a command."


def _stopped_text(state: Telemetry) -> str:
    fault = "" if state.fault is None else f" There is a fault, too: {FAULTS[state.fault].cause}."
    _, is_stop, reason = state.last_event.rpartition(STOP)
    event = f"Stop: {reason}" if is_stop else f"The newest event: {state.last_event}"
    return f"{event}.{fault}"


def _fault_text(state: Telemetry) -> str:
    if state.fault is None:
        return f"Unknown cause. {CLEAR}"
    rule = FAULTS[state.fault]
    cause = _capital(rule.cause.replace("`", ""))
    if needs_clear(state):
        return f"{cause}. {CLEAR}"
    return f"{cause}. It ends by itself, with {rule.ends}; the next command then moves the arm."


def _why_it_holds(state: Telemetry, view: View) -> str:
    if state.awaited_objects:
        names = ", ".join(state.awaited_objects)
        return f"No pose of {names} has arrived yet; the tracker must send one."
    if view.note:
        return _sentence("the last command was refused", view.note)
    if view.holds:
        return f"This page has the lease and gives no command: {view.inputs}."
    if state.lease_holder is not None:
        return (
            f"{state.lease_holder!r} has the lease and gives no command. One client commands at a "
            "time: this page can watch, and stop the arm."
        )
    return f"Nobody has the lease: {view.inputs}."


def _moves(state: Telemetry, view: View) -> Headline:
    if state.braking:
        text = "The governor brakes the arm, because the command would lead out of its limits."
        return Headline("BRAKES", text, "warns")
    far, by = _distance(state, view), _by(state, view)
    if state.goal_status == "reached":
        return Headline("GOAL REACHED", f"{far} away. {by}", "rests")
    if state.goal_status == "no_progress":
        text = f"{far} away, and no nearer for 5 s: give another goal, or press hold."
        return Headline("NO PROGRESS", text, "warns")
    where = f", {far} away" if state.goal_distance is not None else ""
    command = "the policy" if state.command == "demo" else state.mode
    text = f"{_capital(command)}{where}. {by}"
    if state.outside:
        return Headline("OUTSIDE", f"The policy is outside of its training. {text}", "warns")
    return Headline("MOVES", text, "moves")


def _distance(state: Telemetry, view: View) -> str:
    return "?" if state.goal_distance is None else f"{state.goal_distance:.3f} {view.unit}".strip()


def _by(state: Telemetry, view: View) -> str:
    if state.command == "demo":
        return f"The demo commands it until a client does: {view.inputs}, or press hold."
    if view.holds:
        return "Commanded by this page."
    return f"Commanded by {state.lease_holder!r}. This page can watch, and stop the arm."


def _sentence(text: str, more: str) -> str:
    return f"{_capital(text)}{f': {more}' if more else ''}".rstrip(".") + "."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
