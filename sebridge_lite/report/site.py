"""`sebridge site`: the listening page; being rewritten."""

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params


def run_site(params: Params, publish: bool = False) -> list[str]:
    """Where the page is."""
    raise UserError("the listening page is being rewritten")
