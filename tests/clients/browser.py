"""A browser for tests: headless Chromium, spoken to through two pipes with the DevTools protocol.

Standard library only. It reaches this machine only. Expressions that are evaluated are the test's own: they run also where
the page's content security policy or switched-off JavaScript lets no script of the page run.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
SECONDS = 60


class Page:
    """One tab."""

    def __init__(self, browser, session):
        self.browser, self.session = browser, session
        for domain in ["Page", "Runtime", "Network"]:
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, parameters)

    def go(self, url):
        """Opens a page and waits until it is loaded; gives its status."""
        self.browser.events.clear()
        answer = self.call("Page.navigate", url=url)
        assert "errorText" not in answer, f"{url}: {answer}"
        return self._loaded(url)

    def _loaded(self, what):
        self.browser.event("Page.loadEventFired", self.session, what)
        received = [event for event in self.browser.events if event["method"] == "Network.responseReceived"]
        documents = [event["params"]["response"] for event in received if event["params"]["type"] == "Document"]
        return documents[-1]["status"] if documents else None

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def submit(self, expression):
        """Does what sends a form, and waits for the next page."""
        self.browser.events.clear()
        self.evaluate(expression)
        return self._loaded(expression)

    def scripts(self, on):
        """Whether scripts of the page run."""
        self.call("Emulation.setScriptExecutionDisabled", value=not on)

    def look(self, width, height=900, scheme="light"):
        """The size of the window, CSS px, and whether it is `light` or `dark`."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def picture(self):
        """The whole page as PNG."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(answer["data"])


class Browser:
    def __init__(self, process, write, read):
        self.process, self.write, self.read = process, write, read
        self.buffer, self.number, self.events = b"", 0, []

    def call(self, method, session=None, parameters=None):
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": parameters or {}}
        if session:
            message["sessionId"] = session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + SECONDS
        while True:
            answer = self._next(deadline, method)
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def event(self, method, session, what):
        """Waits for an event that came since `events` was cleared, or comes."""
        deadline = time.monotonic() + SECONDS
        while not any(event["method"] == method and event.get("sessionId") == session for event in self.events):
            self._next(deadline, f"{method} of {what}")

    def _next(self, deadline, what):
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.read], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"the browser did not answer within {SECONDS} s: {what}"
            chunk = os.read(self.read, 1 << 20)
            assert chunk, f"the browser has ended: {what}"
            self.buffer += chunk
        line, _, self.buffer = self.buffer.partition(b"\0")
        message = json.loads(line)
        if "method" in message:
            self.events.append(message)
        return message

    @contextlib.contextmanager
    def page(self):
        """A tab with cookies of its own."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", parameters={"url": "about:blank", "browserContextId": context})["targetId"]
        session = self.call("Target.attachToTarget", parameters={"targetId": target, "flatten": True})["sessionId"]
        try:
            yield Page(self, session)
        finally:
            self.call("Target.disposeBrowserContext", parameters={"browserContextId": context})


@contextlib.contextmanager
def running():
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()

    def pipes():
        # The browser reads at 3 and writes at 4; what it was given may stand there already, so first out of the way.
        inbound, outbound = os.dup2(to_read, 63), os.dup2(from_write, 64)
        os.dup2(inbound, 3)
        os.dup2(outbound, 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]
        arguments += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]
        arguments += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"--user-data-dir={profile}"]
        process = subprocess.Popen(
            [PROGRAM, *arguments, "--remote-debugging-pipe"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(3, 4),
            preexec_fn=pipes,
        )
        os.close(to_read)
        os.close(from_write)
        try:
            yield Browser(process, to_write, from_read)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
            os.close(to_write)
            os.close(from_read)
