"""In which language an answer speaks."""

from datong.model.words import LANGUAGES


def accepted(header: str) -> str | None:
    """The language of an Accept-Language header that is spoken here and wanted most; None where it names none."""
    wanted: list[tuple[float, str]] = []
    for part in header.split(","):
        name, _, weight = part.partition(";")
        language = name.strip().lower().partition("-")[0]
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if language in LANGUAGES and quality > 0:
            wanted.append((-quality, language))
    return min(wanted, key=lambda one: one[0])[1] if wanted else None
