"""The language that a user reads, where none is asked for."""

import contextlib
import locale
from collections.abc import Mapping

from datong.model.errors import Refused
from datong.model.words import LANGUAGES, message


def chosen_language(language: str | None, environment: Mapping[str, str]) -> str:
    """The language that is asked for; None: that of the environment. Raises Refused for one that is not spoken."""
    if language is None:
        return language_of_environment(environment)
    if language not in LANGUAGES:
        raise Refused(message("shown.no_language", language=repr(language), languages=", ".join(LANGUAGES)))
    return language


def language_of_environment(environment: Mapping[str, str]) -> str:
    """DATONG_LANG where it is set, else the locale: Chinese where it says zh, otherwise English."""
    for name in ("DATONG_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(name):
            return "zh" if environment[name].lower().startswith("zh") else "en"
    with contextlib.suppress(ValueError):
        return "zh" if (locale.getlocale()[0] or "").lower().startswith(("zh", "chinese")) else "en"
    return "en"
