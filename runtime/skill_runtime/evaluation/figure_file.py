"""The file of a picture."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure

from skill_runtime.console.output_file import write_file


def save_figure(figure: Figure, path: Path, *, dpi: int) -> None:
    """Writes a figure in the format that the end of the name gives, see ``options.PLOT_FORMATS``.

    A file that exists is replaced whole or not at all.

    Raises:
        OutputError: The file cannot be written.
    """
    content = BytesIO()
    suffix, background = path.suffix[1:].lower(), figure.get_facecolor()
    figure.savefig(content, dpi=dpi, format=suffix, facecolor=background)
    write_file(path, content.getvalue())
