"""The whole chain on one machine: `chexone demo` or `make demo`."""

from chexone_ray.demo.runner import run

__all__ = ["run"]
