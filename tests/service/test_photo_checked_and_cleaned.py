"""Photos: the picture stays as it is drawn, and everything that says where, when and by what it was taken goes."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from datong.app.service.photo_checked_and_cleaned import JPEG, MOST_BYTES, PNG, cleaned
from datong.model.errors import Refused

SECRET = b"Lane 7, Yiwu"


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))


def drawing() -> Image.Image:
    rng = np.random.default_rng(3)
    return Image.fromarray(rng.integers(0, 255, (37, 61, 3), dtype=np.uint8))


def jpeg(orientation: int | None = None, **options) -> bytes:
    """With Exif (place, time, maker, and a comment), XMP and a colour profile."""
    exif = Image.Exif()
    exif[0x010F], exif[0x010E], exif[0x0132] = "Maker", SECRET.decode(), "2026:03:02 09:00:00"
    if orientation is not None:
        exif[0x0112] = orientation
    exif.get_ifd(0x8825).update({1: "N", 2: (29.0, 18.0, 24.0), 3: "E", 4: (120.0, 4.0, 30.0), 29: "2026:03:02"})
    out = io.BytesIO()
    drawing().save(out, "JPEG", exif=exif, comment=SECRET, icc_profile=b"profile " + SECRET, xmp=SECRET, **options)
    return out.getvalue()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}, {"subsampling": 0, "quality": 95}])
@pytest.mark.parametrize("tail", [b"", b"\xff\xe1motion photo with its place: " + SECRET])
def test_a_jpeg_keeps_its_picture_alone(options: dict, tail: bytes) -> None:
    content = jpeg(**options) + tail
    assert content.count(SECRET) >= 3
    picture = cleaned(content)
    assert picture.kind == JPEG and (pixels(picture.content) == pixels(content)).all()
    image = Image.open(io.BytesIO(picture.content))
    assert SECRET not in picture.content and b"Maker" not in picture.content and b"2026" not in picture.content
    assert not image.getexif() and "icc_profile" not in image.info and "comment" not in image.info
    assert cleaned(picture.content) == picture


@pytest.mark.parametrize("orientation", range(1, 9))
def test_which_side_is_up_stays(orientation: int) -> None:
    picture = cleaned(jpeg(orientation))
    assert dict(Image.open(io.BytesIO(picture.content)).getexif()) == (
        {} if orientation == 1 else {0x0112: orientation}
    )
    assert SECRET not in picture.content


def test_a_photo_in_ink_colours_is_drawn_the_same() -> None:
    out = io.BytesIO()
    drawing().convert("CMYK").save(out, "JPEG")
    assert (pixels(cleaned(out.getvalue()).content) == pixels(out.getvalue())).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_a_png_keeps_its_picture_alone(mode: str) -> None:
    told = PngImagePlugin.PngInfo()
    told.add_text("Location", SECRET.decode())
    told.add_text("Comment", SECRET.decode(), zip=True)
    told.add_itxt("XML:com.adobe.xmp", SECRET.decode())
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    out = io.BytesIO()
    drawing().convert(mode).save(out, "PNG", pnginfo=told, exif=exif, dpi=(300, 300))
    content = out.getvalue() + SECRET
    picture = cleaned(content)
    assert picture.kind == PNG and (pixels(picture.content) == pixels(content)).all()
    assert SECRET in content and SECRET not in picture.content
    for part in (b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"pHYs", b"tIME"):
        assert part not in picture.content


def png_with(name: bytes, body: bytes) -> bytes:
    out = io.BytesIO()
    drawing().save(out, "PNG")
    head, tail = out.getvalue()[:33], out.getvalue()[33:]
    return head + struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) + tail


def test_an_unknown_part_that_draws_is_refused_and_one_that_does_not_is_left_out() -> None:
    with pytest.raises(Refused):
        cleaned(png_with(b"ABCD", SECRET))
    assert SECRET not in cleaned(png_with(b"abCD", SECRET)).content


def damaged() -> list[bytes]:
    photo, drawn = jpeg(), png_with(b"abCD", b"")
    broken = bytearray(drawn)
    broken[40] ^= 1
    return [
        b"",
        b"\xff\xd8",
        b"\x89PNG\r\n\x1a\n",
        b"<svg onload='alert(1)'/>",
        b"GIF89a" + bytes(100),
        b"MZ" + bytes(5000),
        photo[: len(photo) // 2],
        photo[:-2],
        photo[:300],
        b"\xff\xd8\xff\xd9",
        photo[:2] + b"<script>" + photo[2:],
        drawn[:-12],
        drawn[: len(drawn) // 2],
        bytes(broken),
        photo.replace(struct.pack(">HH", 37, 61), struct.pack(">HH", 0, 61)),
        photo.replace(struct.pack(">HH", 37, 61), struct.pack(">HH", 37, 60_000)),
    ]


@pytest.mark.parametrize("content", damaged(), ids=range(16))
def test_what_is_no_whole_picture_is_refused(content: bytes) -> None:
    with pytest.raises(Refused):
        cleaned(content)


def test_any_cut_of_a_photo_is_refused_and_none_is_a_fault() -> None:
    photo = jpeg(6)
    for end in range(0, len(photo) - 1, 7):
        with pytest.raises(Refused):
            cleaned(photo[:end])


def test_a_picture_that_is_too_large_is_refused() -> None:
    with pytest.raises(Refused) as error:
        cleaned(b"\xff\xd8" + bytes(MOST_BYTES))
    assert "12 MB" in error.value.message.text("en")
