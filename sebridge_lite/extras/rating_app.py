"""The listening test inside a notebook: what `page.html` is in a browser, with ratings straight in their file.

Left out: waiting until a clip has been heard to its end, which the page does and a notebook cannot see.
"""

import os
from pathlib import Path

from sebridge_lite.extras.rating import Session


def rating_app(folder: Path, rater: str, ratings: Path | None = None):
    """One trial at a time; a click on an answer keeps it and goes on. None where nobody reads (SEBRIDGE_HEADLESS)."""
    import ipywidgets as widgets

    session, box = Session(folder, rater, ratings), widgets.VBox()
    count = len(session.test["trials"])

    def show() -> None:
        if not session.todo:
            box.children = [widgets.Label(f"That was the last one, thank you. Ratings: {session.path.name}")]
            return
        trial = session.todo[0]
        task = session.test["tasks"][trial["task"]]
        players = [
            widgets.VBox([widgets.Label(name), widgets.Audio.from_file(folder / "clips" / f"{clip}.wav", autoplay=False)])
            for name, clip in zip(task["names"], trial["clips"], strict=True)
        ]  # fmt: skip
        answers = [widgets.Button(description=f"{score} · {words}") for score, words in enumerate(task["scale"], 1)]
        for score, button in enumerate(answers, 1):
            button.on_click(lambda _, score=score: rate(score))
        place = f"{count - len(session.todo) + 1} of {count}"
        labels = [widgets.Label(text) for text in (place, trial["text"], task["question"])]
        box.children = [*labels, widgets.HBox(players), widgets.HBox(answers)]

    def rate(score: int) -> None:
        session.rate(score)
        show()

    show()
    return None if os.environ.get("SEBRIDGE_HEADLESS") else box
