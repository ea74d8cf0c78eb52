"""`python -m chexone_ray` is the `chexone` command."""

import sys

from chexone_ray.cli import main

if __name__ == "__main__":
    sys.exit(main())
