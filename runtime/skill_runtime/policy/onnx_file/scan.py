"""Reads versions and tensor locations of an ONNX file from its bytes, without loading the graph.

An ONNX file is a protobuf message ``ModelProto`` (onnx.proto of the ONNX project). The scan enters
only the fields of :data:`_CHILDREN` and skips all others by their length, so its time is linear in
the number of fields. It finds weights outside the file in every place that can have a tensor: the
graph, subgraphs of nodes, functions and training graphs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 8: "opset", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
}
"""Messages within messages: kind of the outer one, number of its field, kind of the inner one."""

# Numbers of the other fields that the scan reads, by message.
_MODEL_IR_VERSION, _MODEL_GRAPH = 1, 7
_OPSET_DOMAIN, _OPSET_VERSION = 1, 2
_TENSOR_NAME, _TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 8, 13, 14
_ENTRY_KEY, _ENTRY_VALUE = 1, 2

_EXTERNAL = 1
"""Value of a tensor's ``data_location`` whose numbers are in another file."""

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10
_MAX_DEPTH = 100
"""Deepest nesting of messages, as in protobuf's own readers."""

_ONNX_DOMAIN = "ai.onnx"
"""Full name of the operator sets' default domain ''."""


class NotProtobufError(ValueError):
    """The bytes are not a protobuf message."""


class CutShortError(NotProtobufError):
    """The bytes end within a field."""


@dataclass(frozen=True, kw_only=True)
class ExternalTensor:
    """A tensor whose numbers are in another file."""

    name: str
    location: str
    """Path of the other file as the model gives it; empty if it gives none."""


@dataclass(kw_only=True)
class OnnxScan:
    """The findings of a scan."""

    ir_version: int = 0
    """Version of the file format; 0 if the file does not state it."""
    opsets: dict[str, int] = field(default_factory=dict[str, int])
    """Version of each operator set by its domain; that of ONNX itself is ``ai.onnx``."""
    has_graph: bool = False
    external: list[ExternalTensor] = field(default_factory=list[ExternalTensor])


class _Message(NamedTuple):
    kind: str
    start: int
    end: int
    depth: int


class _Field(NamedTuple):
    """One field: an integer, or the range of its bytes."""

    number: int
    integer: int | None
    start: int
    end: int


def scan(content: bytes) -> OnnxScan:
    """Returns versions, and the tensors whose numbers are outside the file.

    Raises:
        CutShortError: The file ends within a field.
        NotProtobufError: The bytes are not a protobuf message, or are nested too deeply.
    """
    found = OnnxScan()
    waiting = deque([_Message("model", 0, len(content), 0)])
    while waiting:
        message = waiting.popleft()
        if message.depth > _MAX_DEPTH:
            raise NotProtobufError(f"messages are nested more than {_MAX_DEPTH} deep")
        if message.kind == "opset":
            _read_opset(content, message, found)
        elif message.kind == "tensor":
            _read_tensor(content, message, found)
        else:
            waiting.extend(_read_inner(content, message, found))
    return found


def _read_inner(content: bytes, message: _Message, found: OnnxScan) -> Iterator[_Message]:
    """Yields the messages within a message, and notes the fields of the model itself."""
    children = _CHILDREN[message.kind]
    for item in _fields(content, message):
        if item.integer is not None:
            if message.kind == "model" and item.number == _MODEL_IR_VERSION:
                found.ir_version = item.integer
        elif item.number in children:
            if message.kind == "model" and item.number == _MODEL_GRAPH:
                found.has_graph = True
            yield _Message(children[item.number], item.start, item.end, message.depth + 1)


def _read_opset(content: bytes, message: _Message, found: OnnxScan) -> None:
    domain, version = "", 0
    for item in _fields(content, message):
        if item.number == _OPSET_DOMAIN and item.integer is None:
            domain = _text(content, item)
        elif item.number == _OPSET_VERSION and item.integer is not None:
            version = item.integer
    found.opsets[domain or _ONNX_DOMAIN] = version


def _read_tensor(content: bytes, message: _Message, found: OnnxScan) -> None:
    name, location, is_external = "", "", False
    for item in _fields(content, message):
        if item.integer is not None:
            # An enum has 32 bits, and readers disagree on which of several values counts.
            if item.number == _TENSOR_DATA_LOCATION and item.integer & 0xFFFFFFFF == _EXTERNAL:
                is_external = True
        elif item.number == _TENSOR_NAME:
            name = _text(content, item)
        elif item.number == _TENSOR_EXTERNAL_DATA:
            entry = _Message("entry", item.start, item.end, message.depth + 1)
            location = _entry_location(content, entry) or location
    if is_external:
        found.external.append(ExternalTensor(name=name, location=location))


def _entry_location(content: bytes, message: _Message) -> str:
    """Returns the value of an entry of ``external_data`` with the key ``location``, or ''."""
    texts = {
        item.number: _text(content, item)
        for item in _fields(content, message)
        if item.integer is None
    }
    return texts.get(_ENTRY_VALUE, "") if texts.get(_ENTRY_KEY) == "location" else ""


def _fields(content: bytes, message: _Message) -> Iterator[_Field]:
    """Yields the fields of a message in the order of the file.

    Raises:
        CutShortError: The message is the whole file, and its last field ends beyond it.
        NotProtobufError: A field is not valid.
    """
    at, end = message.start, message.end
    while at < end:
        tag, at = _varint(content, at, message)
        number, wire = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise NotProtobufError(f"field number {number} is not valid")
        integer, start = None, at
        if wire == _VARINT:
            integer, at = _varint(content, at, message)
        elif wire == _LENGTH:
            length, start = _varint(content, at, message)
            at = start + length
        elif wire in (_FIXED64, _FIXED32):
            at = start + (8 if wire == _FIXED64 else 4)
        else:
            raise NotProtobufError(f"field {number} has wire type {wire}, which is not in use")
        if at > end:
            raise _overrun(message, f"the file ends {at - end} bytes too early")
        yield _Field(number, integer, start, at)


def _varint(content: bytes, at: int, message: _Message) -> tuple[int, int]:
    """Returns an integer of variable length, and the position after it."""
    value = 0
    for k in range(_MAX_VARINT_BYTES):
        if at + k >= message.end:
            raise _overrun(message, "the file ends within a number")
        byte = content[at + k]
        value |= (byte & 0x7F) << 7 * k
        if byte < 0x80:
            return value & (1 << 64) - 1, at + k + 1
    raise NotProtobufError(f"an integer has more than {_MAX_VARINT_BYTES} bytes")


def _overrun(message: _Message, reason: str) -> NotProtobufError:
    if message.kind == "model":
        return CutShortError(reason)
    return NotProtobufError(f"a field of a {message.kind} is longer than the {message.kind}")


def _text(content: bytes, item: _Field) -> str:
    return content[item.start : item.end].decode(errors="replace")
