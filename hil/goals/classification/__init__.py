"""Classification: what is seen in the picture? Accuracy, macro F1, recall and precision of each class."""

from hil.goals.card import GoalEntry

REGISTERED = (
    GoalEntry(
        name="classification",
        target="hil.goals.classification.goal:Classification",
        summary="name the class of what is seen: accuracy, macro F1",
        default=True,
        order=20,
    ),
)
