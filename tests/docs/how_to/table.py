"""How each command of the how-to pages is run."""

from __future__ import annotations

from tests.docs.how_to import arms, readme, serving, training
from tests.docs.how_to.steps import Step

COMMANDS: dict[str, dict[str, Step]] = {
    **readme.COMMANDS,
    **serving.COMMANDS,
    **arms.COMMANDS,
    **training.COMMANDS,
}
"""Page, command, and how it is run; the commands of a page are run in this order."""
