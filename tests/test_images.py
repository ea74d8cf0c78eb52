"""PNG and JPEG decoding, the 28-pixel grid and PNG transport."""

from __future__ import annotations

import contextlib
import io
import struct
import time
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image as pillow

from chexone_ray.config import ImageConfig
from chexone_ray.errors import ChexoneError, ImageError
from chexone_ray.images import decode, fit_to_grid, from_png, size, to_png
from tests.memory import peak_mib, reset_peak

CONFIG = ImageConfig()
FULL_RANGE = CONFIG.model_copy(update={"no_window": "full_range"})
BICUBIC = pillow.Resampling.BICUBIC


def picture(height: int, width: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    """A smooth random picture: uint8 (H, W) or (H, W, C)."""
    draw = np.random.default_rng(seed)
    coarse = draw.integers(0, 256, (9, 8, channels), dtype=np.uint8)
    layers = [
        np.asarray(
            pillow.fromarray(coarse[..., c]).resize((width, height), pillow.Resampling.BICUBIC)
        )
        for c in range(channels)
    ]
    return layers[0] if channels == 1 else np.stack(layers, axis=2)


def encoded(array: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    pillow.fromarray(array).save(buffer, kind, **options)
    return buffer.getvalue()


def png_chunks(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG from raw chunks, for forms that Pillow does not write."""
    out = b"\x89PNG\r\n\x1a\n"
    for name, body in chunks:
        out += struct.pack(">I", len(body)) + name + body
        out += struct.pack(">I", zlib.crc32(name + body))
    return out


def png16(values: np.ndarray, colour_type: int) -> bytes:
    """A 16-bit PNG of any colour type, values uint16 (H, W) or (H, W, C)."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values.reshape(height, -1))
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return png_chunks((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))


def reason(data: bytes, config: ImageConfig = CONFIG) -> str:
    with pytest.raises(ImageError) as caught:
        decode(data, config)
    return caught.value.reason


# --- the grid ------------------------------------------------------------------------------------


def test_grid_equals_the_model_familys_own_resize() -> None:
    from qwen_vl_utils.vision_process import smart_resize

    draw = np.random.default_rng(0)
    limits = [(262_144, 3_136), (12_544, 3_136), (1_003_520, 200_704)]
    compared = 0
    for _ in range(4000):
        height, width = (int(v) for v in np.exp(draw.uniform(np.log(8), np.log(6000), 2)))
        for max_pixels, min_pixels in limits:
            try:
                ours = fit_to_grid(height, width, max_pixels, min_pixels)
            except ImageError:
                if max(height, width) <= 200 * min(height, width):
                    theirs = smart_resize(height, width, 28, min_pixels, max_pixels)
                    assert max(theirs) > 200 * min(theirs), "refused although it can be used"
                continue
            assert ours == smart_resize(height, width, 28, min_pixels, max_pixels)
            assert fit_to_grid(*ours, max_pixels, min_pixels) == ours
            compared += 1
    assert compared > 10_000


def test_grid_by_hand() -> None:
    assert fit_to_grid(112, 112, 12_544, 3_136) == (112, 112)
    assert fit_to_grid(3000, 2500, 262_144, 3_136) == (560, 448)
    assert fit_to_grid(30, 30, 262_144, 3_136) == (56, 56)


def test_grid_refuses_what_has_no_size() -> None:
    with pytest.raises(ImageError, match="aspect_ratio"):
        fit_to_grid(10, 2001, 262_144, 3_136)
    with pytest.raises(ImageError, match="aspect_ratio"):
        fit_to_grid(100, 20_000, 12_544, 3_136)
    with pytest.raises(ChexoneError, match="lower min_pixels"):
        fit_to_grid(100, 130, 12_544, 12_544)


# --- pixels --------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_png_pixels_equal_the_model_familys_own_pipeline(channels: int) -> None:
    from qwen_vl_utils.vision_process import fetch_image

    array = picture(700, 901, channels)
    ours = decode(encoded(array), CONFIG)
    theirs = fetch_image(
        {"image": pillow.fromarray(array), "max_pixels": 262_144, "min_pixels": 3_136}
    )
    np.testing.assert_array_equal(ours.pixels, np.asarray(theirs))
    assert ours.pixels.shape[0] % 28 == ours.pixels.shape[1] % 28 == 0


def test_a_picture_on_the_grid_is_left_alone() -> None:
    array = picture(112, 140, 3)
    np.testing.assert_array_equal(decode(encoded(array), CONFIG).pixels, array)


def test_geometry_of_a_decoded_image() -> None:
    image = decode(encoded(picture(3000, 2500)), CONFIG)
    geometry = image.geometry
    assert (geometry.original_width, geometry.original_height) == (2500, 3000)
    assert (geometry.resized_height, geometry.resized_width) == image.pixels.shape[:2] == (560, 448)


def test_16_bit_grey_is_rescaled_not_clipped() -> None:
    ramp = np.arange(65_536, dtype=np.uint32).reshape(256, 256)[:252, :252].astype(np.uint16)
    ramp[-1, -1] = 65_535
    shown = decode(png16(ramp, 0), FULL_RANGE).pixels[..., 0]
    np.testing.assert_array_equal(shown, np.rint(ramp / 257).astype(np.uint8))
    assert len(np.unique(shown)) == 253


def test_12_bits_in_16_use_the_whole_range() -> None:
    values = (picture(112, 112).astype(np.uint16) * 16) | 15
    values[0, 0] = 4095
    image = decode(png16(values, 0), FULL_RANGE)
    np.testing.assert_array_equal(
        image.pixels[..., 1], np.rint(values / 4095 * 255).astype(np.uint8)
    )
    assert (image.provenance["bits"], image.provenance["voi"]) == (12, "full_range")


def test_a_burned_in_marker_does_not_darken_a_16_bit_film() -> None:
    """A ramp of 12,544 values from 0 to 4095; 0.5 % of 12,544 pixels are 62.7."""
    ramp = np.rint(np.linspace(0, 4095, 112 * 112)).astype(np.uint16).reshape(112, 112)
    marked = ramp.copy()
    marked[0, :40] = 65_535
    plain, shown = (decode(png16(values, 0), CONFIG) for values in (ramp, marked))
    assert (shown.provenance["bits"], shown.provenance["voi"]) == (16, "percentile")
    black, white = (float(np.sort(ramp, axis=None)[n]) for n in (62, 12_481))
    expected = np.rint(np.clip((ramp - black) / (white - black), 0, 1) * 255).astype(np.uint8)
    np.testing.assert_array_equal(plain.pixels[..., 0], expected)
    assert abs(float(shown.pixels.mean()) - float(plain.pixels.mean())) < 1.5
    dark = decode(png16(marked, 0), FULL_RANGE)
    assert dark.pixels.mean() < 10 < 120 < shown.pixels.mean()


@pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (6, 4), (4, 2)])
def test_16_bit_colour_keeps_the_high_byte(colour_type: int, channels: int) -> None:
    values = picture(112, 112, channels).astype(np.uint16) * 257
    if colour_type in (4, 6):
        values[..., -1] = 65_535
    shown = decode(png16(values, colour_type), CONFIG).pixels
    expected = (values >> 8).astype(np.uint8)
    expected = np.repeat(expected[..., :1], 3, axis=2) if channels == 2 else expected[..., :3]
    np.testing.assert_array_equal(shown, expected)


def test_palette_bilevel_and_transparency() -> None:
    grey = picture(112, 112)
    palette = pillow.fromarray(grey).convert("P")
    buffer = io.BytesIO()
    palette.save(buffer, "PNG")
    np.testing.assert_array_equal(decode(buffer.getvalue(), CONFIG).pixels[..., 2], grey)
    bilevel = decode(encoded(grey > 127), CONFIG).pixels
    assert set(np.unique(bilevel)) == {0, 255}
    clear = np.zeros((112, 112, 4), dtype=np.uint8)
    assert (decode(encoded(clear), CONFIG).pixels == 255).all()


def test_jpeg_grey_colour_progressive_cmyk() -> None:
    array = picture(112, 140, 3)
    for options in ({}, {"progressive": True}):
        shown = decode(encoded(array, "JPEG", quality=95, subsampling=0, **options), CONFIG).pixels
        assert np.abs(shown.astype(int) - array).mean() < 2
    grey = decode(encoded(array[..., 0], "JPEG", quality=95), CONFIG).pixels
    assert np.abs(grey[..., 1].astype(int) - array[..., 0]).mean() < 2
    buffer = io.BytesIO()
    pillow.fromarray(array).convert("CMYK").save(buffer, "JPEG", quality=95, subsampling=0)
    assert np.abs(decode(buffer.getvalue(), CONFIG).pixels.astype(int) - array).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation(orientation: int) -> None:
    from PIL import ImageOps

    # Sides that stay in their ratio, so the grid size is the same turned or not.
    array = picture(1400, 2240, 3)
    exif = pillow.Exif()
    exif[0x0112] = orientation
    data = encoded(array, "JPEG", quality=92, exif=exif)
    image = decode(data, CONFIG)
    upright = ImageOps.exif_transpose(pillow.open(io.BytesIO(data)))
    assert size(data) == upright.size
    assert (image.geometry.original_width, image.geometry.original_height) == upright.size
    height, width = image.pixels.shape[:2]
    expected = np.asarray(upright.resize((width, height), pillow.Resampling.BICUBIC))
    assert np.abs(image.pixels.astype(int) - expected).mean() < 1.5


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 2, "colour": 3}])
@pytest.mark.parametrize(("max_pixels", "decoded"), [(262_144, (1250, 1500)), (12_544, (313, 375))])
def test_large_jpeg_is_decoded_small_and_looks_the_same(
    options: dict[str, Any], max_pixels: int, decoded: tuple[int, int]
) -> None:
    draw = np.random.default_rng(0)
    array = picture(3000, 2500, options.get("colour", 1))
    array = np.clip(array + draw.integers(-9, 9, array.shape), 0, 255).astype(np.uint8)
    data = encoded(array, "JPEG", quality=90, **{k: v for k, v in options.items() if k != "colour"})
    image = decode(data, ImageConfig(max_pixels=max_pixels))
    assert (image.provenance["decoded"], image.provenance["full"]) == (decoded, (2500, 3000))
    assert (image.geometry.original_width, image.geometry.original_height) == (2500, 3000)
    height, width = image.pixels.shape[:2]
    full = pillow.open(io.BytesIO(data)).convert("RGB").resize((width, height), BICUBIC)
    difference = np.abs(image.pixels.astype(int) - np.asarray(full))
    assert difference.mean() < 1 and difference.max() < 8


