"""Files that are replaced as a whole."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from skill_proto.files.atomic_file import replace_bytes, replace_text, replacing


def _fail(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_file_is_created_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    replace_text(path, "\u00e9")
    assert path.read_bytes() == b"\xc3\xa9"
    replace_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "authorized_keys"
    path.write_text("old")
    path.chmod(0o640)
    replace_text(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    replace_text(path, "private", 0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_private_file_is_private_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []

    def note_mode(descriptor: int) -> None:
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))

    monkeypatch.setattr(os, "fsync", note_mode)
    written = Path.write_bytes

    def note_and_write(path: Path, data: bytes) -> int:
        modes.append(stat.S_IMODE(path.stat().st_mode))
        return written(path, data)

    monkeypatch.setattr(Path, "write_bytes", note_and_write)
    replace_text(tmp_path / "authorized_keys", "private", 0o600)
    assert modes == [0o600, 0o600]


def test_on_a_full_disk_the_old_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", _fail)
    with pytest.raises(OSError, match="No space left"):
        replace_bytes(path, b"new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_raises_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "policy.onnx"
    path.write_text("old")
    block = replacing(path)
    block.__enter__().write_text("half a file")
    assert not block.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_during_the_block_a_reader_finds_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "policy.onnx"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_a_block_that_writes_no_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "policy.onnx"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert path.read_text() == "old"


def test_threads_that_write_one_file_leave_one_whole_content(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    contents = [str(number).encode() * 10_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: replace_bytes(path, content), contents * 10))
    assert path.read_bytes() in contents
    assert list(tmp_path.iterdir()) == [path]


def test_a_device_is_written_to_and_stays(tmp_path: Path) -> None:
    replace_bytes(Path(os.devnull), b"new")
    assert Path(os.devnull).is_char_device()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_bytes)
        replace_bytes(pipe, b"new")
        assert read.result(timeout=30) == b"new"
    assert pipe.is_fifo()


def test_the_target_of_a_link_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "folder/target.json", tmp_path / "link.json"
    target.parent.mkdir()
    link.symlink_to(target)
    replace_bytes(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert list(target.parent.iterdir()) == [target]
