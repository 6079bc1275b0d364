"""Draws docs/rooms.svg, the rooms of the library and which imports which, from the code: `python docs/rooms.py`.

An arrow leads from a room to one that it imports. Left out: an arrow that follows from others.
"""

import ast
from graphlib import TopologicalSorter
from pathlib import Path
from textwrap import fill

import matplotlib.pyplot as plt

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "sebridge_lite"
ROOMS = {path.parent.name: ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.glob("*/__init__.py")}
BOX = {"boxstyle": "round,pad=0.3", "fc": "#D9EDF7", "ec": "#0072B2"}


def imports() -> dict[str, set[str]]:
    """For each room the other rooms that its modules import."""
    found = {room: set() for room in sorted(ROOMS)}
    for path in PACKAGE.glob("*/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{PACKAGE.name}."):
                found[path.parent.name].add(node.module.split(".")[1])
    return {room: (others & found.keys()) - {room} for room, others in found.items()}


def main() -> None:
    """Writes the picture, the same from the same code."""
    uses, reached, level, boxes = imports(), {}, {}, {}
    for room in TopologicalSorter(uses).static_order():
        reached[room] = uses[room].union(*(reached[other] for other in uses[room]))
        level[room] = max((level[other] + 1 for other in uses[room]), default=0)
    figure, axis = plt.subplots(figsize=(8.5, 0.72 * (max(level.values()) + 1)), layout="constrained")
    for room in uses:
        row = [other for other in uses if level[other] == level[room]]
        words = f"$\\bf{{{room}}}$\n{fill(ast.get_docstring(ROOMS[room]) or '', 60)}"
        place = row.index(room) - (len(row) - 1) / 2, level[room]
        boxes[room] = axis.text(*place, words, ha="center", va="center", size=7.5, bbox=BOX)
    for room, others in uses.items():
        for other in sorted(others - set().union(*(reached[one] for one in others))):
            (start, a), (end, b) = ((boxes[o].get_position(), boxes[o].get_bbox_patch()) for o in (room, other))
            style = {"arrowstyle": "->", "color": "0.4", "patchA": a, "patchB": b, "shrinkA": 0, "shrinkB": 1}
            axis.annotate("", end, start, arrowprops=style)
    axis.set(xlim=(-1, 1), ylim=(-0.5, max(level.values()) + 0.5))
    axis.axis("off")
    with plt.rc_context({"svg.hashsalt": "rooms", "svg.fonttype": "none"}):
        figure.savefig(HERE / "rooms.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
