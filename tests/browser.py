"""A headless Chromium for tests of pages: `with Browser(tmp_path) as page: page.open(file); page.run("1 + 1")`.

Driven by the DevTools protocol over the websocket client that Jupyter brings. Left out: more than one tab.
"""

import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this system: apt-get install chromium")
# Only our own pages are opened, so the sandbox, which a container may forbid, can go.
FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage --mute-audio --no-first-run
    --disable-background-networking --disable-component-update --disable-sync --disable-breakpad
    --remote-debugging-port=0"""
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
PATIENCE = 30.0  # seconds, of a machine that is busy with something else


class Browser:
    """One tab. `errors`: what the console or the network complained of; `requests`: addresses of what was loaded."""

    def __init__(self, folder: Path):
        self.folder, self.errors, self.requests, self._count = folder, [], [], 0

    def __enter__(self):
        profile = self.folder / "chromium"
        command = [CHROMIUM, *FLAGS.split(), f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port = soon(lambda: (profile / "DevToolsActivePort").read_text().split()[0], "Chromium to start")
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=PATIENCE) as reply:
                (tab,) = [one for one in json.load(reply) if one["type"] == "page"]
            self._socket = websocket.create_connection(
                tab["webSocketDebuggerUrl"], timeout=PATIENCE, suppress_origin=True
            )
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.call(f"{domain}.enable")
            self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.folder))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def call(self, method: str, **params) -> dict:
        """A command of the protocol, answered."""
        self._count += 1
        self._socket.send(json.dumps({"id": self._count, "method": method, "params": params}))
        while (message := self._next()).get("id") != self._count:
            pass
        assert "error" not in message, f"{method}: {message.get('error')}"
        return message["result"]

    def _next(self) -> dict:
        message = json.loads(self._socket.recv())
        method, params = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.errors.append(str([argument.get("value") for argument in params["args"]]))
        return message

    def open(self, page: Path | str) -> None:
        """A file or an address, until it has loaded."""
        self.call("Page.navigate", url=page.resolve().as_uri() if isinstance(page, Path) else page)
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def run(self, script: str):
        """The value of an expression, or of the promise that it is, as if a person had asked for it."""
        how = {"awaitPromise": True, "returnByValue": True, "userGesture": True}
        answer = self.call("Runtime.evaluate", expression=script, **how)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, script: str):
        """The value of an expression as soon as it is true."""
        return soon(lambda: self.run(script), script)

    def press(self, *keys: str) -> None:
        for key in keys:
            text = "\r" if key == "Enter" else key if len(key) == 1 else ""
            code = KEYS.get(key) or ord(key.upper())
            self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, windowsVirtualKeyCode=code)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def viewport(self, width: int, height: int = 800, dark: bool = False) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])


def soon(found, what: str):
    """What `found()` gives as soon as it gives something."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if value := found():
                return value
        except (OSError, IndexError):
            pass
        time.sleep(0.05)
    raise AssertionError(f"waited {PATIENCE:.0f} s in vain for {what}")
