"""What commands about recordings and voices print."""

import json
from collections.abc import Sequence
from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.data.data_card import format_card
from sebridge_lite.data.own_data import check_folder


def check_data(folder: Path, lang: str | None, json_file: Path | None, skip_bad: bool) -> str:
    """The card of a folder of recordings and every problem in it."""
    if json_file:
        paths.check_output(json_file, folder, ending=".json")
    good, problems, card = check_folder(folder, lang)
    found = {"card": card, "problems": list(map(str, problems))}
    report = "\n".join([format_card(card), *found["problems"]])
    if json_file:
        with paths.replacing(json_file) as temporary:
            temporary.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")
    if good and (skip_bad or not problems):
        return report
    print(report)
    if not good:
        raise UserError(f"{folder}: no good row; the problems are listed above")
    raise UserError(
        f"{folder}: {len(problems)} problems, listed above; mend them; `sebridge new` leaves these rows out"
    )


def rate(action: str, folder: Path, files: Sequence[Path], seed: int, params: Params) -> list[str]:
    """Where a new listening test lies, or what raters answered, as tables."""
    if action == "make":
        from sebridge_lite.extras.listening_items import make_from

        test = make_from(params, folder, seed)
        return [f"rate: {len(test['trials'])} trials; hand out {folder / 'page.html'}, keep {folder / 'key.json'}"]
    from sebridge_lite.extras.rating import analyse

    tables = analyse(folder, files or sorted((folder / "ratings").glob("*.jsonl")))
    return [f"{name}\n{table.to_string(index=False, float_format='%.3g')}\n" for name, table in tables.items()]


def consent(who: str, purpose: str, until: str, reference: Path, out: Path) -> str:
    """The record that was written."""
    from sebridge_lite.extras.consent import write_consent

    made = write_consent(out, who, purpose, until, reference)
    return f"{out}: {made.who} agreed, until {made.until}, to {reference} (sha256 {made.reference[:12]})"
