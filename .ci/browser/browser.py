"""A headless Chromium, driven over the Chrome DevTools Protocol on a pipe: needs nothing but Python."""

import base64
import json
import os
import select
import subprocess
import time

TIMEOUT = 30


class Browser:
    def __init__(self, program, profile, size):
        # Chromium reads commands from descriptor 3 and writes to descriptor 4; a NUL ends each message.
        commands, self._commands = os.pipe()
        self._messages, messages = os.pipe()

        def descriptors():
            # Both may have the number that the other needs.
            reading, writing = os.dup(commands), os.dup(messages)
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        self._process = subprocess.Popen(
            [
                program,
                "--headless=new",
                "--remote-debugging-pipe",
                f"--user-data-dir={profile}",
                "--no-first-run",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                # The sandbox does not work for root, which CI is.
                *(["--no-sandbox"] if os.getuid() == 0 else []),
                "about:blank",
            ],
            preexec_fn=descriptors,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(messages)
        self._buffer = b""
        self._last = 0
        # Errors of the pages: exceptions, refused resources, violations of the content security policy.
        self.errors = []
        self.events = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ["Page", "Runtime", "Log"]:
            self.call(f"{domain}.enable")
        width, height = size
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    _session = None

    def call(self, method, **params):
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + TIMEOUT
        while True:
            answer = self._receive(deadline)
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]

    def _receive(self, deadline):
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._messages], [], [], max(0, deadline - time.monotonic()))
            assert ready, "Chromium does not answer"
            octets = os.read(self._messages, 1 << 20)
            assert octets, "Chromium has ended"
            self._buffer += octets
        message, self._buffer = self._buffer.split(b"\0", 1)
        message = json.loads(message)
        if message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(message["params"])[:500])
        if message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
            self.errors.append(message["params"]["entry"]["text"])
        return message

    def open(self, url):
        self.call("Page.navigate", url=url)

    def evaluate(self, script):
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, script):
        """Waits until the script gives something true, and returns it. A DOM node arrives as an empty object: false."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            value = self.evaluate(script)
            if value:
                return value
            if time.monotonic() > deadline:
                page = self.evaluate("document.body.innerText")
                raise AssertionError(f"{page}\nnot on the page: {script}")
            time.sleep(0.1)

    def click(self, selector):
        """Clicks in the middle of an element, as a mouse does."""
        point = self.wait(
            f"""(() => {{
              const element = document.querySelector({json.dumps(selector)});
              if (!element) return null;
              element.scrollIntoView({{ block: "center" }});
              const box = element.getBoundingClientRect();
              return {{ x: box.x + box.width / 2, y: box.y + box.height / 2 }};
            }})()"""
        )
        for kind in ["mousePressed", "mouseReleased"]:
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **point)

    def type(self, selector, text):
        """Replaces the text of a field, as the keyboard does, and leaves it."""
        self.click(selector)
        self.evaluate(f"document.querySelector({json.dumps(selector)}).select()")
        self.call("Input.insertText", text=text)
        self.evaluate("document.activeElement.blur()")

    def screenshot(self, path):
        """Writes WebP, or PNG if the path ends so."""
        form = {"format": "png"} if path.endswith(".png") else {"format": "webp", "quality": 75}
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("Page.captureScreenshot", **form)["data"]))

    def close(self):
        self._process.terminate()
        self._process.wait()
