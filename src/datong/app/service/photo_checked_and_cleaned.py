"""Pictures without what they say beside the picture: place, time, camera, maker's notes, texts, thumbnails.

Nothing is decoded: a file is taken apart into its parts (JPEG: ITU T.81, annex B; PNG: W3C, third edition, 2025), and
only those parts are written again that draw the picture. What is no whole file of these kinds is refused.
"""

import struct
import zlib
from dataclasses import dataclass

from datong.model.errors import Refused
from datong.model.words import message

# Most bytes of a picture as it comes, and most pixels of a side.
MOST_BYTES, MOST_SIDE = 12 * 1024 * 1024, 20_000
JPEG, PNG = "image/jpeg", "image/png"

_PNG_SIGN = b"\x89PNG\r\n\x1a\n"
# Parts of a PNG that draw it; all others are left out.
_DRAWS = (b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"IDAT", b"IEND")
# Markers of a JPEG: tables and frames, which draw it; comments and applications' own, which do not.
_TABLES = frozenset({0xC4, 0xDB, 0xDC, 0xDD})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN, _END, _EXIF, _ADOBE, _COMMENT = 0xDA, 0xD9, 0xE1, 0xEE, 0xFE
_APPLICATIONS = frozenset(range(0xE0, 0xF0))
_JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
_EXIF_SIGN = b"Exif\x00\x00"
_ORIENTATION, _SHORT = 0x0112, 3


@dataclass(frozen=True)
class Picture:
    """A picture that says nothing beside itself. kind: its media type."""

    kind: str
    content: bytes


def cleaned(content: bytes) -> Picture:
    """The picture alone. Which side of a photo is up stays. Raises Refused for what is no whole JPEG or PNG file, or
    too large."""
    if len(content) > MOST_BYTES:
        raise Refused(message("factory.picture_too_large", most=MOST_BYTES // 2**20))
    try:
        if content.startswith(b"\xff\xd8"):
            return Picture(JPEG, _jpeg(content))
        if content.startswith(_PNG_SIGN):
            return Picture(PNG, _png(content))
    except (struct.error, IndexError, ValueError) as error:
        raise Refused(message("factory.wrong_picture")) from error
    raise Refused(message("factory.wrong_picture"))


def _png(content: bytes) -> bytes:
    parts, at, names = [_PNG_SIGN], len(_PNG_SIGN), []
    while not names or names[-1] != b"IEND":
        (length,) = struct.unpack_from(">I", content, at)
        end = at + 12 + length
        whole = content[at:end]
        name = whole[4:8]
        if len(whole) < length + 12 or zlib.crc32(whole[4:-4]) != struct.unpack(">I", whole[-4:])[0]:
            raise ValueError("a part that is cut or damaged")
        if name in _DRAWS:
            parts.append(whole)
            names.append(name)
        elif name[:1].isupper():  # who does not know it cannot draw the picture
            raise ValueError("an unknown part that draws")
        at = end
    if names[0] != b"IHDR" or b"IDAT" not in names:
        raise ValueError("no picture")
    _refuse_sides(*struct.unpack_from(">II", parts[1], 8))
    return b"".join(parts)


def _jpeg(content: bytes) -> bytes:
    parts, at, orientation = [], 2, 1
    has_frame = has_scan = False
    while True:
        if content[at] != 0xFF:
            raise ValueError("no marker")
        while content[at] == 0xFF:
            at += 1
        marker = content[at]
        if marker == _END:
            break
        (length,) = struct.unpack_from(">H", content, at + 1)
        body = content[at + 3 : at + 1 + length]
        if length < 2 or len(body) != length - 2:
            raise ValueError("a part that is cut")
        at += 1 + length
        if marker == _EXIF and body.startswith(_EXIF_SIGN):
            orientation = _orientation(body[len(_EXIF_SIGN) :])
        elif marker == _ADOBE and body.startswith(b"Adobe") and len(body) >= 12:
            parts.append(_segment(marker, body[:12]))  # it says how colours are written
        elif marker in _FRAMES:
            height, width = struct.unpack_from(">HH", body, 1)
            _refuse_sides(width, height)
            has_frame = True
            parts.append(_segment(marker, body))
        elif marker in _TABLES:
            parts.append(_segment(marker, body))
        elif marker == _START_OF_SCAN:
            end = _end_of_scan(content, at)
            parts.append(_segment(marker, body) + content[at:end])
            at, has_scan = end, True
        elif marker not in _APPLICATIONS and marker != _COMMENT:
            raise ValueError("an unknown part")
    if not has_frame or not has_scan:
        raise ValueError("no picture")
    turned = b"" if orientation == 1 else _segment(_EXIF, _EXIF_SIGN + _only_orientation(orientation))
    return b"\xff\xd8" + _JFIF + turned + b"".join(parts) + b"\xff\xd9"


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _end_of_scan(content: bytes, at: int) -> int:
    """Where the next marker stands that is no restart and no byte of the picture."""
    while True:
        at = content.index(b"\xff", at)
        following = content[at + 1]
        if following != 0 and not 0xD0 <= following <= 0xD7 and following != 0xFF:
            return at
        at += 1 if following == 0xFF else 2


def _orientation(tiff: bytes) -> int:
    """Which side is up, 1 to 8, by an Exif block; 1 where it does not say."""
    try:
        order = {b"II": "<", b"MM": ">"}[tiff[:2]]
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(count):
            tag, kind, number, value = struct.unpack_from(f"{order}HHIH", tiff, start + 2 + 12 * entry)
            if (tag, kind, number) == (_ORIENTATION, _SHORT, 1) and 1 <= value <= 8:
                return value
    except (KeyError, struct.error):
        return 1
    return 1


def _only_orientation(value: int) -> bytes:
    """An Exif block that says which side is up, and nothing else."""
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, _ORIENTATION, _SHORT, 1, value, 0, 0)


def _refuse_sides(width: int, height: int) -> None:
    if not (0 < width <= MOST_SIDE and 0 < height <= MOST_SIDE):
        raise ValueError("no size")
