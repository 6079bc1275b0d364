"""`sebridge listen`: the listening page over HTTP, to this machine alone.

Left out: anything but that one file; whoever wants to show it to others copies it.
"""

import webbrowser
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError

LOOPBACK = "127.0.0.1"


def page() -> tuple[Path, str]:
    """The page of this run, or else the one that the repository holds; and which of the two it is."""
    fresh, kept = paths.results("site", "index.html"), paths.root() / "results" / "site.html"
    if fresh.is_file():
        return fresh, "of this run"
    if kept.is_file():
        return kept, "of the committed run"
    raise UserError(f"{fresh}: the page is not built; `dvc repro site` builds it")


class OnePage(SimpleHTTPRequestHandler):
    """Answers with one file at / and with nothing else."""

    def __init__(self, file: Path, *request):
        self.file = file
        super().__init__(*request)

    def translate_path(self, path: str) -> str:
        return str(self.file) if path in ("/", "/index.html") else ""

    def log_message(self, *_) -> None:
        pass


def server(path: Path, port: int) -> ThreadingHTTPServer:
    """A server of the page that is not yet running."""
    try:
        return ThreadingHTTPServer((LOOPBACK, port), partial(OnePage, path))
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or "not from 0 to 65535"
        raise UserError(f"port {port}: {why}; choose another --port, or none for a free one") from None


def listen(port: int, show: bool) -> None:
    """Shows the page until it is interrupted."""
    path, whose = page()
    with server(path, port) as running:
        address = f"http://{LOOPBACK}:{running.server_address[1]}/"
        print(f"{address}  the listening page {whose}; Ctrl-C ends it", flush=True)
        if show:
            webbrowser.open(address)
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            print()
