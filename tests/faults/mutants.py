"""`python tests/faults/mutants.py [--list] [COUNT [SEED [ROOM...]]]`: so many small faults in the code, and which no test finds.

A mutant is one change: a comparison, a sign, `min` and `max`, `and` and `or`, a constant, a `not`. They are drawn at random from
align, measure, lm and data, as many from each room, none twice. Each is tried on a copy of the library by the tests of its
module (TESTS), in a fork of a process that has imported torch and the like. `--list` shows the draw and tries nothing.
"""

import argparse
import ast
import hashlib
import importlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("align", "measure", "lm", "data")
# Which tests look at a module: the first that fails ends a mutant's life.
TESTS = {
    "align/baselines": "alignment",
    "align/critic": "tdsc critique",
    "align/dgsa": "dgsa tdsc alignment",
    "align/dpo": "dpo tdsc dgsa",
    "align/grpo": "tdsc critique",
    "align/methods": "schedule tdsc dgsa alignment",
    "align/modes": "pairs alignment",
    "align/pairs": "pairs alignment",
    "align/runs": "tdsc alignment",
    "align/tdsc": "tdsc critique",
    "data/adopt": "new",
    "data/codes": "scaling pairs",
    "data/data_card": "own_data new",
    "data/engines": "new corpus",
    "data/filters": "corpus new",
    "data/languages": "splits texts own_data new",
    "data/manifest": "manifest own_data",
    "data/mixing": "scaling corpus",
    "data/own_data": "own_data new",
    "data/own_tables": "own_data new",
    "data/recordings": "own_data corpus new",
    "data/sets": "corpus new",
    "data/splits": "splits new",
    "data/summary": "corpus",
    "lm/lm": "lm sft released hub",
    "lm/lora": "lm sft released hub",
    "lm/released": "released hub",
    "lm/sampling": "sampling evaluate",
    "lm/sft": "sft critique",
    "lm/train": "batching train sft",
    "measure/bootstrap": "stats entropy trends scaling",
    "measure/cloning": "systems_claims cloning",
    "measure/effects": "tdsc_claims scaling systems_claims alignment_claims",
    "measure/entropy": "entropy phase evaluate",
    "measure/evaluate": "evaluate scaling alignment",
    "measure/metrics": "metrics evaluate",
    "measure/prosody": "prosody evaluate",
    "measure/proxy": "proxy",
    "measure/scoring": "evaluate",
    "measure/stats": "stats verdicts tdsc_claims",
    "measure/systems": "alignment_claims tdsc_claims scaling",
    "measure/trends": "trends alpha_star worlds scaling",
    "measure/verdicts": "verdicts tdsc_claims",
}
EXTRA = ("faults/test_mended.py",)  # for lm and data
KEPT = ("measure", "lm", "data")  # rooms of which test_goldens_ROOM.py keeps what they make
COMPARED = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
COUNTED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult}
NAMED = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "argmin": "argmax",
    "idxmin": "idxmax",
    "idxmax": "idxmin",
}
# No result depends on these: how much is worked out at once, what is kept ready, how often a state is saved for a run that
# is killed, how long a program of others is waited for, how a JSON file is laid out.
IDLE = {"AT_ONCE", "CACHED", "SHRINK", "maxsize", "save_every", "TIMEOUT", "indent"}
# Places that a change makes other code of, and no other result: (module, how its line reads up to there, why). Not tried.
ALIKE = (
    ("align/dgsa", "max(BUDGET, *sizes), seed=0", "in which order sequences are scored"),
    (
        "align/tdsc",
        "BEFORE[p.schedule] + RISE * k, 6",
        "rounded to one place less, a temperature in tenths is the same",
    ),
    ("align/pairs", "stack.read(codes, utterances[0", "all are of one language"),
    ("data/data_card", 'card["silence"] > SILENCE_WARNING', "no measured share is equal to it"),
    ("data/engines", "hexdigest()[:24", "how long a file's name is"),
    ("data/filters", "np.abs(np.diff(bands, axis=0)) < STUCK_DB", "no measured float is equal to it"),
    ("data/manifest", 'row.get("start", 0', "any whole number of 0 or more is as good there"),
    ("data/manifest", "utterance.start - TAIL * sound.samplerate", "no recording breaks off at just this sample"),
    ("data/own_data", "np.ptp(samples.mean(axis=1)) < SILENT", "no measured float is equal to it"),
    ("data/own_tables", "handle.read(MOST_PROMPTS + 1", "one character more shows that there are more; so do two"),
    ("data/recordings", "round(filled) - bar.n", "what a bar shows"),
    ("data/recordings", "wav.setparams((1, 2, RATE, 0", "the count is written again when the file is closed"),
    (
        "lm/lm",
        "torch.rand(batch.speech.shape, device=batch.speech.device) < noise",
        "no random number need be equal to it",
    ),
    ("lm/lm", "batch.speech.masked_fill(~real, 0", "which token stands where none is read"),
    ("lm/lm", "alone.speech[:, :0", "no token of it is read, its length being 0"),
    ("lm/sampling", "above[~kept], attempt + 1", "which random numbers are drawn, each once all the same"),
    ("lm/sampling", "step * DRAWS + attempt", "which random numbers are drawn, each once all the same"),
    ("lm/sampling", "step * DRAWS + DRAWS - 1", "the number of a random draw which nothing else uses"),
    ("lm/train", "torch.as_tensor(0", "one process is never idle"),
    ("lm/train", "collate(indices) if world() > 1", "of one process the batch is the same either way"),
    ("measure/bootstrap", "first - second, *arms[0", "both arms have one shape"),
    ("measure/bootstrap", "np.empty((3", "a part more than is filled, which nothing reads"),
    ("measure/entropy", "np.unique(counts[counts > 0", "a code of no tokens adds nothing to the sum"),
    ("measure/proxy", "prosodic_entropy(counts + silent[:, None]", "what a silent sample gives there is not taken"),
    ("measure/systems", "scores.table.get(bottom, 1", "any number above 0 says that there are words"),
    ("measure/trends", "most: float = 1.0", "no alpha is above 1"),
    ("measure/verdicts", "turned == (condition.direction > 0", "a direction is 1 or -1"),
)
# Many tests import these, so they are imported once, before the first fork.
SHARED = "pytest hypothesis numpy pandas scipy.stats scipy.signal soundfile torch transformers.models.qwen2.modeling_qwen2 peft"
LONGEST_TEST = 100  # seconds of a processor, whatever else the machine does: a mutant that runs for ever dies of it
LIMIT = 1_800  # seconds: one that waits for ever


