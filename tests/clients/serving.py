"""The server under test and its logins. Every client suite uses this file, so it needs the standard library only.

A running server is named by COUNTINGHOUSE_FLIGHT (grpc://host:port), COUNTINGHOUSE_HTTP and COUNTINGHOUSE_LOGINS (the
logins.json of its state). Without them, `$COUNTINGHOUSE_BIN demo` is started here, on free ports and a state of its own.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading

READY_SECONDS = 600
PROJECT = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Login:
    name: str
    password: str
    token: str


class Server:
    def __init__(self, flight, http, logins, state=None):
        self.flight = flight.rstrip("/")
        self.http = http
        # The folder of its state, where it is known.
        self.state = state
        self.logins = {row["name"]: Login(row["name"], row["password"], row["token"]) for row in logins}


class NotNamed(Exception):
    """Neither a server nor its program is named."""


def _ready(process):
    """The addresses of the line `ready http=… flight=…`, or what the server said instead."""
    said = []
    timer = threading.Timer(READY_SECONDS, process.kill)
    timer.start()
    try:
        for line in process.stdout:
            said.append(line)
            if line.startswith("ready "):
                return dict(part.split("=", 1) for part in line.split()[1:])
    finally:
        timer.cancel()
    raise RuntimeError("the server did not get ready:\n" + "".join(said[-50:]))


@contextlib.contextmanager
def running(kind=Server):
    """A server for as long as it is needed, as an object of the class `kind`."""
    environment = os.environ
    if flight := environment.get("COUNTINGHOUSE_FLIGHT"):
        logins = json.loads(pathlib.Path(environment["COUNTINGHOUSE_LOGINS"]).read_text())
        yield kind(flight, environment.get("COUNTINGHOUSE_HTTP"), logins)
        return
    binary = environment.get("COUNTINGHOUSE_BIN")
    if not binary:
        raise NotNamed("name a server by COUNTINGHOUSE_FLIGHT and COUNTINGHOUSE_LOGINS, or its program by COUNTINGHOUSE_BIN")
    with tempfile.TemporaryDirectory() as state:
        command = [binary, "demo", "--project", str(PROJECT), "--state", state]
        command += ["--http", "127.0.0.1:0", "--flight", "127.0.0.1:0"]
        with open(pathlib.Path(state) / "server.log", "w") as log:
            # Tests publish when they say so: 58 PDF files at every start would be nobody's test.
            quiet = {**os.environ, "COUNTINGHOUSE_NO_SCHEDULES": "1"}
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=PROJECT, env=quiet)
        # What follows the ready line must be read too, or the server would wait for a full pipe.
        try:
            addresses = _ready(process)
            threading.Thread(target=process.stdout.read, daemon=True).start()
            logins = json.loads((pathlib.Path(state) / "logins.json").read_text())
            yield kind(addresses["flight"], addresses["http"], logins, state)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