def test_small_jpeg_is_decoded_in_full() -> None:
    image = decode(encoded(picture(700, 900), "JPEG"), CONFIG)
    assert image.provenance["decoded"] == image.provenance["full"] == (900, 700)


def test_rotated_jpeg_is_decoded_small() -> None:
    exif = pillow.Exif()
    exif[0x0112] = 6  # A quarter to the right: what was at the left is at the top.
    shade = np.linspace(0, 255, 2500).astype(np.uint8)[None].repeat(3000, axis=0)
    image = decode(encoded(shade, "JPEG", quality=95, exif=exif), CONFIG)
    assert image.provenance["decoded"] == (1250, 1500)
    assert (image.geometry.original_width, image.geometry.original_height) == (3000, 2500)
    grey = image.pixels[..., 0].astype(int)
    assert grey.shape == (448, 560)
    assert grey[0].max() < 3 and grey[-1].min() > 252 and np.ptp(grey, axis=1).max() < 3


def test_jpeg_of_several_pictures_shows_the_first() -> None:
    """Phones append a preview to their photographs of films."""
    first, second = (pillow.fromarray(picture(112, 140, 3, seed)) for seed in range(2))
    buffer = io.BytesIO()
    first.save(buffer, "MPO", save_all=True, append_images=[second], quality=95)
    assert np.abs(decode(buffer.getvalue(), CONFIG).pixels - np.asarray(first, int)).mean() < 3


