"""Children for the tests of the processes."""

from __future__ import annotations

from tests.runtime.processes.programs import write_module as write_module
