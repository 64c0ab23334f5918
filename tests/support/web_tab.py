"""A tab without a browser, and the messages that its widgets would send."""

from __future__ import annotations

from typing import Any

import viser
from benchmarks.serving import web_tab

from skill_runtime.subscribers.web.page import Page
from skill_runtime.subscribers.web.panel import Action


class RawTab(web_tab.RawTab):
    """A tab that also uses the widgets of a page in this process."""

    def set_value(self, server: viser.ViserServer, label: str, value: object) -> None:
        """Changes the widget with this label."""
        uuid = _widget(server, label)._impl.uuid
        self.send("GuiUpdateMessage", uuid=uuid, updates={"value": value})

    def press(self, page: Page, action: Action) -> None:
        """Presses a button."""
        server = page._server  # pyright: ignore[reportPrivateUsage]
        if action == "stop":
            self.set_value(server, "STOP", True)
        else:
            self.set_value(server, "", action)  # of the group

    def value(self, server: viser.ViserServer, label: str) -> Any:  # noqa: ANN401  of any type
        """Returns the value of the widget with this label, as all tabs are shown it."""
        return _widget(server, label).value


def _widget(server: viser.ViserServer, label: str) -> Any:  # noqa: ANN401  of several kinds
    widgets: Any = server.gui._gui_input_handle_from_uuid.values()  # pyright: ignore[reportPrivateUsage]
    return next(one for one in widgets if getattr(one, "label", None) == label)
