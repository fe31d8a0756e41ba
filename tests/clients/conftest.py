"""The server under test and its logins.

A running server is named by COUNTINGHOUSE_FLIGHT (grpc://host:port), COUNTINGHOUSE_HTTP and COUNTINGHOUSE_LOGINS (the
logins.json of its state). Without them, `$COUNTINGHOUSE_BIN demo` is started here, on free ports and a state of its own.
Tests are named after the ids of the conformance table in the Flight SQL design (H1, Q5 ...).
"""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading

import adbc_driver_flightsql.dbapi as flightsql
import adbc_driver_manager
import pytest

READY_SECONDS = 600
PROJECT = pathlib.Path(__file__).resolve().parents[2]
HEADER = "adbc.flight.sql.rpc.call_header."


@dataclasses.dataclass(frozen=True)
class Login:
    name: str
    password: str
    token: str


class Server:
    def __init__(self, flight, http, logins):
        self.flight = flight.rstrip("/")
        self.http = http
        self.logins = {row["name"]: Login(row["name"], row["password"], row["token"]) for row in logins}

    def connect(self, login="head_office", *, token=False, autocommit=True, headers=None):
        """An ADBC connection, by password unless told otherwise."""
        who = self.logins[login]
        if token:
            options = {adbc_driver_flightsql_option("AUTHORIZATION_HEADER"): f"Bearer {who.token}"}
        else:
            options = {"username": who.name, "password": who.password}
        options |= {HEADER + name: value for name, value in (headers or {}).items()}
        return flightsql.connect(self.flight, db_kwargs=options, autocommit=autocommit)


def adbc_driver_flightsql_option(name):
    import adbc_driver_flightsql

    return adbc_driver_flightsql.DatabaseOptions[name].value


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


@pytest.fixture(scope="session")
def server():
    environment = os.environ
    if flight := environment.get("COUNTINGHOUSE_FLIGHT"):
        logins = json.loads(pathlib.Path(environment["COUNTINGHOUSE_LOGINS"]).read_text())
        yield Server(flight, environment.get("COUNTINGHOUSE_HTTP"), logins)
        return
    binary = environment.get("COUNTINGHOUSE_BIN")
    if not binary:
        pytest.exit("name a server by COUNTINGHOUSE_FLIGHT and COUNTINGHOUSE_LOGINS, or its program by COUNTINGHOUSE_BIN", 2)
    with tempfile.TemporaryDirectory() as state:
        command = [binary, "demo", "--project", str(PROJECT), "--state", state]
        command += ["--http", "127.0.0.1:0", "--flight", "127.0.0.1:0"]
        with open(pathlib.Path(state) / "server.log", "w") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=PROJECT)
        # What follows the ready line must be read too, or the server would wait for a full pipe.
        try:
            addresses = _ready(process)
            threading.Thread(target=process.stdout.read, daemon=True).start()
            logins = json.loads((pathlib.Path(state) / "logins.json").read_text())
            yield Server(addresses["flight"], addresses["http"], logins)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture
def connection(server):
    """A connection of the head office's analyst."""
    with server.connect() as connection:
        yield connection


@pytest.fixture
def cursor(connection):
    with connection.cursor() as cursor:
        yield cursor


def refused(error):
    """Code, text and the details (`google.rpc.ErrorInfo`) of an ADBC error."""
    details = b"".join(value for key, value in error.details if key == b"grpc-status-details-bin")
    return error.status_code, str(error), details


Status = adbc_driver_manager.AdbcStatusCode
