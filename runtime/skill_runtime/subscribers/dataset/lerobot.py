"""Writes a LeRobotDataset v3: columns and episodes in Parquet, description and statistics in JSON.

The layout is that of lerobot 0.4.4 (``datasets/utils.py``, ``lerobot_dataset.py``), whose version
``v3.0`` newer releases also declare. lerobot reads ``meta/tasks.parquet`` by pandas, with the texts
in the index; so the file has pandas' metadata, without pandas.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from skill_proto.arrays import Float32Array
from skill_proto.messages import PolicyStep, Telemetry, Welcome
from skill_runtime.subscribers.dataset.episodes import Frame, episodes
from skill_runtime.subscribers.dataset.features import Features
from skill_runtime.subscribers.dataset.servers import select
from skill_runtime.subscribers.dataset.statistics import statistics
from skill_runtime.subscribers.recording.reader import Recording
from skill_runtime.subscribers.recording.recording_file import (
    POLICY_STEP_CHANNEL,
    TELEMETRY_CHANNEL,
)

VERSION = "v3.0"

DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
EPISODES_PATH = "meta/episodes/chunk-000/file-000.parquet"

INDEX_COLUMNS = ("frame_index", "episode_index", "index", "task_index")


class DatasetError(Exception):
    """A recording cannot become a dataset; the text gives the reason and the fix."""


def write_dataset(paths: Sequence[Path], folder: Path, fps: int | None = None) -> str:
    """Writes the recording in these files as a dataset, whole or not at all.

    Args:
        paths: Files of one recording. Of several servers, those like the first one are taken.
        folder: The dataset, which must not exist.
        fps: Frames per second; the rate of the policy if None.

    Returns:
        The outcome in words.

    Raises:
        RecordingError: A file is no recording.
        DatasetError: The folder exists, the rate does not fit, or there is no episode.
    """
    if folder.exists():
        raise DatasetError(f"{folder} exists, and an export overwrites no folder; name a new one")
    recording = Recording(paths)
    parsed = (each.parse() for each in recording.messages((TELEMETRY_CHANNEL, POLICY_STEP_CHANNEL)))
    messages = [each for each in parsed if isinstance(each, Telemetry | PolicyStep)]
    if not recording.welcomes:
        raise DatasetError("the recording does not describe its server; record again")
    selection = select(messages, recording.welcomes)
    welcome = selection.welcome
    every, rate = _thinning(welcome.policy_rate_hz, fps)
    ticks_per_step = 1.0 / (welcome.policy_rate_hz * welcome.servo_period_s)
    found = list(episodes(selection.messages, ticks_per_step, every))
    if not found:
        raise DatasetError(
            "the recording has no two policy steps in a row; record while a skill or a goal runs"
        )
    content = Dataset(welcome, _objects(selection.messages), found, rate)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        content.write(part)
        part.rename(folder)
    except OSError as error:
        raise DatasetError(f"cannot write {folder}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)  # also after an interrupt
    text = f"{folder}: {len(found)} episodes, {content.frames} frames at {rate} Hz"
    return "; ".join([text, *selection.left_out, *recording.faults()])


def _thinning(rate_hz: float, fps: int | None) -> tuple[int, int]:
    """Returns how many steps make a frame, and the frames per second.

    Raises:
        DatasetError: The rate of the policy is no multiple of the frames per second.
    """
    fps = fps or round(rate_hz)
    every = round(rate_hz / fps)
    if every < 1 or abs(every * fps - rate_hz) > 1e-6 * rate_hz:
        whole = round(rate_hz)
        fitting = [str(n) for n in range(1, whole + 1) if whole % n == 0]
        raise DatasetError(
            f"the policy runs at {rate_hz:g} Hz, which is no multiple of {fps} frames per second; "
            f"give --fps one of {', '.join(fitting)}"
        )
    return every, fps


def _objects(messages: Sequence[object]) -> tuple[str, ...]:
    states = (message for message in messages if isinstance(message, Telemetry))
    return tuple(dict.fromkeys(name for state in states for name in state.objects))


class Dataset:
    """The content of a dataset.

    Args:
        welcome: Description of the server.
        objects: Names of the objects in its telemetry.
        found: The episodes.
        fps: Frames per second.

    Attributes:
        frames: Number of frames.
    """

    def __init__(
        self,
        welcome: Welcome,
        objects: Sequence[str],
        found: Sequence[tuple[Frame, ...]],
        fps: int,
    ) -> None:
        self._welcome = welcome
        self._fps = fps
        steps = [frame.step for episode in found for frame in episode]
        self._features = Features(
            welcome,
            objects,
            has_skill=any(step.skill is not None for step in steps),
            has_goal=any(step.goal is not None for step in steps),
        )
        self._lengths = [len(episode) for episode in found]
        self.frames = sum(self._lengths)
        self._tasks, self._task_of = self._name_tasks(found)
        self._columns = self._make_columns(found)

    def _name_tasks(self, found: Sequence[tuple[Frame, ...]]) -> tuple[list[str], list[int]]:
        manifest = self._welcome.manifest
        goal = "" if manifest.goal is None else f"bring {manifest.goal.field} to the goal"
        texts = [
            f"{manifest.name}: follow the skill" if episode[0].step.goal is None else goal
            for episode in found
        ]
        tasks = list(dict.fromkeys(texts))
        return tasks, [tasks.index(text) for text in texts]

    def _make_columns(self, found: Sequence[tuple[Frame, ...]]) -> dict[str, Any]:
        parts = [self._features.rows(episode) for episode in found]
        columns: dict[str, Any] = {
            name: np.concatenate([part[name] for part in parts]) for name in parts[0]
        }
        frame_index = np.concatenate([np.arange(length) for length in self._lengths])
        return columns | {
            "timestamp": (frame_index / self._fps).astype(np.float32),
            "frame_index": frame_index,
            "episode_index": np.repeat(np.arange(len(found)), self._lengths),
            "index": np.arange(self.frames),
            "task_index": np.repeat(self._task_of, self._lengths),
        }

    def write(self, folder: Path) -> None:
        """Writes all files.

        Raises:
            OSError: A file cannot be written.
        """
        data = folder / DATA_PATH.format(chunk_index=0, file_index=0)
        for path in (data, folder / EPISODES_PATH):
            path.parent.mkdir(parents=True)
        pq.write_table(self._data(), data)
        pq.write_table(pa.Table.from_pylist(self._episodes()), folder / EPISODES_PATH)
        pq.write_table(tasks_table(self._tasks), folder / "meta/tasks.parquet")
        stats = {name: statistics(column) for name, column in self._columns.items()}
        _write_json(folder / "meta/stats.json", stats)
        _write_json(folder / "meta/info.json", self._info())

    def _data(self) -> Any:  # noqa: ANN401  pyarrow has no types
        types = {
            column.name: pa.list_(pa.float32(), len(column.entries))
            for column in self._features.columns
        }
        types |= {"timestamp": pa.float32()} | dict.fromkeys(INDEX_COLUMNS, pa.int64())
        return pa.table(
            {name: _array(column, types[name]) for name, column in self._columns.items()}
        )

    def _episodes(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        start = 0
        for number, length in enumerate(self._lengths):
            part = slice(start, start + length)
            row = {
                "episode_index": number,
                "tasks": [self._tasks[self._task_of[number]]],
                "length": length,
                "data/chunk_index": 0,
                "data/file_index": 0,
                "dataset_from_index": start,
                "dataset_to_index": start + length,
                "meta/episodes/chunk_index": 0,
                "meta/episodes/file_index": 0,
            }
            for name, column in self._columns.items():
                row |= {f"stats/{name}/{k}": v for k, v in statistics(column[part]).items()}
            rows.append(row)
            start += length
        return rows

    def _info(self) -> dict[str, Any]:
        features: dict[str, Any] = {
            column.name: {
                "dtype": "float32",
                "shape": list(column.shape),
                "names": list(column.entries),
            }
            for column in self._features.columns
        }
        features["timestamp"] = {"dtype": "float32", "shape": [1], "names": None}
        features |= {
            name: {"dtype": "int64", "shape": [1], "names": None} for name in INDEX_COLUMNS
        }
        return {
            "codebase_version": VERSION,
            "robot_type": self._welcome.robot,
            "total_episodes": len(self._lengths),
            "total_frames": self.frames,
            "total_tasks": len(self._tasks),
            "chunks_size": 1000,
            "data_files_size_in_mb": 100,
            "video_files_size_in_mb": 200,
            "fps": self._fps,
            "splits": {"train": f"0:{len(self._lengths)}"},
            "data_path": DATA_PATH,
            "video_path": None,
            "features": features,
        }


def tasks_table(tasks: Sequence[str]) -> Any:  # noqa: ANN401  pyarrow has no types
    """Returns the table of tasks with pandas' metadata: the texts are its index."""
    name = "__index_level_0__"
    index = {
        "name": None,
        "field_name": name,
        "pandas_type": "unicode",
        "numpy_type": "object",
        "metadata": None,
    }
    number = {
        "name": "task_index",
        "field_name": "task_index",
        "pandas_type": "int64",
        "numpy_type": "int64",
        "metadata": None,
    }
    pandas = {
        "index_columns": [name],
        "column_indexes": [],
        "columns": [number, index],
        "pandas_version": "2.0.0",
    }
    table = pa.table(
        {"task_index": pa.array(range(len(tasks)), pa.int64()), name: pa.array(list(tasks))}
    )
    return table.replace_schema_metadata({"pandas": json.dumps(pandas)})


def _array(column: Float32Array, kind: Any) -> Any:  # noqa: ANN401  pyarrow has no types
    return pa.array(column.tolist() if column.ndim > 1 else column, kind)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    # NaN, for a number that is not known, is Python's JSON, which lerobot reads.
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
