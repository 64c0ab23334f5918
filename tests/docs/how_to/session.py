"""Runs the commands and the programs of one page, in one scratch folder."""

from __future__ import annotations

import shlex
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from tests.docs.how_to.addresses import Addresses
from tests.docs.how_to.code import Executed
from tests.docs.how_to.pages import ROOT, Block, Command
from tests.docs.how_to.program import Program
from tests.docs.how_to.pushing import pushing
from tests.docs.how_to.shorter import TRAINED
from tests.docs.how_to.steps import Absent, Change, Interrupted, Run, Stays, Step
from tests.training.forked import TrainingServer

SERVER, TRAIN = "skill-serve", "skill-train "


class Session:
    """Runs commands one after the other.

    Args:
        folder: An empty folder; it is filled with the parts of a checkout that pages name.
        trainings: Starts ``skill-train``.
    """

    def __init__(self, folder: Path, trainings: TrainingServer) -> None:
        for name in ("examples", "packages"):
            (folder / name).symlink_to(ROOT / name)
        shutil.copytree(ROOT / "models", folder / "models")
        for name in ("home", "client", "server"):
            (folder / name).mkdir()
        self.folder = folder
        self.addresses = Addresses()
        self._trainings = trainings
        self._running: list[tuple[Command, Stays, Program]] = []
        self._count = 0

    def perform(self, command: Command, step: Step) -> None:
        """Runs a command, and checks its output, its files and its exit code."""
        if isinstance(step, Absent):
            return
        if isinstance(step, Stays):
            self._start(command, step)
        elif command.text.startswith(TRAIN):
            self._learn(command, step)
        else:
            with pushing(self.addresses.server) if step.beside else nullcontext(_at_once) as wait:
                self._run(command, step, wait)

    def execute(self, block: Block, code: Executed) -> None:
        """Runs a program, and checks its output and its exit code."""
        text = replaced(block.text, code.words, f"{block.page}, line {block.line}")
        path = self.folder / f"program-{block.line}.py"
        path.write_text(self.addresses.place_in_code(code.first + text), encoding="utf-8")
        program = self._program(f"python -W error {path.name}", "home")
        try:
            ended = program.wait()
        finally:
            program.kill()
        assert ended == 0, f"{block.page}, line {block.line}: {program.output}"
        assert code.says in program.output, program.output

    def end_block(self) -> None:
        """Ends the programs that end with their block; each must end well."""
        self._end(lambda _, step: step.with_block)

    def begin_run(self, name: str) -> None:
        """Begins a training that can be resumed."""
        text = f"skill-train csf --run-dir {name}"
        command = Command(page="before the first block", line=0, text=text)
        self._learn(command, Interrupted(says="upd/s", code=130, change=TRAINED))

    def close(self) -> None:
        """Ends every program that runs; each must end well."""
        self._end(lambda _, __: True)

    def kill(self) -> None:
        """Kills every program that runs."""
        for _, _, program in self._running:
            program.kill()

    def text_of(self, command: Command, change: Change | None) -> str:
        """Returns the command that is run in place of one on a page."""
        text = command.text
        if change is not None:
            text = f"{replaced(text, change.words, str(command))} {change.adds}"
        for name, path in (("VENV", sys.prefix), ("ROOT", ROOT), ("SCRATCH", self.folder)):
            text = text.replace(name, str(path))
        return self.addresses.place(text.strip())

    def _start(self, command: Command, step: Stays) -> None:
        if command.text.startswith(SERVER):
            self._end(lambda other, _: other.text.startswith(SERVER))
            self.addresses.renew()
        program = self._program(self.text_of(command, step.change), step.home)
        self._running.append((command, step, program))
        program.until(step.says)

    def _run(self, command: Command, step: Run, wait: Callable[[], None]) -> None:
        program = self._program(self.text_of(command, step.change), step.home)
        try:
            if isinstance(step, Interrupted):
                program.until(step.says)
                program.until_file(self.folder / step.makes)
                wait()
                program.interrupt()
            code = program.wait()
        finally:
            program.kill()
        self._check(command, step, program.text, code, program.output)

    def _learn(self, command: Command, step: Run) -> None:
        text = self.text_of(command, step.change)

        def done() -> bool:
            return step.says in training.output and (self.folder / step.makes).exists()

        training = self._trainings.start(*shlex.split(text)[1:], cwd=self.folder)
        try:
            if isinstance(step, Interrupted):
                training.until(lambda: done() or training.poll() is not None)
                if training.poll() is None:
                    training.send(signal.SIGINT)
            code = training.wait()
        finally:
            training.end()
        self._check(command, step, text, code, training.output)

    def _check(self, command: Command, step: Run, text: str, code: int, output: str) -> None:
        report = f"{command}\nrun as: {text}\n{output}"
        assert code == step.code, f"exit code {code}: {report}"
        assert step.says in output, f"it did not say {step.says!r}: {report}"
        assert (self.folder / step.makes).exists(), f"it did not make {step.makes}: {report}"
        assert "Traceback" not in output, report

    def _program(self, text: str, home: str) -> Program:
        self._count += 1
        said = self.folder / f"said-{self._count}"
        return Program(text, self.folder, said, self.folder / home)

    def _end(self, which: Callable[[Command, Stays], bool]) -> None:
        ending = [one for one in self._running if which(one[0], one[1])]
        self._running = [one for one in self._running if one not in ending]
        for _, _, program in reversed(ending):
            program.end()


def _at_once() -> None:
    """Waits for no other program."""


def replaced(text: str, words: dict[str, str], where: str) -> str:
    """Returns a text with some of its parts replaced.

    Raises:
        AssertionError: A part is not in the text.
    """
    for old, new in words.items():
        assert old in text, f"{where}: has no {old!r}, which a test replaces"
        text = text.replace(old, new)
    return text
