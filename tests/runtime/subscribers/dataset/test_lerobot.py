"""Datasets in the format v3 of lerobot.

The expectations are those of its readers in lerobot 0.4.4, ``datasets/utils.py`` and
``datasets/lerobot_dataset.py``.
"""

from __future__ import annotations

import json
import resource
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.runtime.subscribers.recorded import STEPS
from tests.runtime.subscribers.written import of_server, write

from skill_proto.messages import PolicyStep, Telemetry
from skill_runtime.subscribers.dataset.lerobot import DatasetError, write_dataset
from skill_runtime.subscribers.dataset.statistics import statistics
from skill_runtime.subscribers.recording.reader import Recording
from skill_runtime.subscribers.recording.recording_file import POLICY_STEP_CHANNEL

OWN = {"timestamp", "frame_index", "episode_index", "index", "task_index"}
SIZES = {
    **{"observation.state": 18, "observation.environment_state": 7},
    **{"observation.policy": 28, "observation.skill": 2, "action": 3},
}


@pytest.fixture(scope="module")
def dataset(recording_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset") / "run"
    text = write_dataset([recording_file], folder)
    assert text.startswith(f"{folder}: 3 episodes, ")
    return folder


def info_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "meta/info.json").read_text())


def table(folder: Path, name: str) -> dict[str, list[Any]]:
    return pq.read_table(folder / name).to_pydict()


DATA = "data/chunk-000/file-000.parquet"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"


def test_the_description_names_every_column_with_its_shape(dataset: Path) -> None:
    info = info_of(dataset)
    assert info["codebase_version"] == "v3.0"
    assert (info["robot_type"], info["fps"], info["splits"]) == ("panda", 25, {"train": "0:3"})
    assert info["data_path"].format(chunk_index=0, file_index=0) == DATA
    assert set(info["features"]) == OWN | set(SIZES)
    for name, size in SIZES.items():
        feature = info["features"][name]
        assert (feature["dtype"], feature["shape"]) == ("float32", [size])
        assert len(feature["names"]) == len(set(feature["names"])) == size
    assert info["features"]["timestamp"] == {"dtype": "float32", "shape": [1], "names": None}
    assert info["features"]["index"] == {"dtype": "int64", "shape": [1], "names": None}


def test_the_columns_have_the_types_that_lerobot_casts_to(dataset: Path) -> None:
    schema = pq.read_schema(dataset / DATA)
    assert set(schema.names) == OWN | set(SIZES)
    for name, size in SIZES.items():
        assert str(schema.field(name).type) == f"fixed_size_list<element: float>[{size}]"
    assert str(schema.field("timestamp").type) == "float"
    assert all(str(schema.field(name).type) == "int64" for name in OWN - {"timestamp"})


def test_frames_are_numbered_by_episode_and_in_all(dataset: Path) -> None:
    data, rows = table(dataset, DATA), table(dataset, EPISODES)
    lengths = rows["length"]
    total = sum(lengths)
    assert all(length >= STEPS for length in lengths)
    assert data["index"] == list(range(total))
    assert data["frame_index"] == [i for length in lengths for i in range(length)]
    assert data["episode_index"] == [e for e, n in enumerate(lengths) for _ in range(n)]
    assert data["timestamp"] == pytest.approx([i / 25 for i in data["frame_index"]])
    ends = np.cumsum(lengths).tolist()
    assert rows["dataset_to_index"] == ends
    assert rows["dataset_from_index"] == [0, *ends[:-1]]
    assert rows["episode_index"] == [0, 1, 2]
    for name in ("data/chunk_index", "data/file_index", "meta/episodes/chunk_index"):
        assert rows[name] == [0, 0, 0]
    info = info_of(dataset)
    assert (info["total_episodes"], info["total_frames"]) == (3, total)


def test_frames_are_the_policy_steps(dataset: Path, recording_file: Path) -> None:
    messages = Recording([recording_file]).messages((POLICY_STEP_CHANNEL,))
    steps = [step for message in messages if isinstance(step := message.parse(), PolicyStep)]
    data = table(dataset, DATA)
    taken = len(data["index"])
    assert len(steps) - 1 <= taken <= len(steps)  # the state of the last may be missing
    for name in ("observation", "action", "skill"):
        column = "action" if name == "action" else f"observation.{name}"
        column = column.replace("observation.observation", "observation.policy")
        expected = np.array([getattr(step, name) for step in steps[:taken]], np.float32)
        assert (np.array(data[column], np.float32) == expected).all()


