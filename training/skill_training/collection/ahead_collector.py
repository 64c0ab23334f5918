"""Collection in a process of its own, one round ahead of the gradient steps.

While the learner takes the gradient steps of round k, the process collects round k + 1 with the
actor as it was before them: the policy lags by one round. On two processors this saves the time of
the collection. Actions are drawn from a generator of the process, so that the results differ from
those without it; they are as repeatable.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, cast

import torch

from skill_training.collection.skill_collector import SkillCollector
from skill_training.data.replay import ReplayBuffer
from skill_training.errors import LostResultError, TrainingError
from skill_training.nets.finite import NotFiniteError
from skill_training.seeding import restore_generator

MakeCollector = Callable[["RoundRecorder"], SkillCollector]
"""Makes the collector of the process; it is pickled."""

State = dict[str, Any]

SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
)
"""Signals that end a session of training; see ``run.session.interruption``."""


class RoundRecorder:
    """Keeps the transitions of one round; a replay as the collector sees it."""

    def __init__(self) -> None:
        self._steps: list[tuple[torch.Tensor, ...]] = []

    def add(self, *parts: Any) -> None:  # noqa: ANN401  the rows that a replay takes
        """Appends the transitions of one control step; see ``ReplayBuffer.add``."""
        self._steps.append(
            tuple(
                torch.as_tensor(part, dtype=torch.float32).clone()
                for part in parts
                if part is not None
            )
        )

    def take(self) -> list[torch.Tensor]:
        """Returns the parts of all transitions ``(m, ...)`` and forgets them."""
        parts = [torch.cat(part) for part in zip(*self._steps, strict=True)]
        self._steps.clear()
        return parts


class AheadCollector:
    """Collects rounds in another process.

    Args:
        make: Makes the collector there.
        algorithm: Whose actor acts.
        replay: Replay for the transitions.
        steps_per_round: Environment steps of one round.
    """

    def __init__(
        self,
        make: MakeCollector,
        actor: torch.nn.Module,
        replay: ReplayBuffer,
        steps_per_round: int,
    ) -> None:
        self.steps_per_round = steps_per_round
        self.env_steps = 0
        self.cumulative_cells: int | None = None
        self._actor = actor
        self._replay = replay
        self._round: list[torch.Tensor] | None = None
        self._cells_ahead: int | None = None
        self._asked = False
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        precision = torch.get_float32_matmul_precision()
        self._process = context.Process(
            target=_serve, args=(other, make, precision), name="collector", daemon=True
        )
        # Ctrl-C reaches all processes of a terminal; this one ends with its parent, which saves a
        # checkpoint first. Python handles signals in a new process only after its imports.
        with _blocked():
            self._process.start()
        other.close()

    def collect_round(self) -> None:
        """Stores the transitions of the next round, and lets the process begin the one after it.

        Raises:
            NotFiniteError: an action of the policy is not finite.
            TrainingError: the process has ended.
        """
        if self._round is None:
            self._ask()
            self._receive()
        parts = self._round
        assert parts is not None
        self._round = None
        for rows in zip(*(part.split(self._replay.capacity) for part in parts), strict=True):
            self._replay.add(*rows)
        self.env_steps += self.steps_per_round
        self.cumulative_cells = self._cells_ahead
        self._ask()

    def state_dict(self) -> State:
        """Returns the state between two rounds: that of the process, and the round ahead."""
        if self._asked:
            self._receive()
        return {
            "env_steps": self.env_steps,
            "process": self._call("state", None),
            "round": self._round,
            "cells": self.cumulative_cells,
            "cells_ahead": self._cells_ahead,
        }

    def load_state_dict(self, state: State) -> None:
        """Restores the state of :meth:`state_dict`."""
        if self._asked:
            self._receive()
        self.env_steps = int(state["env_steps"])
        self._round = state["round"]
        self.cumulative_cells = state.get("cells")
        self._cells_ahead = state.get("cells_ahead")
        self._call("load", _on_cpu(state["process"]))

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.join()

    def _ask(self) -> None:
        if not self._asked:
            # A copy: torch shares the memory of tensors that it sends, and the next gradient step
            # would change them there.
            weights = {
                name: value.detach().cpu().clone()
                for name, value in self._actor.state_dict().items()
            }
            self._send("round", weights)
            self._asked = True

    def _receive(self) -> None:
        self._asked = False
        self._round, self._cells_ahead = self._answer()

    def _call(self, request: str, content: object) -> Any:  # noqa: ANN401  as the request
        self._send(request, content)
        return self._answer()

    def _send(self, request: str, content: object) -> None:
        try:
            self._pipe.send((request, content))
        except OSError:
            raise self._ended() from None

    def _answer(self) -> Any:  # noqa: ANN401  the process answers each request with its own type
        try:
            kind, content = self._pipe.recv()
        except (EOFError, OSError):
            raise self._ended() from None
        if kind == "not finite":
            raise NotFiniteError(content)
        if kind == "error":
            raise TrainingError(f"the process of the scenes has failed: {content}")
        return content

    def _ended(self) -> LostResultError:
        self._process.join(1.0)
        return LostResultError(
            f"the process of the scenes has ended (exit code {self._process.exitcode}); continue "
            "the run from its checkpoint"
        )


def _serve(pipe: Connection, make: MakeCollector, precision: str) -> None:
    """Answers requests until the pipe closes."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision(precision)
    recorder = RoundRecorder()
    try:
        collector = make(recorder)
    except Exception as error:
        pipe.recv()
        pipe.send(("error", repr(error)))
        return
    while True:
        try:
            request, content = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer = _handle(request, content, collector, recorder)
        except NotFiniteError as error:
            pipe.send(("not finite", str(error)))
        except Exception as error:
            pipe.send(("error", repr(error)))
        else:
            pipe.send(("done", answer))


def _handle(
    request: str,
    content: Any,  # noqa: ANN401  each request has its own
    collector: SkillCollector,
    recorder: RoundRecorder,
) -> object:
    if request == "round":
        collector.algorithm.actor.load_state_dict(content)
        collector.collect_round()
        return recorder.take(), collector.cumulative_cells
    if request == "load":
        collector.load_state_dict(content["collector"])
        restore_generator(collector.algorithm.generator, content["noise"])
        return None
    return {
        "collector": collector.state_dict(),
        "noise": collector.algorithm.generator.get_state(),
    }


@contextmanager
def _blocked() -> Generator[None]:
    """Blocks the signals that end a session, for this thread and what it starts."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _on_cpu(state: Any) -> Any:  # noqa: ANN401  tensors, and containers of them
    """Returns a state with its tensors on the CPU."""
    if isinstance(state, torch.Tensor):
        return state.cpu()
    if isinstance(state, dict):
        parts = cast("dict[str, Any]", state)
        return {name: _on_cpu(part) for name, part in parts.items()}
    return state


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
