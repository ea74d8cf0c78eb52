"""The signature printed with every figure: what the number depends on, in one line.

After sacrebleu (Post 2018, "A call for clarity in reporting BLEU scores"): figures with the same
signature were computed alike, those with different ones are not to be compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from chexone_ray import __version__


def signature(name: str, **settings: str | int | float | bool) -> str:
    """`name|key:value|...|v:VERSION`; the settings in the order given, yes and no for booleans.

    >>> signature("BLEU-4", level="corpus", tok="ptb", smooth="none").rpartition("|")[0]
    'BLEU-4|level:corpus|tok:ptb|smooth:none'
    """
    parts = [name]
    for key, value in settings.items():
        shown = ("yes" if value else "no") if isinstance(value, bool) else value
        parts.append(f"{key}:{shown}")
    return "|".join([*parts, f"v:{__version__}"])


def extended(signed: str, settings: Mapping[str, str]) -> str:
    """A signature with more settings before its version.

    >>> extended("BLEU-4|tok:ptb|v:1", {"parse": "strict"})
    'BLEU-4|tok:ptb|parse:strict|v:1'
    """
    told, bar, version = signed.rpartition("|v:")
    return "".join([told, *(f"|{key}:{value}" for key, value in settings.items()), bar, version])


def rules_of(sources: Iterable[Path], *others: str) -> str:
    """Such as "rules 0123abcd": a digest of files of rules, as another rule makes other numbers;
    `others` are such names of rules that these build on."""
    text = b"".join(path.read_bytes() for path in sources) + "".join(others).encode()
    return f"rules {hashlib.sha256(text).hexdigest()[:8]}"