def names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def idle_parts(tree: ast.AST) -> Iterator[ast.AST]:
    """What sets or reads one of IDLE: its value, and the comparison or the sum that it stands in."""
    for node in ast.walk(tree):
        read = node.targets if isinstance(node, ast.Assign) else [node] if isinstance(node, ast.Compare) else []
        if any(IDLE & names(one) for one in read):
            yield from ast.walk(node)
        if isinstance(node, ast.BinOp) and IDLE & {getattr(side, "id", "") for side in (node.left, node.right)}:
            yield node
        least = isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("min", "max")
        if (isinstance(node, ast.keyword) and node.arg in IDLE) or (least and IDLE & names(node)):
            yield from ast.walk(node)


def places(tree: ast.AST) -> list[ast.AST]:
    """What may be changed, in one order. Texts of errors and annotations are left alone, for no test need know them."""
    idle = set(map(id, idle_parts(tree)))
    return [node for node in changeable(tree) if id(node) not in idle]


def negative(node: ast.AST) -> bool:
    """Whether it is a number below 0, which is one place: as an index or an axis, +1 is often the same as -1."""
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)


def changeable(tree: ast.AST) -> list[ast.AST]:
    """As `places`, with what changes no result."""
    left = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.Assert):
            left |= set(map(id, ast.walk(node)))
        if negative(node):
            left.add(id(node.operand))
        for part in ("annotation", "returns"):
            if (note := getattr(node, part, None)) is not None:
                left |= set(map(id, ast.walk(note)))
    found = []
    for node in ast.walk(tree):
        if id(node) in left:
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
    elif negative(node):
        node.operand.value -= 1
    elif isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    else:
        node.op = ast.UAdd() if isinstance(node.op, ast.USub) else ast.Not()
        if isinstance(node.op, ast.Not):
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
    return f"line {node.lineno}: {before} -> {ast.unparse(node)}"[:110]


class Told:
    """Writes down each test that begins; ends the process at one that does not end."""

    def __init__(self, file: Path):
        self.file = file

    def pytest_runtest_logstart(self, nodeid, location):
        self.file.write_text(nodeid)
        signal.setitimer(signal.ITIMER_PROF, LONGEST_TEST)


def tests_fail(tests: list[str], copy: Path) -> str:
    """The test that fails first on the copy of the library, or its file if none begins; "" if all pass."""
    file = copy / "began"
    file.write_text(tests[0])
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(1, 2)
        os.chdir(copy)
        sys.path[:0] = [str(copy), str(copy / "tests")]
        os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])
        code = 1
        try:
            arguments = ["-q", "-x", "-p", "no:cacheprovider", "--hypothesis-seed=0", *tests]
            code = importlib.import_module("pytest").main(arguments, plugins=[Told(file)])
        finally:
            os._exit(int(code))
    end = time.monotonic() + LIMIT
    while not (done := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.02)
    return file.read_text() if done[1] else ""


def tests_of(module: str) -> list[str]:
    room = module.partition("/")[0]
    extra = EXTRA if module.startswith(("lm/train", "data/manifest", "data/own")) else ()
    names = [*([f"goldens_{room}"] if room in KEPT else []), *TESTS[module].split()]
    return [*(f"tests/test_{name}.py" for name in names), *(f"tests/{name}" for name in extra)]