def test_png_transport_is_lossless() -> None:
    for channels in (1, 3):
        array = picture(112, 140, channels)
        pixels = np.repeat(array[..., None], 3, axis=2) if channels == 1 else array
        data = to_png(pixels)
        np.testing.assert_array_equal(from_png(data), pixels)
        np.testing.assert_array_equal(
            np.asarray(pillow.open(io.BytesIO(data)).convert("RGB")), pixels
        )
        np.testing.assert_array_equal(decode(data, CONFIG).pixels, pixels)


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "empty"),
        (b"hello, this is no image at all, whatever it says it is", "not_an_image"),
        (b"%PDF-1.7\n...........................", "unsupported_format"),
        (b"GIF89a..............................", "unsupported_format"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
        (b"\xff\xd8\xff\xe0", "undecodable"),
        (b"\0" * 500, "not_an_image"),
    ],
)
def test_other_bytes_are_refused(data: bytes, expected: str) -> None:
    assert reason(data) == expected
    with pytest.raises(ImageError):
        size(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_truncated_files_are_refused(kind: str) -> None:
    data = encoded(picture(700, 900, 3), kind)
    for share in (0.3, 0.6, 0.95):
        assert reason(data[: int(len(data) * share)]) in ("truncated", "undecodable")


def test_decompression_bombs_are_refused_before_decoding() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    bomb = png_chunks((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    assert reason(bomb) == "too_large"
    jpeg = bytearray(encoded(picture(112, 112), "JPEG"))
    at = jpeg.find(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 65_500, 65_500)
    assert reason(bytes(jpeg)) == "too_large"
    small = ImageConfig(max_source_pixels=10_000)
    assert reason(encoded(picture(112, 112)), small) == "too_large"


def test_a_second_header_does_not_pass_the_limit() -> None:
    def header(width: int, height: int) -> tuple[bytes, bytes]:
        return b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)

    rows = b"".join(b"\0" + bytes(2000) for _ in range(2000))
    tail = (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    assert reason(png_chunks(header(100, 100), header(2000, 2000), *tail)) == "undecodable"
    assert decode(png_chunks(header(2000, 2000), *tail), CONFIG).pixels.max() == 0


def test_text_bombs_are_refused() -> None:
    body = encoded(picture(112, 112))
    for name, prefix in ((b"zTXt", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0"), (b"iCCP", b"a\0\0")):
        content = prefix + zlib.compress(bytes(300 << 20), 1)
        chunk = png_chunks((name, content))[8:]
        reset_peak()
        before = peak_mib()
        with contextlib.suppress(ImageError):
            decode(body[:33] + chunk + body[33:], CONFIG)
        assert peak_mib() - before < 64


def test_bombs_take_no_memory() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 16, 6, 0, 0, 0)
    png = png_chunks((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1 << 20))), (b"IEND", b""))
    jpeg = encoded(picture(112, 112, 3), "JPEG")
    at = jpeg.find(b"\xff\xc0")
    jpeg = jpeg[: at + 5] + struct.pack(">HH", 65_500, 65_500) + jpeg[at + 9 :]
    reset_peak()
    before = peak_mib()
    for bomb in (png, jpeg):
        assert reason(bomb) == "too_large"
    assert peak_mib() - before < 16


def test_too_few_bytes_for_the_size_are_refused_before_decoding() -> None:
    blank = np.zeros((112, 112), dtype=np.uint8)
    png, jpeg = encoded(blank), encoded(blank, "JPEG")
    header = struct.pack(">II", 6000, 6000) + png[24:29]
    png = png[:16] + header + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + png[33:]
    at = jpeg.find(b"\xff\xc0") + 5
    jpeg = jpeg[:at] + struct.pack(">HH", 6000, 6000) + jpeg[at + 4 :]
    reset_peak()
    before = peak_mib()
    assert reason(png) == reason(jpeg) == "truncated"
    assert peak_mib() - before < 16


@pytest.mark.parametrize("bits", [1, 8])
def test_the_emptiest_pictures_have_enough_bytes(bits: int) -> None:
    blank = np.zeros((4000, 4000), dtype=bool if bits == 1 else np.uint8)
    assert decode(encoded(blank, "PNG", compress_level=9), CONFIG).pixels.max() == 0
    if bits == 8:
        for options in ({}, {"optimize": True}, {"progressive": True}):
            assert decode(encoded(blank, "JPEG", **options), CONFIG).pixels.max() == 0


def test_a_jpeg_of_very_many_scans_is_refused() -> None:
    """Each scan goes over the whole picture, so a few kilobytes could take hours."""
    data = encoded(picture(1000, 1000), "JPEG", progressive=True)
    at = data.rindex(b"\xff\xda")
    many = data[:at] + data[at:-2] * 10_000 + b"\xff\xd9"
    start = time.perf_counter()
    assert reason(many) == "undecodable"
    assert time.perf_counter() - start < 2
    # The same bytes after the end of the picture, as in a phone's moving photograph, do no harm.
    decode(data + data[at:-2] * 10_000, CONFIG)


def test_animated_png_is_refused() -> None:
    frames = [pillow.fromarray(picture(112, 112, seed=seed)) for seed in range(3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:])
    assert reason(buffer.getvalue()) == "multi_frame"


def test_errors_pickle() -> None:
    import pickle

    error = pickle.loads(pickle.dumps(ImageError("truncated", "PNG without a header")))
    assert (error.reason, str(error)) == ("truncated", "truncated: PNG without a header")
