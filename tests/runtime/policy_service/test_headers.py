"""Headers that were valid before are recognised by all bytes but their numbers."""

from __future__ import annotations

import json

import pytest

from skill_proto.messages import SERVICE_REQUEST, Act
from skill_runtime.policy_service import headers
from skill_runtime.policy_service.headers import KnownHeader, KnownHeaders

FIELDS = {"v": 1, "type": "act", "session": "robot 12", "arrays": []}


def header(compact: bool = True, **fields: object) -> bytes:
    separators = (",", ":") if compact else None
    return json.dumps(FIELDS | fields, separators=separators).encode()


def known(text: bytes) -> KnownHeader[str]:
    message = SERVICE_REQUEST.validate_json(text, strict=True)
    assert isinstance(message, Act)
    return KnownHeader(message, "model", 1, ())


def remembering(text: bytes) -> KnownHeaders[str]:
    found = KnownHeaders[str]()
    found.add(text, known(text))
    return found


@pytest.mark.parametrize("compact", [True, False])
def test_another_id_and_deadline_are_read_without_a_parser(compact: bool) -> None:
    memory = remembering(header(compact, id=7, deadline=3.5))
    result = memory.find(header(compact, id=12345, deadline=1952.000001))
    assert result is not None
    assert (result[0].message.session, result[1], result[2]) == ("robot 12", 12345, 1952.000001)
    without = memory.find(header(compact, id=8))
    assert without is not None
    assert without[1:] == (8, None)


def test_the_numbers_may_stand_before_the_other_fields() -> None:
    fields = {"id": 1, **FIELDS}
    memory = remembering(json.dumps(fields).encode())
    result = memory.find(json.dumps(fields | {"id": 2}).encode())
    assert result is not None
    assert result[1] == 2


@pytest.mark.parametrize(
    "other",
    [
        header(id=1, session="robot 13"),
        header(id=1, episode=0),
        header(id=1)[:-1] + b',"x":1}',
        header(id=1).replace(b'"id":1', b'"id":01'),
        header(id=1).replace(b'"id":1', b'"id":1.0'),
        header(id=1).replace(b'"id":1', b'"id":-1'),
        header(id=1).replace(b'"id":1', b'"id":true'),
        header(id=1).replace(b'"id":1', b'"id":9999999999999999'),
        header(id=1).replace(b'"id":1', b'"id":1,"id":2'),
        header(id=1, deadline=1).replace(b"1,", b"1e400,", 1),
        header(),
    ],
)
def test_anything_else_needs_the_parser(other: bytes) -> None:
    assert remembering(header(id=1)).find(other) is None


def test_an_id_inside_of_a_text_is_no_id() -> None:
    tricky = header(id=1, session='a "id":5 b')
    result = remembering(tricky).find(header(id=2, session='a "id":5 b'))
    assert result is not None
    assert result[1] == 2
    assert remembering(tricky).find(header(id=1, session='a "id":6 b')) is None


def test_a_deadline_apart_from_the_id_is_not_remembered() -> None:
    apart = header(deadline=3.5, id=7)
    assert remembering(apart).find(apart) is None


def test_the_oldest_header_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "MAX_KNOWN", 2)
    memory = KnownHeaders[str]()
    texts = [header(id=1, session=f"s{number}") for number in range(3)]
    for text in texts:
        memory.add(text, known(text))
    assert [memory.find(text) is not None for text in texts] == [False, True, True]
