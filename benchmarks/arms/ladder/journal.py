"""The episodes of one entry and seed: a file to which every run appends.

The first line has the settings, each further line one attempt at an episode. A line is written by
one call and reaches the disk before the next episode begins, so a killed program loses only the
episode that was running. A line that was cut off by a crash is removed.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from benchmarks.arms.ladder.record import Record
from skill_runtime.console.flags import UsageError

Facts = dict[str, Any]
"""Settings, as JSON has them."""


class Journal:
    """One file, opened by one program at a time.

    Args:
        path: the file; it and its folder are made if they do not exist.
        facts: everything that must be equal for all episodes of the file.

    Attributes:
        path: as given.
        records: the conclusive episodes, by number.
        inconclusive: attempts that did not count.

    Raises:
        UsageError: the file has episodes with other settings, which the text names; another
            program writes it; or it cannot be read or written.
    """

    def __init__(self, path: Path, facts: Mapping[str, object]) -> None:
        self.path = path
        wanted: Facts = json.loads(json.dumps(facts))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error}") from None
        try:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(f"another program writes {path}; wait until it ends") from None
            whole = _whole_lines(path.read_bytes())
            os.ftruncate(self._file, len(whole))
            found, self.records, self.inconclusive = parse(path, whole)
            if found is None:
                self._write(wanted)
            else:
                check_facts(path, found, wanted)
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def add(self, record: Record) -> None:
        """Appends a conclusive episode."""
        self._write(record.to_json())
        self.records[record.episode] = record

    def add_inconclusive(self, episode: int, reason: str) -> None:
        """Appends an attempt that does not count."""
        self._write({"episode": episode, "inconclusive": reason})
        self.inconclusive += 1

    def _write(self, content: Mapping[str, object]) -> None:
        line = json.dumps(content, separators=(",", ":")) + "\n"
        os.write(self._file, line.encode())
        os.fsync(self._file)


def _whole_lines(content: bytes) -> bytes:
    return content[: content.rfind(b"\n") + 1]


def parse(path: Path, content: bytes) -> tuple[Facts | None, dict[int, Record], int]:
    """Returns settings, conclusive episodes and the number of other attempts of a journal.

    Args:
        path: of the file, for messages.
        content: of the file; a last line without an end is ignored.

    Returns:
        The settings, None for an empty file; the episodes by number; the other attempts.

    Raises:
        UsageError: a line is not one of a journal.
    """
    facts: Facts | None = None
    records: dict[int, Record] = {}
    inconclusive = 0
    for number, line in enumerate(_whole_lines(content).splitlines(), 1):
        try:
            entry: Facts = json.loads(line)
            if facts is None:
                facts = entry
            elif "inconclusive" in entry:
                inconclusive += 1
            else:
                record = Record.from_json(entry)
                records[record.episode] = record
        except (ValueError, TypeError, KeyError) as error:
            raise UsageError(f"{path}, line {number}: not a line of a ladder ({error})") from None
    return facts, records, inconclusive


def read(path: Path) -> tuple[Facts | None, dict[int, Record], int]:
    """Reads a journal without changing it, also while another program writes it.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        return parse(path, path.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error}") from None


def check_facts(path: Path, found: Facts, wanted: Mapping[str, object]) -> None:
    """Compares the settings of a file with those of this run.

    Raises:
        UsageError: they differ; the text says in what.
    """
    if text := differences(found, json.loads(json.dumps(wanted))):
        raise UsageError(
            f"{path} has episodes with other settings: {text}; choose another --folder, or remove "
            "the file"
        )


def differences(found: Facts, wanted: Facts) -> str:
    """Names the settings that differ between a file and this run."""
    absent = "(absent)"
    return ", ".join(
        f"{name} {found.get(name, absent)} in the file, {wanted.get(name, absent)} in this run"
        for name in dict.fromkeys((*found, *wanted))
        if found.get(name, absent) != wanted.get(name, absent)
    )
