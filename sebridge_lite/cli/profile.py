"""Switch the active `params.yaml` to a profile, and never lose edits on the way."""

import itertools

from sebridge_lite.align.methods import checked
from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError, show
from sebridge_lite.core.params import OWN, PROFILES, load_params


def switch_profile(name: str, force: bool = False) -> str:
    """Copies `params/NAME.yaml` over `params.yaml`; own edits are refused, or kept aside with `force`."""
    root = paths.root()
    source, active = root / "params" / f"{name}.yaml", root / "params.yaml"
    if name == OWN and not source.is_file():
        raise UserError(f"{source}: not there; `sebridge new` writes it from your recordings")
    if name not in (*PROFILES, OWN) or not source.is_file():
        raise UserError(f"no profile {show(name)}; profiles: {', '.join(PROFILES)}")
    checked(load_params(source))
    stock, kept = [path.read_bytes() for path in (root / "params").glob("*.yaml")], ""
    if active.is_file() and active.read_bytes() not in stock:
        if not force:
            how = f"`sebridge profile {name} --force` keeps them in {active.name}.old"
            raise UserError(f"{active.name}: holds edits of yours; {how}")
        aside = (active.with_name(f"{active.name}.old{number or ''}") for number in itertools.count())
        old = next(path for path in aside if not path.exists())
        active.replace(old)
        kept = f" (your edits are in {old.name})"
    with paths.replacing(active) as temporary:
        temporary.write_bytes(source.read_bytes())
    return f"active profile: {name}{kept}"
