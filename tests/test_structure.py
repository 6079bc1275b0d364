"""The house's own rules, read off the code."""

import ast
import importlib.metadata
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sebridge_lite"
# Downward: a room imports only earlier ones. `studio.teach` trains the embedded parts, so it stands above what it trains.
ROOMS = "core data studio stack lm measure align paper studio.teach experiments extras report cli"
ROOMS = ROOMS.split()
ONLY_FROM = {
    "studio": {"studio", "studio.teach", "stack", "experiments"},
    "studio.teach": {"studio.teach", "experiments"},
    "extras": {"extras", "report", "cli"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def room_of(module: str) -> str:
    """The room of a module such as sebridge_lite.lm.sft, "" where it is in none."""
    inside = module.removeprefix("sebridge_lite.")
    return next((room for room in sorted(ROOMS, key=len, reverse=True) if f"{inside}.".startswith(f"{room}.")), "")


def test_imports_run_downward_only():
    for path in MODULES:
        room = room_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for name in imports_of(path) if room else ():
            other = room_of(name) if name.startswith("sebridge_lite.") else ""
            if other:
                assert ROOMS.index(other) <= ROOMS.index(room), f"{path} imports {name}"
                assert room in ONLY_FROM.get(other, ROOMS), f"{path} imports {name}"


def test_no_module_is_over_300_lines_and_each_says_what_it_is():
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 300 and ast.get_docstring(ast.parse(text)), path


def test_each_implemented_equation_has_one_home():
    found = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and (doc := ast.get_docstring(node)):
                for number in re.findall(r"^Eq\. (\d+)", doc):
                    found.setdefault(number, []).append(f"{path.name}:{node.name}")
    twice = {number: homes for number, homes in found.items() if len(homes) > 1}
    assert not twice


def test_every_function_class_and_constant_of_the_library_is_used():
    """By the library itself, a template, a notebook, a benchmark or the book: what tests alone use is not needed."""
    beside = ("notebooks/*.ipynb", "benchmarks/*.py", "docs/*.py")
    files = (*PACKAGE.rglob("*"), *(path for pattern in beside for path in ROOT.glob(pattern)))
    kinds = {".py", ".ipynb", ".html", ".md", ".json"}
    texts = (path.read_text(encoding="utf-8") for path in files if path.suffix in kinds)
    words = Counter(word for text in texts for word in re.findall(r"\w+", text))
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [target.id for target in getattr(node, "targets", ()) if isinstance(target, ast.Name)]
            names += [node.name] if isinstance(node, ast.FunctionDef | ast.ClassDef) else []
            assert all(words[name] > 1 for name in names), f"{path}: {names}"


def test_no_code_comes_from_data_and_no_shell_is_asked():
    """Pickles, YAML tags and shells run what they read."""
    forbidden = {
        "eval",
        "exec",
        "os.system",
        "os.popen",
        "pickle.load",
        "pickle.loads",
        "joblib.load",
        "yaml.unsafe_load",
    }
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name, place = ast.unparse(node.func), f"{path}:{node.lineno}"
            given = {word.arg: ast.unparse(word.value) for word in node.keywords}
            assert name not in forbidden and "shell" not in given, place
            assert given.get("allow_pickle", "False") == given.get("trust_remote_code", "False") == "False", place
            assert name != "torch.load" or given["weights_only"] == "True", place
            assert name != "yaml.load" or given["Loader"] == "_Loader", place
            if name.startswith("subprocess."):
                assert not isinstance(node.args[0], ast.JoinedStr | ast.Constant), f"{place}: a line for a shell"


def test_stages_wait_only_for_what_they_use():
    """What no stage needs until it is asked for takes seconds to import, in each of forty processes."""
    code = (
        "import sys, sebridge_lite.experiments.encode, sebridge_lite.experiments.choose, sebridge_lite.experiments.critique\n"
        "print([name for name in ('transformers', 'peft', 'scipy.stats', 'scipy.signal', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_the_library_imports_without_the_repository(tmp_path):
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in MODULES]
    code = f"import importlib\nfor name in {modules!r}: importlib.import_module(name)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_constraints_pin_every_dependency_exactly():
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[\w.]+", pin) for pin in pins)
    pinned = {pin.partition("==")[0].lower().replace("_", "-") for pin in pins}
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    wanted = re.findall(r'^    "([A-Za-z0-9_-]+)>=', project, flags=re.M)
    assert len(wanted) > 15
    assert {name.lower() for name in wanted} <= pinned


LICENCES = re.compile(
    r"BSD|MIT|Apache|PSF|Python-2|Python Software Foundation|MPL|Mozilla|ISC|Zlib|CC0|Unlicense|HPND|ZPL"
)
ASKED = {  # licences that would bind our users, and why they do not
    "asyncssh": "EPL-2.0 may be chosen in place of the GPL",
    "dulwich": "Apache-2.0 may be chosen in place of the GPL",
    "grandalf": "EPL-1.0 may be chosen in place of the GPL",
    "praat-parselmouth": "GPL-3.0, for tests alone: the library does not import it",
    "pygit2": "GPL-2.0 with an exception for whoever links to it; DVC alone uses it",
}


def test_no_pinned_package_has_an_unknown_licence_or_one_that_binds_users():
    """GPL packages are for tests alone; every other one says a licence that allows any use."""
    there, odd = 0, {}
    for pin in (ROOT / "constraints.txt").read_text(encoding="utf-8").split():
        name = pin.partition("==")[0]
        try:
            about = importlib.metadata.metadata(name)
        except importlib.metadata.PackageNotFoundError:  # of an extra that is not installed here
            continue
        kinds = [text for text in about.get_all("Classifier") or () if text.startswith("License")]
        said = [about.get("License-Expression"), about.get("License"), *kinds]
        licence, there = " ".join(text[:200] for text in said if text), there + 1
        if "GPL" in licence or not LICENCES.search(licence):
            odd[name] = licence
    assert there > 150 and set(odd) <= set(ASKED), {name: odd[name] for name in set(odd) - set(ASKED)}
    assert not any("parselmouth" in path.read_text(encoding="utf-8") for path in MODULES)
