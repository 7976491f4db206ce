"""Debian's Chromium, driven over its DevTools protocol: a page that goes on by itself can be waited for, and typed to."""

import asyncio
import base64
import json
import shutil
import subprocess
import time
from pathlib import Path
from urllib.request import urlopen

from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

BROWSER = shutil.which("chromium")
FLAGS = (
    "no-sandbox disable-gpu no-first-run disable-background-networking disable-component-update disable-sync hide-scrollbars"
)


class Browser:
    """One headless browser with one page; a context manager. `wrong` are errors that its console saw."""

    def __init__(self, folder: Path) -> None:
        port_file = folder / "profile" / "DevToolsActivePort"
        flags = [f"--{name}" for name in FLAGS.split()]
        self._process = subprocess.Popen(
            [BROWSER, "--headless=new", *flags, "--remote-debugging-port=0", f"--user-data-dir={folder / 'profile'}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._loop = asyncio.new_event_loop()
        self._number = 0
        self.wrong: list[str] = []
        try:
            deadline = time.monotonic() + 30
            while not port_file.exists() or not port_file.read_text().strip():
                assert time.monotonic() < deadline, "the browser did not start"
                time.sleep(0.05)
            port = port_file.read_text().split()[0]
            with urlopen(f"http://127.0.0.1:{port}/json/list") as reply:
                page = next(one for one in json.load(reply) if one["type"] == "page")
            self._socket = self._loop.run_until_complete(self._connect(page["webSocketDebuggerUrl"]))
            for domain in ("Page", "Runtime", "Log"):
                self.call(f"{domain}.enable")
        except BaseException:
            self._process.kill()
            raise

    @staticmethod
    async def _connect(url):
        return await websocket_connect(HTTPRequest(url), max_message_size=1 << 26)

    def call(self, method, **parameters):
        """The result of one command; what the console says on the way is noted."""
        self._number += 1
        return self._loop.run_until_complete(asyncio.wait_for(self._call(self._number, method, parameters), 30))

    async def _call(self, number, method, parameters):
        await self._socket.write_message(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(await self._socket.read_message())
            if message.get("method") == "Runtime.exceptionThrown":
                self.wrong.append(json.dumps(message["params"]["exceptionDetails"])[:500])
            if message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
                self.wrong.append(message["params"]["entry"]["text"])
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def size(self, width, height, *, dark=False, phone=False):
        """The window, and the system's colour scheme."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)

    def open(self, url):
        self.call("Page.navigate", url=url)

    def ask(self, expression):
        """A JavaScript expression's value."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait(self, expression, seconds=20):
        """Until an expression holds."""
        deadline = time.monotonic() + seconds
        while not (value := self.ask(expression)):
            assert time.monotonic() < deadline, f"never came: {expression}; {self.ask('document.body.innerText')[:600]}"
            time.sleep(0.05)
        return value

    def press(self, key, code=None, **more):
        """A key, as typed."""
        text = {"text": key} if len(key) == 1 else {}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=code or key, **(text if kind == "keyDown" else {}), **more
            )

    def shot(self, path):
        """A screenshot, as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def close(self):
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._loop.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
