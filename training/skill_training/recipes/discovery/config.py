"""Configuration of skill discovery: an algorithm in a world."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.gymnasium_env.config import GymnasiumConfig
from skill_robots.worlds.mujoco_world import BodyConfig, find_body
from skill_robots.worlds.registry import TABLETOP, WorldConfig, default_config, world_name
from skill_robots.worlds.varied.world import VariedConfig, find_varied
from skill_training.algorithms.baselines.cic import CicConfig
from skill_training.algorithms.baselines.csd import CsdConfig
from skill_training.algorithms.baselines.dads import DadsConfig
from skill_training.algorithms.baselines.diayn import DiaynConfig
from skill_training.algorithms.baselines.lsd import LsdConfig
from skill_training.algorithms.baselines.misl import MislConfig
from skill_training.algorithms.csf import CsfConfig
from skill_training.algorithms.metra import MetraConfig
from skill_training.config import PositiveInt, RunSettings, Share, TrainConfig
from skill_training.errors import ConfigError
from skill_training.nets.representation import PIXELS, RepresentationConfig
from skill_training.recipes.checks import check_replay, check_tabletop
from skill_training.recipes.discovery.published import Normalization

SkillAlgorithmConfig = (
    CsfConfig
    | MetraConfig
    | MislConfig
    | LsdConfig
    | CsdConfig
    | DiaynConfig
    | DadsConfig
    | CicConfig
)

ALGORITHMS: dict[str, type[SkillAlgorithmConfig]] = {
    kind.name: kind
    for kind in (
        CsfConfig,
        MetraConfig,
        MislConfig,
        LsdConfig,
        CsdConfig,
        DiaynConfig,
        DadsConfig,
        CicConfig,
    )
}
"""Settings of each algorithm by its name: CSF, METRA, CSF's ablations, and the baselines."""

TRAINING_TASK = TabletopConfig(
    stiffness_scale=(0.85, 1.15), latency_s=(0.0, 0.02), sensor_noise=1.0, start="mixed"
)
"""Domain randomisation of training: motor stiffness, latency, sensor noise and starts."""

WHOLE_STATE = RepresentationConfig(inputs=("*",), input_scale="step", form="linear")
"""Phi of the whole observation: the papers' setting, with a linear map. Its inputs are divided by
their typical step: in Ant a step of x is less than a tenth of the size of x, and one of a joint's
velocity as large as the velocity, so that x would hardly count if divided by its size."""

FAST_RATE = 1e-3
"""Learning rate in worlds other than the tabletop."""

PIXEL_ALGORITHMS = ("csf", "metra")
"""Algorithms whose representation may see frames."""

ONE_HOT_SKILLS = 16
"""Number of one-hot skills: of METRA in HalfCheetah, and of DIAYN, whose skills are discrete."""

CIC_SIZE = 16
"""Dimensions of CIC's skills. They only label states, so that two would be few; its code has 64."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SkillRunSettings(RunSettings):
    """Run settings of skill discovery."""

    eval_skills: Annotated[int, Field(ge=2)] = 48
    """Number of skills in an evaluation. Each runs once; on the tabletop it runs four times in the
    final evaluation."""

    final_eval_goals: PositiveInt = 128
    """Number of goals in the final evaluation."""

    unusual_share: Share = 0.0
    """Share of each batch that is drawn from transitions with an unusually large change of the
    state, of which random actions produce 3 %. It brings rare contacts forward and names no
    entry."""

    normalization: Normalization = "measured"
    """Statistics of the observation by which networks normalise it, in worlds other than the
    tabletop: measured with random actions before training, or published with METRA (ant and
    half_cheetah). The latter also centre the inputs of the representation."""

    overlap: bool = False
    """Collect in a process of its own while the gradient steps are taken, on two processors. The
    policy that collects is then one round behind."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SkillConfig(TrainConfig):
    """All settings that determine a run of skill discovery."""

    algorithm: SkillAlgorithmConfig
    """The algorithm's own settings."""

    task: WorldConfig = TRAINING_TASK
    """The world, and the quantities that vary between its episodes."""

    run: SkillRunSettings = SkillRunSettings()
    """Length, seed, device and bookkeeping."""

    def __post_init__(self) -> None:
        """Refuses combinations that cannot work.

        Raises:
            ConfigError: the replay is smaller than one round of episodes, a range of the task is
                empty or holds impossible values, or its times do not fit the control period.
        """
        if isinstance(self.task, TabletopConfig):
            check_tabletop(self.task)
        if isinstance(self.task, BodyConfig | VariedConfig):
            find = find_body if isinstance(self.task, BodyConfig) else find_varied
            try:
                find(self.task.body)
            except WorldError as error:
                raise ConfigError(str(error)) from None
        if self.task.episode_steps is not None:
            check_replay(self.run, episode_steps=self.task.episode_steps)
        if self.run.overlap and isinstance(self.task, GymnasiumConfig) and self.task.processes:
            raise ConfigError("--overlap and --task.processes exclude each other; leave one out")
        if self.algorithm.skills == "one_hot" and self.algorithm.representation.size < 2:
            raise ConfigError(
                f"--{self.algorithm_name}.skills one_hot needs --{self.algorithm_name}."
                "representation.size 2 or more: the size is the number of skills"
            )
        self._check_inputs()

    def _check_inputs(self) -> None:
        """Refuses inputs of the representation, or options that frames do not have.

        Raises:
            ConfigError: there are no inputs, frames are not the only ones, or an option is given
                that needs the observation, or another process.
        """
        flag = f"--{self.algorithm_name}.representation.inputs"
        inputs = self.algorithm.representation.inputs
        if not inputs:
            raise ConfigError(f"{flag} has no value; give entries of the observation, or pixels")
        if PIXELS not in inputs:
            return
        flag = f"{flag} {PIXELS}"
        if not self.algorithm.representation.sees_pixels:
            raise ConfigError(
                f"{flag} takes no other input beside it, got {' '.join(inputs)}; give pixels, or "
                "entries of the observation"
            )
        if self.algorithm_name not in PIXEL_ALGORITHMS:
            names = ", ".join(PIXEL_ALGORITHMS)
            raise ConfigError(f"{flag}: only {names} learn from frames")
        for option, given in (
            ("--overlap", self.run.overlap),
            ("--unusual-share", self.run.unusual_share > 0.0),
        ):
            if given:
                raise ConfigError(f"{flag} and {option} exclude each other; leave one out")

    @property
    def world(self) -> str:
        """Name of the world."""
        return world_name(self.task)


def default_skill_config(algorithm: str, world: str = TABLETOP) -> SkillConfig:
    """Returns the configuration of ``skill-train ALGORITHM --world WORLD`` without other flags."""
    settings = ALGORITHMS[algorithm]()
    if world != TABLETOP:
        settings = replace(settings, representation=WHOLE_STATE, learning_rate=FAST_RATE)
    phi = settings.representation
    if algorithm == "diayn" or (algorithm, world) == ("metra", "half_cheetah"):
        form = "mlp" if algorithm == "diayn" else phi.form
        phi = replace(phi, size=ONE_HOT_SKILLS, form=form)
        settings = replace(settings, skills="one_hot", representation=phi)
    if algorithm == "cic":
        phi = replace(phi, size=CIC_SIZE, form="mlp")
        settings = replace(settings, representation=phi)
    if world == TABLETOP:
        return SkillConfig(algorithm=settings)
    return SkillConfig(algorithm=settings, task=default_config(world))
