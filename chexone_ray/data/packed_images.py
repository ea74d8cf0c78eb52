"""Where the images of a source lie in its archives (`packed`), found once on the driver.

An image is looked for by the end of its path. That end has to be at least so long that it tells
the images of the source apart: the bare name for NIH's `00000001_000.png`, patient and study too
for CheXpert's `view1_frontal.jpg`. So no film takes the place of another that is missing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from chexone_ray import packed, storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.ask import AMBIGUOUS, MISSING, REPLACED
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.errors import ChexoneError
from chexone_ray.records import ImageRef

_SUFFIXES = (*REPLACED, ".img")  # JSRT's raw films
Parts = tuple[str, ...]


def locate(source: SourceConfig, studies: list[PendingStudy]) -> list[PendingStudy]:
    """The same studies, their images in the archives of the source; as they are without archives.

    An image that no archive has, or of which several could be meant, is lost with that reason. One
    that a table places outside of the source's folders stays there. Raises ChexoneError where an
    archive cannot be read or holds no file.
    """
    if not source.packed:
        return studies
    members = {place: path for name in source.packed for place, path in _members(source, name)}
    roots = [f"{storage.join(uri).rstrip('/')}/" for uri in (source.images_uri, source.uri) if uri]
    uris = dict.fromkeys(image.uri for item in studies for image in item.study.images)
    names = {uri: name for uri in uris if (name := _under(uri, roots))}
    found = match(names.values(), members)
    places = {uri: found[name] for uri, name in names.items()}
    return [_placed(item, places) for item in studies]


def archive_uri(source: SourceConfig, name: str) -> str:
    """The URI of an archive: a name under the source's root, or a URI or full path as it is."""
    return name if "://" in name or name.startswith("/") else storage.join(source.uri, name)


def match(names: Iterable[str], members: Mapping[str, str]) -> dict[str, str]:
    """Path of an image -> where it is, `MISSING` or `AMBIGUOUS`. `members`: place -> path.

    Of the members that end as the image does, the one with the longest common end; suffixes of
    images count as equal, and the same suffix decides between them. A member that several images
    lead to is none of theirs.
    """
    wanted = {name: _parts(name) for name in names}
    depth = _telling(wanted.values())
    lengths = {min(len(parts), depth) for parts in wanted.values()}
    by_end: dict[Parts, list[tuple[Parts, str]]] = defaultdict(list)
    for place, path in members.items():
        parts = _parts(path)
        for length in lengths:
            if len(parts) >= length:
                by_end[parts[-length:]].append((parts, place))
    found = {}
    for name, parts in wanted.items():
        places = _best(name, parts, by_end.get(parts[-depth:], ()))
        found[name] = places[0] if len(places) == 1 else AMBIGUOUS if places else MISSING
    claims = Counter(found.values())
    return {
        name: place if place == MISSING or claims[place] == 1 else AMBIGUOUS
        for name, place in found.items()
    }


def _best(name: str, parts: Parts, candidates: Iterable[tuple[Parts, str]]) -> list[str]:
    """The places that share the longest end with an image, of these those of its own suffix."""
    by_length: dict[int, list[str]] = defaultdict(list)
    for other, place in candidates:
        pairs = zip(reversed(parts), reversed(other), strict=False)
        shared = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(parts), len(other)))
        by_length[shared].append(place)
    places = by_length[max(by_length)] if by_length else []
    same = [place for place in places if PurePosixPath(place).suffix == PurePosixPath(name).suffix]
    return same or places


def _telling(wanted: Iterable[Parts]) -> int:
    """How many parts at the end of a path tell all of them apart; all parts where none do."""
    paths = list(wanted)
    longest = max(map(len, paths), default=1)
    for length in range(1, longest):
        if len({parts[-length:] for parts in paths}) == len(paths):
            return length
    return longest


def _parts(path: str) -> Parts:
    """Folders and name, without the suffix of an image."""
    *folders, name = path.split("/")
    suffix = PurePosixPath(name).suffix
    return (*folders, name.removesuffix(suffix) if suffix.lower() in _SUFFIXES else name)


def _members(source: SourceConfig, name: str) -> list[tuple[str, str]]:
    """URI and path of the files in an archive, as if it were unpacked into a folder of its name."""
    uri = archive_uri(source, name)
    paths = storage.list_members(uri)
    if not paths:
        raise ChexoneError(f"{uri} holds no file: take it out of packed")
    folder = PurePosixPath(uri.rpartition("/")[2]).stem
    return [(f"{uri}{packed.MARK}{path}", f"{folder}/{path}") for path in paths]


def _under(uri: str, roots: Iterable[str]) -> str:
    """The path of `uri` under the first of `roots` that holds it, or empty."""
    return next((uri.removeprefix(root) for root in roots if uri.startswith(root)), "")


def _placed(item: PendingStudy, places: Mapping[str, str]) -> PendingStudy:
    images: list[ImageRef] = []
    lost: dict[int, str] = {}
    for number, image in enumerate(item.study.images):
        place = places.get(image.uri, image.uri)
        if place in (MISSING, AMBIGUOUS):
            lost[number] = place
        images.append(image if number in lost else replace(image, uri=place))
    return replace(item, study=replace(item.study, images=tuple(images)), lost=lost)
