"""One frozen tree of settings a stage: defaults, then TOML files left to right, then dotted flags.

Imports neither torch nor Ray. Unknown keys are refused; nothing is read from the environment.
"""

from chexone_ray.config.stages import (
    STAGES,
    Adapter,
    DemoConfig,
    EvaluateConfig,
    FilterConfig,
    GrpoConfig,
    PredictConfig,
    PrepareConfig,
    ServeConfig,
    SftConfig,
    SourceConfig,
    Stage,
    TinyModelConfig,
    Uncertain,
)
from chexone_ray.config.tables import (
    EngineConfig,
    ImageConfig,
    OptimConfig,
    PromptConfig,
    RayConfig,
    RewardConfig,
    SamplingConfig,
    Settings,
    TrainerConfig,
)

__all__ = [
    "STAGES",
    "Adapter",
    "DemoConfig",
    "EngineConfig",
    "EvaluateConfig",
    "FilterConfig",
    "GrpoConfig",
    "ImageConfig",
    "OptimConfig",
    "PredictConfig",
    "PrepareConfig",
    "PromptConfig",
    "RayConfig",
    "RewardConfig",
    "SamplingConfig",
    "ServeConfig",
    "Settings",
    "SftConfig",
    "SourceConfig",
    "Stage",
    "TinyModelConfig",
    "TrainerConfig",
    "Uncertain",
]
