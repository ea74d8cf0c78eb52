"""The Ray Serve application builder: `serve run --working-dir . serve/serve_config.yaml`."""

# Annotations stay real here: Serve checks `args:` against the parameter's class only where it is
# one, not its name.
from typing import TYPE_CHECKING

from chexone_ray.config import ServeConfig

if TYPE_CHECKING:
    from ray.serve import Application


def build(args: ServeConfig) -> "Application":
    """Build from the `args:` of the config file."""
    from chexone_ray.serving.openai import build as build_application

    return build_application(args)
