"""Text from the wire, safe to print."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skill_proto.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ok\nskill-serve: cleared", "ok\\nskill-serve: cleared"),
        ("\r\t\b\x00\x07\x1b[2J\x7f", "\\r\\t\\x08\\x00\\x07\\x1b[2J\\x7f"),
        ("\x80\x85\x9b\x9f", "\\x80\\x85\\x9b\\x9f"),
        ("\u202a\u202e\u2066\u2069", "\\u202a\\u202e\\u2066\\u2069"),
        ("\u200e\u200f\u061c", "\\u200e\\u200f\\u061c"),
        ("\u2028\u2029\ufeff", "\\u2028\\u2029\\ufeff"),
        ("half \ud83d of \ude00", "half \\ud83d of \\ude00"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_unsafe_characters_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    "text",
    ["", "plain", "J\u00f6rg", "\u5b57", "\u0645\u062d\u0645\u062f", "\U0001f600", "a\u00a0b"],
)
def test_ordinary_text_stays(text: str) -> None:
    assert printable(text) == text


@given(st.text(st.characters(codec=None)))
def test_any_text_becomes_one_line_that_can_be_encoded(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs", "Zl", "Zp"}
    shown.encode()
    assert printable(shown) == shown
