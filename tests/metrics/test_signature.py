"""Signatures: settings in order, booleans in words, the version last."""

from chexone_ray import __version__
from chexone_ray.metrics.signature import signature


def test_settings_stand_in_the_order_given_and_the_version_last() -> None:
    assert signature("ROUGE-L", beta=1.2, stem=True, tok="words") == (
        f"ROUGE-L|beta:1.2|stem:yes|tok:words|v:{__version__}"
    )
