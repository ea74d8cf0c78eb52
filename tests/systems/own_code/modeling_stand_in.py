"""The tiny LLaVA under a name that only the checkpoint's own code knows."""

from transformers import LlavaConfig, LlavaForConditionalGeneration


class StandInConfig(LlavaConfig):
    """Nothing new."""

    model_type = "stand_in"


class StandInModel(LlavaForConditionalGeneration):
    """Nothing new."""

    config_class = StandInConfig
