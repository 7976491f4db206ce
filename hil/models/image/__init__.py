"""Deep JSCC of images: a convolutional codec from pixels to channel uses and back; blind, or told the SNR."""

from hil.models.card import Card, Claim, SchemeEntry

REGISTERED = (
    SchemeEntry(
        name="deep-jscc",
        target="hil.models.image.schemes:DeepJscc",
        summary="images, one transmitter, convolutional",
        card=Card(
            name="deep-jscc",
            paper="Bourtsoulatze et al., Deep Joint Source-Channel Coding for Wireless Image Transmission",
            section="III",
            outputs="images",
        ),
    ),
    SchemeEntry(
        name="deep-jscc-aware",
        target="hil.models.image.schemes:SnrAwareDeepJscc",
        summary="images, one transmitter, convolutional, encoder and decoder are told the SNR",
        card=Card(
            name="deep-jscc-aware",
            paper="Xu et al., Wireless Image Transmission Using Deep Source Channel Coding With Attention Modules",
            section="III",
            outputs="images",
        ),
        claims=(
            Claim(
                paper="Xu et al., Wireless Image Transmission Using Deep Source Channel Coding With Attention Modules",
                text="an SNR-aware network is at least as good as one that is not",
                first="deep-jscc-aware",
                second="deep-jscc",
                relation="≥",
                metric="psnr",
            ),
        ),
    ),
)
