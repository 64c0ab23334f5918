"""Runs whole pages; what several pages have is run once."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from tests.docs.how_to.code import CODE, Executed, Written, first_line
from tests.docs.how_to.pages import README, Block, Command, blocks, commands, page_commands
from tests.docs.how_to.serving import SERVICE, SERVICES
from tests.docs.how_to.session import Session
from tests.docs.how_to.steps import Absent, Run, Step
from tests.docs.how_to.table import COMMANDS
from tests.support.opengl import reason_against
from tests.training.forked import TrainingServer

from skill_runtime.client import SkillClient

DEFAULT_SERVER = "skill-serve"

SERVERS = {"docs/recording.md": (README, DEFAULT_SERVER), "docs/scaling.md": (SERVICES, SERVICE)}
"""Pages that take a server for granted: another page, and its command that starts one."""


class Guide:
    """Runs pages.

    Args:
        folder: For the scratch folders.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._trainings = TrainingServer()
        self._shared: dict[str, Session] = {}

    def follow(self, page: str) -> None:
        """Runs all commands and programs of a page, in their order."""
        session = self._session(page.replace("/", "-"))
        prepare(page, session)
        try:
            if page in SERVERS:
                self._perform(session, *lookup(*SERVERS[page]))
            for block in blocks(page):
                self._follow_block(session, block)
            session.close()
        finally:
            session.kill()
        self._clear()

    def close(self) -> None:
        """Ends what the pages have shared."""
        try:
            for session in self._shared.values():
                session.close()
        finally:
            for session in self._shared.values():
                session.kill()
            self._trainings.close()

    def _session(self, name: str) -> Session:
        folder = self._folder / name
        folder.mkdir()
        return Session(folder, self._trainings)

    def _follow_block(self, session: Session, block: Block) -> None:
        for command in commands(block):
            self._perform(session, command, COMMANDS[block.page][command.text])
        if block.language == "python":
            code = CODE[block.page, first_line(block)]
            if isinstance(code, Executed):
                self._clear()
                session.execute(block, code)
        session.end_block()

    def _perform(self, session: Session, command: Command, step: Step) -> None:
        if lacks(command):
            return
        if isinstance(step, Absent) and step.instead:
            command, step = lookup(README, step.instead)
        if isinstance(step, Run) and step.once:
            session.addresses.server = self._share(command, step)
        else:
            session.perform(command, step)

    def _share(self, command: Command, step: Step) -> str:
        """Runs a command unless it has been run; returns the address of its server."""
        if command.text not in self._shared:
            session = self._shared[command.text] = self._session(f"shared-{len(self._shared)}")
            session.perform(command, step)
        return self._shared[command.text].addresses.server

    def _clear(self) -> None:
        """Ends a stop of the shared arm, which latches."""
        if DEFAULT_SERVER in self._shared:
            with SkillClient(self._shared[DEFAULT_SERVER].addresses.server) as client:
                client.clear()


def lacks(command: Command) -> str:
    """Returns what this machine lacks for a command; '' if it lacks nothing."""
    if " pixels" in command.text:
        return reason_against()
    if "--arm franka" in command.text and not all(map(find_spec, ("franky", "panda_py"))):
        return "the extra 'franka' is not installed"
    return ""


def lookup(page: str, text: str) -> tuple[Command, Step]:
    """Returns a command of a page, and how it is run."""
    command = next(each for each in page_commands(page) if each.text == text)
    return command, COMMANDS[page][text]


def prepare(page: str, session: Session) -> None:
    """Makes the files of a page, and those that it takes for granted."""
    for block in blocks(page):
        code = CODE.get((page, first_line(block)))
        if isinstance(code, Written):
            (session.folder / code.name).write_text(block.text, encoding="utf-8")
    models = session.folder / "models"
    if page == "docs/recording.md":
        (session.folder / "other.onnx").symlink_to(models / "csf_panda.onnx")
    if page == "docs/policy-service.md":
        (session.folder / "retrained.onnx").symlink_to(models / "goal_panda.onnx")
    if page == "docs/training.md":
        session.begin_run("RUN")
