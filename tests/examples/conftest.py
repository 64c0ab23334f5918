"""Fixtures of the tests of the examples: a server and a client of it."""

from tests.support.server_fixtures import client as client
from tests.support.server_fixtures import serve as serve
from tests.support.server_fixtures import served as served