def copied(place: Path) -> Path:
    """The project with a library of its own."""
    own = ("sebridge_lite", "tests", "params", "notebooks")
    for path in (path for path in ROOT.iterdir() if not path.name.startswith(".")):
        if path.name in own:
            shutil.copytree(path, place / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.is_dir():
            (place / path.name).symlink_to(path)
        else:
            shutil.copy(path, place / path.name)
    return place


def parsed(module: str) -> ast.Module:
    return ast.parse((ROOT / "sebridge_lite" / f"{module}.py").read_text(encoding="utf-8"))


def ordered(room: str, seed: int) -> list[tuple[str, int]]:
    """All mutants of a room, a module and the number of a place each, by hashes: an edit moves those alone that it touches."""
    keyed = []
    for module in (name for name in TESTS if name.startswith(f"{room}/")):
        tree, times = parsed(module), Counter()
        within = {id(part): one for one in ast.walk(tree) if isinstance(one, ast.stmt) for part in ast.walk(one)}
        for number, node in enumerate(places(tree)):
            text = f"{seed} {module} {ast.unparse(within[id(node)]).splitlines()[0]} {ast.unparse(node)}"
            times[text] += 1
            keyed.append((hashlib.sha256(f"{text} {times[text]}".encode()).digest(), module, number))
    return [(module, number) for _, module, number in sorted(keyed)]


def alike(module: str, number: int) -> str:
    """Why a change of this place changes no result, '' where it may."""
    node = places(parsed(module))[number]
    lines = (ROOT / "sebridge_lite" / f"{module}.py").read_text(encoding="utf-8").splitlines()
    before = lines[node.end_lineno - 1].encode()[: node.end_col_offset].decode()
    return next((why for name, text, why in ALIKE if name == module and before.endswith(text)), "")


def drawn(count: int, seed: int, rooms: list[str]) -> list[tuple[str, int]]:
    shares = [count // len(rooms) + (place < count % len(rooms)) for place in range(len(rooms))]
    return [one for room, share in zip(rooms, shares, strict=True) for one in sorted(ordered(room, seed)[:share])]


def preload() -> None:
    """Imports what the tests share, and nothing of the library, of which each fork has a copy of its own."""
    os.environ |= {"OMP_NUM_THREADS": "1", "SEBRIDGE_WORKERS": "1"}
    sys.path.insert(0, str(ROOT))
    for name in ("sebridge_lite", *SHARED.split()):
        importlib.import_module(name)
    sys.path.remove(str(ROOT))
    for name in [name for name in sys.modules if name.partition(".")[0] == "sebridge_lite"]:
        del sys.modules[name]


def main(count: int, seed: int, rooms: list[str], only_list: bool) -> int:
    chosen, alive, killers, begun = drawn(count, seed, rooms), [], set(), time.monotonic()
    if only_list:
        print(*(f"{module}.py {mutate(places(parsed(module))[number])}" for module, number in chosen), sep="\n")
        return 0
    left = {one: why for one in chosen if (why := alike(*one))}
    for (module, number), why in left.items():
        print(f"not tried, {why}: {module}.py {mutate(places(parsed(module))[number])}")
    chosen = [one for one in chosen if one not in left]
    preload()
    with tempfile.TemporaryDirectory() as folder:
        copy = copied(Path(folder))
        for place, (module, number) in enumerate(chosen, start=1):
            source, tree = copy / "sebridge_lite" / f"{module}.py", parsed(module)
            what = f"{module}.py {mutate(places(tree)[number])}"
            whole, since = source.read_text(encoding="utf-8"), time.monotonic()
            source.write_text(ast.unparse(ast.fix_missing_locations(tree)), encoding="utf-8")
            os.utime(source, (place, place))  # else two mutants of one second and size share their bytecode
            killer = tests_fail(tests_of(module), copy)
            source.write_text(whole, encoding="utf-8")
            os.utime(source, (0, 0))
            killers |= {killer} - {""}
            alive += [] if killer else [module]
            end = f"dies by {killer}" if killer else "ALIVE"
            print(f"{time.monotonic() - since:4.0f} s, {end}: {what}", flush=True)
        # A test that fails without a mutant kills none.
        if wrong := killers and tests_fail(sorted(killers), copy):
            print(f"without any mutant: {wrong} fails, so nothing is measured")
            return 1
    tried, lived = Counter(module for module, _ in chosen), Counter(alive)
    for room in rooms:
        here = [module for module in sorted(tried) if module.startswith(f"{room}/")]
        of = ", ".join(f"{m} {lived[m]}/{tried[m]}" for m in here)
        print(f"{room}: {sum(lived[m] for m in here)} of {sum(tried[m] for m in here)} alive; {of}")
    idle = sum(len(changeable(parsed(m))) - len(places(parsed(m))) for m in TESTS if m.split("/")[0] in rooms)
    share, minutes = len(alive) / len(chosen), (time.monotonic() - begun) / 60
    print(f"{len(chosen)} mutants, {len(alive)} alive ({share:.0%}), {minutes:.0f} min; left out: {idle} places")
    return int(len(alive) > 0.03 * len(chosen))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("count", type=int, nargs="?", default=120)
    parser.add_argument("seed", type=int, nargs="?", default=0)
    parser.add_argument("rooms", nargs="*", metavar="room")
    given = parser.parse_args()
    sys.exit(main(given.count, given.seed, given.rooms or list(ROOMS), given.list))
