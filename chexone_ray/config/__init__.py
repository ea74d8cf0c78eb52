"""One frozen tree of settings a stage: defaults, then TOML files left to right, then dotted flags.

Imports neither torch nor Ray. Unknown keys are refused; nothing is read from the environment.
"""

from chexone_ray.config.evaluation import (
    EvaluateConfig,
    SettingData,
    SuiteModel,
    SuitePredict,
)
from chexone_ray.config.exchange import (
    ResultsImportConfig,
    RexrankExportConfig,
    RexrankImportConfig,
    RexrankValidateConfig,
    RexvqaExportConfig,
)
from chexone_ray.config.learned import LearnedConfig
from chexone_ray.config.predicting import ModelAdapter, PredictConfig
from chexone_ray.config.probing import ProbeConfig
from chexone_ray.config.stages import (
    STAGES,
    Adapter,
    DemoConfig,
    FiguresConfig,
    FilterConfig,
    GrpoConfig,
    PrepareConfig,
    ServeConfig,
    SftConfig,
    SourceConfig,
    TinyModelConfig,
    Uncertain,
)
from chexone_ray.config.tables import (
    EngineConfig,
    ImageConfig,
    OptimConfig,
    PromptConfig,
    RadcliqModels,
    RayConfig,
    RewardConfig,
    SamplingConfig,
    Settings,
    Stage,
    TrainerConfig,
)
from chexone_ray.config.tracing import EndpointConfig, TraceConfig, TraceFilters

__all__ = [
    "STAGES",
    "Adapter",
    "DemoConfig",
    "EndpointConfig",
    "EngineConfig",
    "EvaluateConfig",
    "FiguresConfig",
    "FilterConfig",
    "GrpoConfig",
    "ImageConfig",
    "LearnedConfig",
    "ModelAdapter",
    "OptimConfig",
    "PredictConfig",
    "PrepareConfig",
    "ProbeConfig",
    "PromptConfig",
    "RadcliqModels",
    "RayConfig",
    "ResultsImportConfig",
    "RewardConfig",
    "RexrankExportConfig",
    "RexrankImportConfig",
    "RexrankValidateConfig",
    "RexvqaExportConfig",
    "SamplingConfig",
    "ServeConfig",
    "SettingData",
    "Settings",
    "SftConfig",
    "SourceConfig",
    "Stage",
    "SuiteModel",
    "SuitePredict",
    "TinyModelConfig",
    "TraceConfig",
    "TraceFilters",
    "TrainerConfig",
    "Uncertain",
]
