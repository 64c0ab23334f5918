"""An environment whose results are checked at every call, and whose errors name it.

An environment is code of a user. Without these checks a wrong shape ends deep inside of
Gymnasium's vector environments, and a NaN appears much later as a training that diverged.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium.spaces import Box

from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.gymnasium_env.spaces import OBSERVATION, boxes_of

logger = logging.getLogger(__name__)

CHECK_ENV = (
    "gymnasium.utils.env_checker.check_env(environment, skip_render_check=True) tells what an "
    "environment lacks"
)

MakeEnvironment = Callable[[], "gymnasium.Env[Any, Any]"]

_Result = tuple[Any, float, bool, bool, dict[str, Any]]


def make_checked(name: str, make: MakeEnvironment, hidden: tuple[str, ...]) -> CheckedEnvironment:
    """Returns a new environment with checks.

    Raises:
        WorldError: it cannot be made, or is no environment with spaces.
    """
    with failures_named(name, "cannot be made"):
        made = make()
    if not isinstance(made, gymnasium.Env):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise WorldError(
            f"{name!r} made a {type(made).__name__}, not a gymnasium.Env; see docs/worlds.md"
        )
    for space in ("observation_space", "action_space"):
        if getattr(made, space, None) is None:
            raise WorldError(f"the environment {name!r} has no {space}; {CHECK_ENV}")
    return CheckedEnvironment(made, name, hidden)


@contextmanager
def failures_named(name: str, doing: str) -> Generator[None]:
    """Turns whatever an environment raises inside the block into an error that names it.

    Args:
        name: Name of the environment.
        doing: End of the message, as in 'cannot be made'.

    Raises:
        WorldError: the block raised an error, or would have ended the process.
    """
    try:
        yield
    except WorldError:
        raise
    except SystemExit as error:
        raise WorldError(
            f"the environment {name!r} {doing}: it ends the process (SystemExit({error.code!r})); "
            "let it raise an error instead"
        ) from error
    except Exception as error:
        place = _place(error)
        where = f" ({place})" if place else f"; {CHECK_ENV}"
        text = str(error) or "no message"
        raise WorldError(
            f"the environment {name!r} {doing}: {type(error).__name__}: {text}{where}"
        ) from error


class CheckedEnvironment(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment that returns finite numbers of the right shape, or raises an error.

    Args:
        env: The environment.
        name: Its name in messages.
        hidden: Names of the hidden quantities, which the ``info`` of a reset has to give.

    The ``info`` of a reset holds the hidden quantities alone, as floats, and that of a step holds
    nothing: nobody reads the rest, and Gymnasium gives all scenes the type of the first one.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], name: str, hidden: tuple[str, ...]) -> None:
        super().__init__(env)
        self._name = name
        self._hidden = hidden
        self._boxes = boxes_of(name, env.observation_space)
        self._is_dict = not isinstance(env.observation_space, Box)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Starts an episode.

        Raises:
            WorldError: the environment fails, or its result is not usable.
        """
        with failures_named(self._name, "fails in its reset"):
            result = cast("object", self.env.reset(seed=seed, options=options))
            if not isinstance(result, tuple) or len(cast("tuple[object, ...]", result)) != 2:
                raise self._wrong("reset", "two values, observation and info", result)
            observation, info = cast("tuple[object, object]", result)
            return self._checked(observation, "reset"), self._quantities(info)

    def step(self, action: object) -> _Result:
        """Runs one control step.

        Raises:
            WorldError: the environment fails, or its result is not usable.
        """
        with failures_named(self._name, "fails in its step"):
            result = cast("object", self.env.step(action))
            if not isinstance(result, tuple) or len(cast("tuple[object, ...]", result)) != 5:
                expected = "five values, observation, reward, terminated, truncated and info"
                raise self._wrong("step", expected, result)
            observation, reward, terminated, truncated, _ = cast("tuple[Any, ...]", result)
            return (
                self._checked(observation, "step"),
                self._number(reward, "the reward of its step"),
                self._flag(terminated, "terminated"),
                self._flag(truncated, "truncated"),
                {},
            )

    def close(self) -> None:
        """Closes the environment. A failure is a warning: the episodes are there by then."""
        try:
            with failures_named(self._name, "fails in its close"):
                self.env.close()
        except WorldError as error:
            logger.warning("%s", error)

    def _checked(self, observation: object, call: str) -> Any:  # noqa: ANN401  as Gymnasium's
        if not self._is_dict:
            return self._array(observation, OBSERVATION, call)
        if not isinstance(observation, Mapping):
            raise self._wrong(call, "a dict as observation", observation)
        found = cast("Mapping[str, object]", observation)
        missing = [key for key in self._boxes if key not in found]
        if missing:
            raise WorldError(
                f"the environment {self._name!r} gives no {missing[0]!r} in the observation of its "
                f"{call}, which its observation space has; {CHECK_ENV}"
            )
        return {key: self._array(found[key], key, call) for key in self._boxes}

    def _array(self, value: object, key: str, call: str) -> np.ndarray[Any, Any]:
        box = self._boxes[key]
        array = np.asarray(value, dtype=box.dtype)
        if array.shape != box.shape:
            raise WorldError(
                f"the environment {self._name!r} gives {key!r} the shape {array.shape} in its "
                f"{call}; its observation space says {box.shape}"
            )
        if not np.isfinite(array).all():
            place = int(np.argmin(np.isfinite(array.ravel())))
            raise WorldError(
                f"the environment {self._name!r} gives {key}.{place} the value "
                f"{array.ravel()[place]} in its {call}; observations must be finite"
            )
        return array

    def _quantities(self, info: object) -> dict[str, Any]:
        if not self._hidden:
            return {}
        found = cast("Mapping[str, object]", info) if isinstance(info, Mapping) else {}
        for name in self._hidden:
            if name not in found:
                raise WorldError(
                    f"the environment {self._name!r} reports no {name!r} in the info of its reset, "
                    f"only {', '.join(map(str, found)) or 'nothing'}; correct --task.hidden"
                )
        return {name: self._number(found[name], f"info[{name!r}]") for name in self._hidden}

    def _number(self, value: object, what: str) -> float:
        try:
            number = float(np.asarray(value, dtype=np.float64).reshape(()))
        except (TypeError, ValueError):
            raise WorldError(
                f"the environment {self._name!r} gives {what} the value {value!r}; this takes one "
                "number"
            ) from None
        if not np.isfinite(number):
            raise WorldError(
                f"the environment {self._name!r} gives {what} the value {number}; it must be finite"
            )
        return number

    def _flag(self, value: object, name: str) -> bool:
        array = np.asarray(value)
        if array.size != 1 or array.dtype.kind not in "biu":
            raise WorldError(
                f"the environment {self._name!r} gives {name} the value {value!r}; this takes True "
                "or False"
            )
        return bool(array.reshape(()))

    def _wrong(self, call: str, expected: str, result: object) -> WorldError:
        count = len(cast("tuple[object, ...]", result)) if isinstance(result, tuple) else None
        got = f"a {type(result).__name__}" if count is None else f"{count} values"
        return WorldError(
            f"the environment {self._name!r} returns {got} from its {call}; this takes {expected}. "
            f"{CHECK_ENV}"
        )


def _place(error: BaseException) -> str:
    """Returns file and line in which a user's code raised an error; '' if it was not there."""
    frames = traceback.extract_tb(error.__traceback__)
    own = Path(__file__).parent
    users = [
        frame
        for frame in frames
        if own not in Path(frame.filename).parents and "gymnasium" not in Path(frame.filename).parts
    ]
    return f"{Path(users[-1].filename).name}, line {users[-1].lineno}" if users else ""
