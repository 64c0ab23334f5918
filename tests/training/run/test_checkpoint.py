"""Checkpoints: a saved state is restored, and a damaged file is refused."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from skill_training.errors import CheckpointError
from skill_training.run import checkpoint


def _state() -> dict[str, object]:
    return {"weights": torch.arange(5000.0), "nested": {"count": 3, "wide": 2**127}, "none": None}


def test_a_saved_state_comes_back_equal(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, _state())
    loaded = checkpoint.load(path)
    assert torch.equal(loaded["weights"], torch.arange(5000.0))
    assert loaded["nested"] == {"count": 3, "wide": 2**127}
    assert loaded["none"] is None
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]


_WRITE_BEYOND_THE_LIMIT = """
import resource, sys
from pathlib import Path
import torch
from skill_training.run import checkpoint
from skill_training.errors import CheckpointError

path = Path(sys.argv[1])
checkpoint.save(path, {"generation": 1})
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
try:
    checkpoint.save(path, {"generation": 2, "weights": torch.zeros(100_000)})
except CheckpointError as error:
    print(error)
"""


def test_a_failed_write_keeps_the_previous_checkpoint(tmp_path: Path) -> None:
    # In a separate process: the limit imitates a full disk, and would also hold for the output
    # of this test run.
    path = tmp_path / "checkpoint.pt"
    writer = subprocess.run(
        [sys.executable, "-c", _WRITE_BEYOND_THE_LIMIT, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cannot write the checkpoint" in writer.stdout
    assert "[Errno 27] File too large" in writer.stdout  # not the text of torch
    assert checkpoint.load(path) == {"generation": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_leftovers_of_a_killed_write_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    (tmp_path / "checkpoint.pt.writing").write_bytes(b"half a file")
    checkpoint.save(path, {"generation": 1})
    assert checkpoint.load(path) == {"generation": 1}


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, _state())
    whole = path.read_bytes()
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="damaged"):
            checkpoint.load(path)


def test_a_flipped_bit_in_the_weights_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, _state())
    content = bytearray(path.read_bytes())
    place = content.find(torch.tensor(2500.0).numpy().tobytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="checksum"):
        checkpoint.load(path)


class _Payload:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("executed"),))


def test_a_checkpoint_cannot_execute_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"skill_training_checkpoint": 1, "state": _Payload()}, tmp_path / "checkpoint.pt")
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.load(tmp_path / "checkpoint.pt")
    assert not (tmp_path / "executed").exists()


def test_other_files_are_named_for_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        checkpoint.load(path)
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.load(path)
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="not a checkpoint of skill-train"):
        checkpoint.load(path)
    torch.save({"skill_training_checkpoint": 99, "state": {}}, path)
    with pytest.raises(CheckpointError, match="format 99"):
        checkpoint.load(path)
