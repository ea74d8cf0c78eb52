"""Figures from result files, as a Ray job; it needs no Ray itself.

ray job submit --working-dir . -- python jobs/draw_figures.py --config jobs/configs/figures.toml
"""

import sys

from chexone_ray import cli
from chexone_ray.config import FiguresConfig


def main() -> int:
    config = cli.load("figures", FiguresConfig, sys.argv[1:])
    if config is None:
        return 0
    from chexone_ray.figures.draw import draw

    print(draw(config))
    return 0


if __name__ == "__main__":
    sys.exit(cli.guarded(main))
