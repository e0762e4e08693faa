"""A headless Chromium driven over its debugging protocol."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = """
--headless --no-sandbox --disable-gpu --disable-quic --no-first-run
--disable-background-networking --disable-component-update --disable-sync
--remote-debugging-port=0 --remote-allow-origins=* --window-size=1300,1000
"""


def chromium() -> str | None:
    """The program, None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


class Page:
    """The one page of a browser."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._number = 0
        self._socket = self._loop.run_until_complete(self._connect(url))

    async def _connect(self, url: str) -> Any:
        from tornado.websocket import websocket_connect

        return await websocket_connect(url, max_message_size=2**26)

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """One command and its answer."""
        self._number += 1
        return self._loop.run_until_complete(self._send(self._number, method, params))

    async def _send(self, number: int, method: str, params: dict[str, Any]) -> dict[str, Any]:
        await self._socket.write_message(
            json.dumps({"id": number, "method": method, "params": params})
        )
        while True:
            text = await asyncio.wait_for(self._socket.read_message(), 30)
            assert text is not None, "the browser has gone"
            answer = json.loads(text)
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def evaluate(self, code: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self.send("Runtime.evaluate", expression=code, returnByValue=True)
        return answer["result"].get("value")

    def wait_for(self, code: str, timeout_s: float = 30) -> Any:
        """Wait until an expression is true; its value."""
        deadline = time.monotonic() + timeout_s
        while not (value := self.evaluate(code)):
            assert time.monotonic() < deadline, f"never true: {code}"
            time.sleep(0.1)
        return value

    def click(self, x: float, y: float) -> None:
        """Press and release the left button."""
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str, code: str) -> None:
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if kind == "keyDown" and len(key) == 1 else {}
            number = {"windowsVirtualKeyCode": ord(key.upper())} if len(key) == 1 else {}
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=code, **text, **number)

    def screenshot(self, path: Path) -> None:
        """Write a PNG."""
        answer = self.send("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(answer["data"]))

    def close(self) -> None:
        """Let go of the page."""
        self._socket.close()
        self._loop.run_until_complete(asyncio.sleep(0.1))
        self._loop.close()


@contextmanager
def open_page(url: str, profile: Path) -> Iterator[Page]:
    """Start a browser with a profile of its own on a page."""
    program = chromium()
    assert program is not None
    command = [program, *FLAGS.split(), f"--user-data-dir={profile}", url]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet) as browser:  # type: ignore[call-overload]
        try:
            port_file, deadline = profile / "DevToolsActivePort", time.monotonic() + 60
            while not port_file.exists() or not port_file.read_text().strip():
                assert browser.poll() is None, "the browser did not start"
                assert time.monotonic() < deadline, "the browser did not start within a minute"
                time.sleep(0.1)
            port = int(port_file.read_text().splitlines()[0])
            targets: list[dict[str, Any]] = []
            while not targets:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
                    targets = [t for t in json.load(answer) if t["type"] == "page"]
            page = Page(targets[0]["webSocketDebuggerUrl"])
            try:
                yield page
            finally:
                page.close()
        finally:
            browser.terminate()
            browser.wait(20)