def test_tasks_have_their_texts_in_the_index_of_pandas(dataset: Path) -> None:
    tasks = pq.read_table(dataset / "meta/tasks.parquet")
    assert tasks.to_pydict() == {
        "task_index": [0],
        "__index_level_0__": ["push_by_hand: follow the skill"],
    }
    metadata = json.loads(tasks.schema.metadata[b"pandas"])
    assert metadata["index_columns"] == ["__index_level_0__"]
    assert table(dataset, EPISODES)["tasks"] == [["push_by_hand: follow the skill"]] * 3
    assert set(table(dataset, DATA)["task_index"]) == {0}


def test_statistics_are_of_all_frames_and_of_each_episode(dataset: Path) -> None:
    stats = json.loads((dataset / "meta/stats.json").read_text())
    assert set(stats) == OWN | set(SIZES)
    action = np.array(table(dataset, DATA)["action"])
    assert stats["action"]["mean"] == pytest.approx(action.mean(axis=0).tolist())
    assert stats["action"]["count"] == [len(action)]
    rows = table(dataset, EPISODES)
    assert rows["stats/action/max"][1] == pytest.approx(
        action[rows["dataset_from_index"][1] : rows["dataset_to_index"][1]].max(axis=0).tolist()
    )
    assert {key.partition("/")[2].rpartition("/")[0] for key in rows if "stats/" in key} == (
        OWN | set(SIZES)
    )


def test_statistics_by_hand() -> None:
    found = statistics(np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]]))
    assert (found["min"], found["max"], found["mean"]) == ([0, 1], [4, 1], [2, 1])
    assert found["std"] == pytest.approx([np.sqrt(8 / 3), 0.0])
    assert (found["q50"], found["count"]) == ([2, 1], [3])
    assert found["q10"] == pytest.approx([0.4, 1.0])


def test_numbers_that_are_not_known_have_no_effect_on_statistics() -> None:
    """Under a goal the skill of a frame is not known, and some arms have no gripper width."""
    nan = float("nan")
    found = statistics(np.array([[0.0, nan], [nan, nan], [4.0, nan]]))
    assert (found["min"][0], found["max"][0], found["mean"][0], found["std"][0]) == (0, 4, 2, 2)
    assert (found["q50"][0], found["count"]) == (2, [2])
    assert all(np.isnan(found[name][1]) for name in ("min", "max", "mean", "std", "q50"))


def test_fewer_frames_per_second(recording_file: Path, tmp_path: Path) -> None:
    write_dataset([recording_file], tmp_path / "slow", fps=5)
    data = table(tmp_path / "slow", DATA)
    assert data["timestamp"][:3] == pytest.approx([0.0, 0.2, 0.4])
    with pytest.raises(DatasetError, match="give --fps one of 1, 5, 25"):
        write_dataset([recording_file], tmp_path / "odd", fps=10)


def test_servers_of_another_manifest_are_left_out_and_named(
    recording_file: Path, tmp_path: Path
) -> None:
    """Servers b and c were started again with another policy, and with the first one."""
    recording = Recording([recording_file])
    parsed = [message.parse() for message in recording.messages()]
    items = [each for each in parsed if isinstance(each, Telemetry | PolicyStep)]
    steps = sum(isinstance(each, PolicyStep) for each in items)
    (welcome,) = recording.welcomes.values()
    other = welcome.manifest.model_copy(update={"name": "another"})
    change = {"instance": "b", "policy_file": "another.onnx", "manifest": other}
    written = [welcome, *items, welcome.model_copy(update=change), *of_server("b", items)]
    written += [*of_server("c", items), welcome.model_copy(update={"instance": "c"})]
    written += of_server("d", items)
    text = write_dataset([write(tmp_path / "run.mcap", written)], tmp_path / "both")
    assert text.startswith(f"{tmp_path / 'both'}: 6 episodes, ")
    assert f"; {steps} policy steps of another.onnx, whose manifest or arm differs, were" in text
    assert f"; {steps} policy steps of a server that the recording does not describe were" in text


def test_an_export_that_fails_half_way_leaves_nothing(recording_file: Path, tmp_path: Path) -> None:
    """The first file of the dataset has more bytes than the process may write."""
    folder = tmp_path / "run"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Without the signal a write fails as on a full disk.
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, before[1]))
    try:
        with pytest.raises(DatasetError, match=r"cannot write .*run: "):
            write_dataset([recording_file], folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []
    write_dataset([recording_file], folder)
    assert (folder / DATA).is_file()


def test_a_folder_is_not_overwritten(recording_file: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="overwrites no folder"):
        write_dataset([recording_file], tmp_path)
