"""`sebridge report --check`: makes every printed figure again and compares; the first difference is an error of one line.

    this run        summary.json, claims.json against results/STAGE/*.csv and claims.json; summary.md, report.html against those
    the evidence    results/summary.md, results/report.html and the README's tables against results/summary.json, claims.json

Left out: that a CSV follows from its audio; the stages' own tests stand for that.
"""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.report.publishing import check_publishable, read_json
from sebridge_lite.report.readme import README, rewritten
from sebridge_lite.report.report import Found, of_evidence, of_run, page_of
from sebridge_lite.report.summary_text import as_text
from sebridge_lite.report.verdicts import of_this_run


def difference(there, anew, where: str = "") -> tuple[str, object, object] | None:
    """The first place where two values of JSON differ: its path, and both."""
    if isinstance(there, dict) and isinstance(anew, dict):
        keys = [*there, *(key for key in anew if key not in there)]
        pairs = [(f"{where}.{key}".lstrip("."), there.get(key), anew.get(key)) for key in keys]
    elif isinstance(there, list) and isinstance(anew, list) and len(there) == len(anew):
        pairs = [(f"{where}[{i}]", one, other) for i, (one, other) in enumerate(zip(there, anew, strict=True))]
    elif isinstance(there, list) and isinstance(anew, list):
        return where, f"{len(there)} rows", f"{len(anew)} rows"
    else:
        return None if there == anew else (where, there, anew)
    return next((found for pair in pairs if (found := difference(pair[1], pair[2], pair[0]))), None)


def fail(path: Path, where: str, there, anew, remedy: str):
    short = [text if len(text) <= 80 else f"{text[:77]}..." for text in (str(there), str(anew))]
    raise UserError(f"{path.name}: {where}: it says {short[0]!r}, made again it is {short[1]!r}; {remedy}")


class Pieces(HTMLParser):
    """The texts and pictures of a page, each with the heading that it stands under."""

    def __init__(self, page: str):
        super().__init__()
        self.found, self._heading, self._tag = [], "top", ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self._tag = tag
        if tag in ("img", "a"):
            self.found.append((self._heading, dict(attrs).get("src") or dict(attrs).get("href")))

    def handle_data(self, data):
        text = " ".join(data.split())
        if text:
            if self._tag in ("h1", "h2", "h3", "summary"):
                self._heading = text
            self.found.append((self._heading, text))

    def handle_endtag(self, _tag):
        self._tag = ""


def compare_pages(path: Path, anew: str, remedy: str) -> int:
    """How many texts agree."""
    there, again = Pieces(path.read_text(encoding="utf-8")).found, Pieces(anew).found
    for (heading, one), (_, other) in zip(there, again, strict=False):
        if one != other:
            fail(path, f"under '{heading}'", one, other, remedy)
    if len(there) != len(again):
        fail(path, "its end", f"{len(there)} texts", f"{len(again)} texts", remedy)
    return len(there)


def compare_lines(path: Path, anew: str, remedy: str) -> int:
    there, again = path.read_text(encoding="utf-8").splitlines(), anew.splitlines()
    for number, (one, other) in enumerate(zip(there, again, strict=False), 1):
        if one != other:
            fail(path, f"line {number}", one, other, remedy)
    if len(there) != len(again):
        fail(path, "its end", f"{len(there)} lines", f"{len(again)} lines", remedy)
    return len(there)


def _numbers(value) -> Iterator[float]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _numbers(item)
    elif isinstance(value, int | float):
        yield value


def check_run(params: Params) -> str:
    """This run: from the tables of its stages to the page."""
    folder, remedy = paths.results("verdicts"), "`sebridge verdicts`, then `sebridge report`, write it again"
    summary, claims = of_this_run(params)
    for name, anew in (("summary.json", summary), ("claims.json", claims)):
        there = read_json(folder / name, None)
        if name == "summary.json":  # the day and the commit of the check are not those of the run
            there, anew = ({key: value[key] for key in ("profile", "seed", "tables")} for value in (there, anew))
        if found := difference(there, anew):
            fail(folder / name, *found, remedy)
    kept = of_run()
    lines = compare_lines(folder / "summary.md", as_text(kept.summary, kept.claims), remedy)
    pieces = compare_pages(paths.results("report", "report.html"), page_of(kept), remedy)
    return f"this run: {sum(1 for _ in _numbers([summary['tables'], claims]))} numbers, {lines} lines, {pieces} texts agree"


def check_evidence() -> str:
    """What git keeps: the texts for people from the two files for machines."""
    kept: Found = of_evidence()
    folder, remedy = paths.root() / "results", "`sebridge report --publish --readme` writes it again"
    check_publishable(kept.summary, (folder / "summary.json").read_text(encoding="utf-8"))
    lines = compare_lines(
        folder / "summary.md", as_text(kept.summary, kept.claims), "`sebridge verdicts --publish` writes it"
    )
    pieces = compare_pages(folder / "report.html", page_of(kept), remedy)
    readme = paths.root() / README
    lines += compare_lines(readme, rewritten(readme.read_text(encoding="utf-8"), kept.summary, kept.claims), remedy)
    return f"the evidence: {lines} lines, {pieces} texts agree"


def run_check(params: Params) -> list[str]:
    """A line for each of both that is there."""
    said = []
    if paths.results("verdicts", "summary.json").is_file():
        said.append(check_run(params))
    if (paths.root() / "results" / "summary.json").is_file():
        said.append(check_evidence())
    if not said:
        raise UserError(f"{paths.results()}: nothing to check: no verdicts of a run, no committed evidence")
    return said
