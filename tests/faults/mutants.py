"""`python tests/faults/mutants.py [COUNT [SEED [ROOM...]]]`: so many small faults in the code, and which of them no test finds.

A mutant is one change: a comparison, a sign, `min` and `max`, `and` and `or`, a constant, a `not`. They are drawn at random from
align, measure, lm and data, as many from each room. Each is tried on a copy of the library by the tests of its module (TESTS).
"""

import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("align", "measure", "lm", "data")
# Which tests look at a module: the first that fails ends a mutant's life.
TESTS = {
    "align/baselines": "alignment",
    "align/critic": "tdsc critique",
    "align/dgsa": "dgsa alignment",
    "align/dpo": "dpo dgsa",
    "align/grpo": "tdsc",
    "align/methods": "dgsa tdsc alignment",
    "align/modes": "pairs alignment",
    "align/pairs": "pairs dgsa",
    "align/runs": "alignment dgsa",
    "align/tdsc": "tdsc critique",
    "data/adopt": "new own_data",
    "data/codes": "scaling",
    "data/data_card": "own_data",
    "data/engines": "extend corpus new",
    "data/filters": "corpus texts",
    "data/languages": "own_data splits own",
    "data/manifest": "manifest own_data",
    "data/mixing": "scaling corpus",
    "data/own_data": "own_data",
    "data/own_tables": "own_data new",
    "data/recordings": "corpus new own_data",
    "data/sets": "corpus scaling",
    "data/splits": "splits new",
    "data/summary": "corpus",
    "lm/lm": "lm sft",
    "lm/lora": "hub released",
    "lm/released": "released",
    "lm/sampling": "sampling",
    "lm/sft": "sft",
    "lm/train": "train",
    "measure/bootstrap": "stats evaluate entropy",
    "measure/cloning": "cloning",
    "measure/effects": "alignment_claims tdsc_claims systems_claims",
    "measure/entropy": "entropy",
    "measure/evaluate": "evaluate",
    "measure/metrics": "metrics",
    "measure/prosody": "prosody",
    "measure/proxy": "proxy",
    "measure/scoring": "evaluate",
    "measure/stats": "stats",
    "measure/systems": "systems_claims evaluate",
    "measure/trends": "trends alpha_star",
    "measure/verdicts": "verdicts",
}
EXTRA = ("faults/test_mended.py",)  # for lm and data
COMPARED = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
COUNTED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult}
NAMED = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "idxmin": "idxmax",
    "idxmax": "idxmin",
    "argmin": "argmax",
}
LIMIT = 600  # seconds of one mutant's tests


def places(tree: ast.AST) -> list[ast.AST]:
    """What may be changed, in one order. Texts of errors and annotations are left alone, for no test need know them."""
    idle = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.Assert):
            idle |= set(map(id, ast.walk(node)))
        for part in ("annotation", "returns"):
            if (note := getattr(node, part, None)) is not None:
                idle |= set(map(id, ast.walk(note)))
    found = []
    for node in ast.walk(tree):
        if id(node) in idle:
            continue
        compared = isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARED
        counted = isinstance(node, ast.BinOp) and type(node.op) in COUNTED and not isinstance(node.right, ast.JoinedStr)
        named = (isinstance(node, ast.Name) and node.id in NAMED) or (
            isinstance(node, ast.Attribute) and node.attr in NAMED
        )
        number = isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value < 1_000
        chosen = isinstance(node, ast.BoolOp) or (
            isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub)
        )
        if compared or counted or named or number or chosen:
            found.append(node)
    return found


def mutate(node: ast.AST) -> str:
    """Changes the node; says how."""
    before = ast.unparse(node)
    if isinstance(node, ast.Compare):
        node.ops[0] = COMPARED[type(node.ops[0])]()
    elif isinstance(node, ast.BinOp):
        node.op = COUNTED[type(node.op)]()
    elif isinstance(node, ast.Name):
        node.id = NAMED[node.id]
    elif isinstance(node, ast.Attribute):
        node.attr = NAMED[node.attr]
    elif isinstance(node, ast.Constant):
        node.value = node.value + 1
    elif isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    else:
        node.op = ast.UAdd() if isinstance(node.op, ast.USub) else ast.Not()
        if isinstance(node.op, ast.Not):
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
    return f"line {node.lineno}: {before} -> {ast.unparse(node)}"[:110]


def survives(module: str, copy: Path) -> bool:
    """Whether the module's tests pass on the copy of the library."""
    tests = [f"tests/test_{name}.py" for name in TESTS[module].split()]
    tests += [f"tests/{name}" for name in EXTRA] if module.startswith(("lm/train", "data/manifest", "data/own")) else []
    env = os.environ | {"PYTHONPATH": f"{copy}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1", "SEBRIDGE_WORKERS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(command, cwd=copy, env=env, capture_output=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def copied(place: Path) -> Path:
    """The project with a library of its own."""
    for name in ("sebridge_lite", "tests", "params", "notebooks"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "data.dvc", "pyproject.toml", "params.yaml", "constraints.txt"):
        shutil.copy(ROOT / name, place / name)
    for name in ("data", "artifacts", "results", "embedded"):
        (place / name).symlink_to(ROOT / name)
    return place


def main(count: int, seed: int, rooms: list[str]) -> int:
    rng, alive, tried = random.Random(seed), defaultdict(list), defaultdict(int)
    with tempfile.TemporaryDirectory() as folder:
        copy = copied(Path(folder))
        for number in range(count):
            room = rooms[number % len(rooms)]
            modules = [module for module in TESTS if module.startswith(f"{room}/")]
            sizes = [
                len(places(ast.parse((ROOT / "sebridge_lite" / f"{m}.py").read_text(encoding="utf-8"))))
                for m in modules
            ]
            (module,) = rng.choices(modules, sizes)
            source = copy / "sebridge_lite" / f"{module}.py"
            whole = source.read_text(encoding="utf-8")
            tree = ast.parse(whole)
            what = mutate(rng.choice(places(tree)))
            source.write_text(ast.unparse(ast.fix_missing_locations(tree)), encoding="utf-8")
            tried[module] += 1
            if survives(module, copy):
                alive[module].append(what)
                print(f"alive: {module}.py {what}", flush=True)
            source.write_text(whole, encoding="utf-8")
    for room in rooms:
        here = [module for module in sorted(tried) if module.startswith(f"{room}/")]
        lived, of = sum(len(alive[module]) for module in here), sum(tried[module] for module in here)
        print(f"{room}: {lived} of {of} alive; " + ", ".join(f"{m} {len(alive[m])}/{tried[m]}" for m in here))
    lived = sum(map(len, alive.values()))
    print(f"{count} mutants, {lived} alive ({lived / count:.0%})")
    return int(lived > 0.03 * count)


if __name__ == "__main__":
    numbers = [*map(int, sys.argv[1:3]), *(120, 0)[len(sys.argv[1:3]) :]]
    sys.exit(main(*numbers, sys.argv[3:] or list(ROOMS)))
