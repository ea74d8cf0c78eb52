"""Does a text say that something is normal? Naming no finding ("x", "ask a radiologist") is no such
statement, so "no finding" is worth something only where this rule holds. Pure and deterministic.
"""

from __future__ import annotations

NORMAL = "no finding"
DEVICES = "support devices"
RULE = "where normality is stated"
"""When "no finding" counts, as signatures say it."""


def states_normal(told: str) -> bool:
    """True where a finding is denied, a sign or the heart is normal, or the whole film is.

    `told` is without questions and what is only looked for (`factuality.stated_text`). That a
    device is not there makes no film normal.
    """
    # Imported here: the labeller compiles a few hundred patterns.
    from chexone_ray.metrics.denials import denials
    from chexone_ray.metrics.labeller import ABSENT, heart_size, phrases

    denied = any(phrase.state == ABSENT and phrase.label != DEVICES for phrase in phrases(told))
    return denied or heart_size(told) == "normal" or denials(told)("pneumonia")
