"""JSCC autoencoders on retrieval features: one transmitter, orthogonal and superposed ones; blind, or aware of the channel."""

from hil.models.card import Card, Claim, SchemeEntry

_JANKOWSKI = "Jankowski et al., Deep JSCC for Wireless Image Retrieval"
_LO = "Lo et al., Collaborative Semantic Communication for Edge Inference"


def _entry(
    name: str, target: str, summary: str, section: str, *, claims: tuple[Claim, ...] = (), weights: str = ""
) -> SchemeEntry:
    card = Card(name=name, paper=_LO, section=section)
    return SchemeEntry(
        name=name, target=f"hil.models.jscc.{target}", summary=summary, card=card, claims=claims, weights=weights
    )


def _at_least(first: str, second: str, text: str) -> tuple[Claim, ...]:
    return (Claim(paper=_LO, text=text, first=first, second=second, relation="≥", metric="top1"),)


def _helps_in_fading(first: str, second: str, whom: str = "") -> tuple[Claim, ...]:
    text = f"channel knowledge at the receiver helps {whom}in fading"
    return (Claim(paper=_LO, text=text, first=first, second=second, relation=">", metric="top1", fading=True),)


_BLIND = (
    SchemeEntry(
        name="jscc-single",
        alias="single",
        target="hil.models.jscc.schemes:SingleJscc",
        summary="one transmitter",
        card=Card(name="jscc-single", paper=_JANKOWSKI, section="2.3"),
        default=True,
        claims=(
            Claim(
                paper=_LO,
                text="a single device surpasses OMA at very low SNR",
                first="jscc-single",
                second="jscc-oma",
                relation=">",
                metric="top1",
                up_to_snr_db=-3.0,  # the paper says "very low" and shows −6 dB and up
            ),
        ),
    ),
    SchemeEntry(
        name="jscc-fc",
        target="hil.models.jscc.fc:FcJscc",
        summary="one transmitter, one layer and no decoder",
        card=Card(name="jscc-fc", paper=_JANKOWSKI, section="2.3"),
        claims=(
            Claim(
                paper=_JANKOWSKI,
                text="the autoencoder outperforms a single layer without a decoder",
                first="jscc-single",
                second="jscc-fc",
                relation=">",
                metric="top1",
            ),
        ),
    ),
    SchemeEntry(
        name="jscc-oma",
        alias="oma",
        target="hil.models.jscc.schemes:OmaJscc",
        summary="two transmitters that take turns",
        card=Card(name="jscc-oma", paper=_LO, section="IV-B"),
        default=True,
    ),
    SchemeEntry(
        name="jscc-noma",
        alias="noma",
        target="hil.models.jscc.schemes:NomaJscc",
        summary="two transmitters superposed",
        card=Card(name="jscc-noma", paper=_LO, section="IV-B"),
        default=True,
        claims=(
            *_at_least("jscc-noma", "jscc-oma", "NOMA is at least as good as OMA at every SNR"),
            *_at_least("jscc-noma", "jscc-single", "NOMA is at least as good as a single device at every SNR"),
        ),
    ),
)

_SNR_AWARE = (
    _entry(
        "jscc-single-aware",
        "schemes:SnrAwareSingle",
        "one transmitter, encoder and decoder are told the SNR",
        "V-B, App. D",
        claims=_at_least("jscc-single-aware", "jscc-single", "an SNR-aware network is at least as good as one that is not"),
    ),
    _entry(
        "jscc-oma-aware",
        "schemes:SnrAwareOma",
        "two transmitters that take turns, encoders and decoders are told the SNR",
        "V-B, App. D",
        claims=_at_least("jscc-oma-aware", "jscc-oma", "SNR-aware OMA is at least as good as OMA that is not"),
    ),
    _entry(
        "jscc-noma-aware",
        "schemes:SnrAwareNoma",
        "two transmitters superposed, encoders and decoders are told the SNR",
        "V-B, App. D",
        claims=_at_least("jscc-noma-aware", "jscc-noma", "SNR-aware NOMA is at least as good as NOMA that is not"),
    ),
)

_FADING = (
    _entry("jscc-single-fading", "schemes:SingleJscc", "one transmitter, trained for slow fading that nobody knows", "V-A"),
    _entry("jscc-oma-fading", "schemes:OmaJscc", "two that take turns, trained for slow fading that nobody knows", "V-A"),
    _entry("jscc-noma-fading", "schemes:NomaJscc", "two superposed, trained for slow fading that nobody knows", "V-A"),
    _entry(
        "jscc-single-csir",
        "schemes:FadingAwareSingle",
        "one transmitter, the decoder is told the fade",
        "V-A, App. D",
        claims=_helps_in_fading("jscc-single-csir", "jscc-single-fading"),
    ),
    _entry(
        "jscc-oma-csir",
        "schemes:FadingAwareOma",
        "two that take turns, the decoders are told their fades",
        "V-A, App. D",
        claims=_helps_in_fading("jscc-oma-csir", "jscc-oma-fading", "OMA "),
    ),
    _entry(
        "jscc-noma-csir",
        "schemes:FadingAwareNoma",
        "two superposed, the decoders are told both fades",
        "V-A, App. D",
        claims=_helps_in_fading("jscc-noma-csir", "jscc-noma-fading", "NOMA "),
    ),
    _entry(
        "jscc-single-derotated",
        "schemes:DerotatedSingle",
        "as jscc-single-csir, after y·h*/|h|; not in the paper",
        "control",
    ),
    _entry("jscc-oma-derotated", "schemes:DerotatedOma", "as jscc-oma-csir, after y·h*/|h|; not in the paper", "control"),
)

_CONTROLS = (
    _entry(
        "jscc-oma-same-view", "controls:SameViewOma", "control: OMA with one image in both views", "control", weights="jscc-oma"
    ),
    _entry(
        "jscc-noma-same-view",
        "controls:SameViewNoma",
        "control: NOMA with one image in both views",
        "control",
        weights="jscc-noma",
    ),
    _entry(
        "jscc-single-twin", "controls:TwinSingle", "control: one transmitter with two networks, as large as OMA's", "control"
    ),
)

REGISTERED = (*_BLIND, *_SNR_AWARE, *_FADING, *_CONTROLS)
