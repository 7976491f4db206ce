"""Images: how near is the picture that came back to the one that was sent? PSNR, SSIM, MS-SSIM."""

from hil.goals.card import GoalEntry

REGISTERED = (
    GoalEntry(
        name="image",
        target="hil.goals.image.goal:Image",
        summary="compare the image received with the one sent: PSNR, SSIM",
        default=True,
        order=30,
    ),
)
