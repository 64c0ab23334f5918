"""Inputs of the benchmarks, and their error messages."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.lib.inputs import named, names_of, numbers, open_policy, read_json

from skill_runtime.console.flags import UsageError


def test_names_keep_their_order_and_their_paths() -> None:
    assert list(named(["second=a,b", "first=c"], "DIR").items()) == [
        ("second", [Path("a"), Path("b")]),
        ("first", [Path("c")]),
    ]


@pytest.mark.parametrize("entry", ["name", "=a", "name=", "name=a,", "name=,a"])
def test_an_entry_without_name_or_path_is_refused(entry: str) -> None:
    with pytest.raises(UsageError, match="is not NAME=DIR"):
        named([entry], "DIR")


def test_a_repeated_name_is_refused() -> None:
    with pytest.raises(UsageError, match="'a' occurs twice"):
        named(["a=x", "a=y"], "FILE")


@pytest.mark.parametrize("entries", [["a=x,x"], ["a=x", "b=y/../x"]])
def test_a_path_that_would_count_twice_is_refused(entries: list[str]) -> None:
    with pytest.raises(UsageError, match="are the same"):
        named(entries, "DIR")


def test_policies_have_their_shortest_distinguishing_names(tmp_path: Path) -> None:
    words = ["a/policy.onnx", "b/policy.onnx", "c/b/policy.onnx", "other.onnx", "d/x.onnx", "d/x.o"]
    paths = [tmp_path / one for one in words]
    names = names_of(paths[:4])
    assert list(names.values()) == paths[:4]
    assert list(names) == ["a/policy", f"{tmp_path.name}/b/policy", "c/b/policy", "other"]
    assert list(names_of(paths[4:])) == ["x.onnx", "x.o"]


def test_a_policy_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.onnx"
    with pytest.raises(UsageError, match="are the same"):
        names_of([path, path])
    (tmp_path / "link.onnx").symlink_to(path)
    with pytest.raises(UsageError, match="are the same"):
        names_of([path, tmp_path / "link.onnx"])


def test_an_object_of_numbers_has_nothing_else() -> None:
    assert numbers({"a": 1, "b": 0.5}) == {"a": 1, "b": 0.5}
    for other in ([], None, {"a": "1"}, {"a": True}):
        assert numbers(other) is None


def test_an_unreadable_file_ends_the_program_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read_json(tmp_path / "missing.json")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(UsageError, match="no JSON object"):
        read_json(tmp_path / "list.json")
    with pytest.raises(UsageError, match="missing"):
        open_policy(tmp_path / "missing.onnx")
