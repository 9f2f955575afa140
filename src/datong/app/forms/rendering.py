"""Templates filled with words of the catalogue, and the files that pages load."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from datong.model.words import say

_TYPES = {".css": "text/css", ".js": "text/javascript"}


@dataclass(frozen=True)
class StaticFile:
    """A file that pages load. digest: of its content, by which a browser knows a new one."""

    content: bytes
    media_type: str
    digest: str


@cache
def static_files() -> Mapping[str, StaticFile]:
    """Files of static/, by name."""
    found = {}
    for file in sorted(files("datong.app.forms").joinpath("static").iterdir(), key=lambda one: one.name):
        media_type = _TYPES.get(f".{file.name.rpartition('.')[2]}")
        if media_type is not None:
            content = file.read_bytes()
            found[file.name] = StaticFile(content, media_type, hashlib.sha256(content).hexdigest()[:12])
    return found


def static_path(name: str) -> str:
    """Where a page loads a file from: another content has another address."""
    return f"/forms-static/{name}?v={static_files()[name].digest}"


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("datong.app.forms"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )


def render(template: str, language: str, /, **values: Any) -> str:
    """A page as text. In it, t(KEY, ...) is a text of the catalogue under forms., say(KEY, ...) any other."""
    return (
        _environment()
        .get_template(template)
        .render(
            language=language,
            html_language="zh-CN" if language == "zh" else "en",
            t=lambda key, **places: say(f"forms.{key}", language, **places),
            say=partial(_say, language),
            static=static_path,
            **values,
        )
    )


def _say(language: str, key: str, /, **places: Any) -> str:
    return say(key, language, **places)
