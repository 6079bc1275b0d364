"""The listening test inside a notebook: what `page.html` is in a browser, with ratings straight in their file.

Left out: waiting until a clip has been heard to its end, which the page does and a notebook cannot see.
"""

import os
from functools import partial
from pathlib import Path

from sebridge_lite.extras.rating import Sitting


def rating_app(folder: Path, rater: str, ratings: Path | None = None):
    """A box with a trial at a time; a click on an answer keeps it. None where nobody reads (SEBRIDGE_HEADLESS)."""
    import ipywidgets as widgets

    run, box = Sitting(folder, rater, ratings), widgets.VBox()

    def show() -> None:
        if not run.todo:
            box.children = [widgets.Label(f"That was the last one, thank you. Ratings: {run.path.name}")]
            return
        trial, count = run.todo[0], len(run.test["trials"])
        task = run.test["tasks"][trial["task"]]
        players = []
        for name, clip in zip(task["names"], trial["clips"], strict=True):
            sound = widgets.Audio.from_file(folder / "clips" / f"{clip}.wav", autoplay=False)
            players.append(widgets.VBox([widgets.Label(name), sound]))
        answers = [widgets.Button(description=f"{score} · {words}") for score, words in enumerate(task["scale"], 1)]
        for score, button in enumerate(answers, 1):
            button.on_click(partial(rate, score))
        lines = (f"{count - len(run.todo) + 1} of {count}", trial["text"], task["question"])
        box.children = [*map(widgets.Label, lines), widgets.HBox(players), widgets.HBox(answers)]

    def rate(score: int, _button) -> None:
        run.rate(score)
        show()

    show()
    return None if os.environ.get("SEBRIDGE_HEADLESS") else box
