"""Separate source and channel coding of images that really runs: codec, CRC, LDPC code, QAM, all in the frames."""

from hil.models.card import Card, SchemeEntry

_SUN = "Sun et al., Deep Joint Source-Channel Coding with Semantic Importance"


def _entry(codec: str, attribute: str, summary: str) -> SchemeEntry:
    name = f"digital-{codec}"
    return SchemeEntry(
        name=name,
        target=f"hil.models.separate.schemes:{attribute}",
        summary=f"{summary}, LDPC code of 802.11n, QAM",
        install="pip install 'hil[digital]'",
        untrained=True,
        card=Card(name=name, paper=_SUN, section="V", outputs="images", conceals=True),
    )


REGISTERED = (
    _entry("jpeg", "DigitalJpeg", "JPEG"),
    _entry("webp", "DigitalWebp", "WebP"),
    _entry("heif", "DigitalHeif", "HEIF (HEVC intra, BPG's stand-in)"),
    _entry("avif", "DigitalAvif", "AVIF"),
    _entry("bpg", "DigitalBpg", "BPG by bpgenc and bpgdec on the PATH"),
)
