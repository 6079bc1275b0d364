"""`sebridge listen`: the listening page over HTTP, to this machine alone.

Left out: anything but that one file; whoever wants to show it to others copies it.
"""

import webbrowser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError

LOOPBACK = "127.0.0.1"


def page() -> tuple[Path, str]:
    """The page of this run, else the one that the repository holds, and which of them it is."""
    own, kept = paths.results("site", "index.html"), paths.root() / "results" / "site.html"
    if own.is_file():
        return own, "of this run"
    if kept.is_file():
        return kept, "of the committed run"
    raise UserError(f"{own}: the page is not built; `dvc repro site` builds it")


def server(path: Path, port: int) -> ThreadingHTTPServer:
    """Answers with the page at / and with nothing else."""
    content = path.read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in ("/", "/index.html"):
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_) -> None:
            pass

    try:
        return ThreadingHTTPServer((LOOPBACK, port), Handler)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or "not from 0 to 65535"
        raise UserError(f"port {port}: {why}; choose another --port, or none for a free one") from None


def listen(port: int, show: bool) -> None:
    """Until it is interrupted."""
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
