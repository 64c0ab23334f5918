"""The commands of the how-to pages, run page by page with real programs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.docs.how_to.guide import Guide
from tests.docs.how_to.pages import how_to_pages

LIMIT_S = 1200
"""A page has up to thirty programs, and the machine may be busy."""

pytestmark = [pytest.mark.real_time, pytest.mark.timeout(LIMIT_S)]


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guide]:
    guide = Guide(tmp_path_factory.mktemp("how-to"))
    yield guide
    guide.close()


@pytest.mark.parametrize("page", how_to_pages())
def test_the_commands_of_a_page_do_what_it_says(guide: Guide, page: str) -> None:
    guide.follow(page)
