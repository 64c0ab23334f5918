"""Free addresses in place of those of the pages."""

from __future__ import annotations

import random
import re

from tests.support.served_process import free_ports

OF_A_SERVER = ("skill-control ", "skill-record ", "skill-web", "skill-metrics", "skill-ros2")
"""Programs that connect to a server."""


class Addresses:
    """The addresses of one page.

    Attributes:
        server: Address for commands of the server that the next commands talk to.
    """

    def __init__(self) -> None:
        self.server = ""
        self.renew()
        self._robot = f"127.{random.randrange(100, 250)}.{random.randrange(250)}.7"

    def renew(self) -> None:
        """Takes other ports, for the next server."""
        self.server = f"tcp://127.0.0.1:{free_ports()}"

    @property
    def port(self) -> str:
        """Port for commands."""
        return self.server.rpartition(":")[2]

    def place(self, text: str) -> str:
        """Returns a command with the addresses of this object.

        The ports of the pages are those of servers that a user may have; a program that is given
        none would connect to such a server.
        """
        text = re.sub(r"tcp://127\.0\.0\.1:\d+", self.server, text)
        text = re.sub(r"--port 5\d\d\d\b", f"--port {self.port}", text)
        text = re.sub(r"--(address|robot-address) 127\.0\.0\.\d+", rf"--\1 {self._robot}", text)
        if text.startswith("skill-serve"):
            text += "" if "--port" in text else f" --port {self.port}"
            if "--web" in text and "--web-port" not in text:
                text += " --web-port 0"
        elif _has_server(text) and "tcp://" not in text:
            text += f" --address {self.server}"
        if text.startswith("skill-web"):
            text += " --port 0"
        if text.startswith("skill-metrics"):
            text = re.sub(r" --port \d+", "", text) + f" --port {free_ports()}"
        return text

    def place_in_code(self, text: str) -> str:
        """Returns a program with the address of this object's server."""
        text = re.sub(r"tcp://127\.0\.0\.1:\d+", self.server, text)
        return text.replace("SkillClient()", f"SkillClient({self.server!r})").replace(
            "SERVER_ADDRESS", self.server
        )


def _has_server(text: str) -> bool:
    """Returns whether a command talks to a server; an export of a recording does not."""
    return (text.startswith(OF_A_SERVER) and "--lerobot" not in text) or "--drive" in text
