"""The servers: how each is started, logged in to, and what it calls the common table.

The common table is `dim_product` of the sample bank, twelve rows that no server changes. Ours has it among its base tables,
peers get it as a Parquet file made of the same CSV file; the rows that checks compare with are read from that file.
"""

import contextlib
import csv
import datetime
import decimal
import os
import pathlib
import signal
import socket
import subprocess
import time

import adbc_driver_flightsql.dbapi as flightsql
import pyarrow as pa
import pyarrow.parquet as pq
import serving
from conformance.contract import holds
from conformance.rpc import SECONDS, Wire
from wire import basic

CSV = serving.PROJECT / "sample_data/batch-0001/products.csv"
PEERS = pathlib.Path(__file__).resolve().parent / "peers"
READY_SECONDS = 60

SCHEMA = pa.schema([
    ("product_id", pa.string()), ("product_name", pa.string()), ("risk_level_code", pa.string()), ("is_asset", pa.bool_()),
    ("margin_rate", pa.decimal128(9, 6)), ("launched_on", pa.date32()),
])


def common_rows():
    """The rows of the common table in order of product_id."""
    kinds = {"is_asset": lambda text: text == "true", "margin_rate": decimal.Decimal}
    kinds["launched_on"] = datetime.date.fromisoformat
    with open(CSV, encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["product_id"])
    return [{name: kinds.get(name, str)(row[name]) if row[name] else None for name in SCHEMA.names} for row in rows]


ROWS = common_rows()


class Server:
    """What checks know of a server."""

    title = package = ""
    ours = False
    # It takes INSERT, so its answers to writes are judged by what they do.
    writes = False
    # Name and password, API token: where the server has them.
    user = password = token = None
    # Catalog, schema and name of the common table in metadata.
    place = (None, None, "dim_product")
    # What stands in FROM for it.
    source = "dim_product"
    # How parameters are written where a statement has some: `?` or `$1`.
    mark = "?"
    # How a name is quoted.
    quote = '"'
    # Catalog and schema in which a check may create tables, where `writes`; none is the session's own.
    scratch = (None, None)

    def __init__(self, address):
        self.address = address

    # -- logging in

    def bare(self, authorization=None, jar=None, **headers):
        """A connection with this authorization, or none."""
        return Wire(self.address, ({"authorization": authorization} if authorization else {}) | headers, jar)

    def authorization(self):
        """What a client that was told all credentials sends."""
        if self.token:
            return f"Bearer {self.token}"
        if self.password:
            with self.bare(basic(self.user, self.password)) as wire:
                return wire.handshake()
        return None

    def wire(self, jar=None, **headers):
        return self.bare(self.authorization(), jar, **headers)

    def session(self):
        """A connection with a session that no other shares, where the server has sessions."""
        if self.ours:
            with self.bare(basic(self.user, self.password)) as wire:
                return self.bare(wire.handshake())
        return self.wire()

    def passwords(self):
        """Logins by password, among them one whose base64 needs padding."""
        return [(self.user, self.password)]

    def adbc(self, autocommit=True):
        """A connection of the ADBC driver that waits no longer than a check."""
        kinds = ("fetch", "query", "update")
        options = {f"adbc.flight.sql.rpc.timeout_seconds.{kind}": str(float(SECONDS)) for kind in kinds}
        if self.password:
            options |= {"username": self.user, "password": self.password}
        elif self.token:
            options |= {"adbc.flight.sql.authorization_header": f"Bearer {self.token}"}
        return flightsql.connect(f"grpc://{self.address}", db_kwargs=options, autocommit=autocommit)

    def made(self, name):
        """The full name of a table that a check may create."""
        return ".".join([*filter(None, self.scratch), name])

    # -- statements on the common table

    @property
    def select(self):
        return f"SELECT {', '.join(SCHEMA.names)} FROM {self.source} AS p ORDER BY product_id"

    def crossed(self, select, times, where=""):
        """The common table with itself: 12 ** times rows."""
        names = "abcdefghijkl"[:times]
        return f"SELECT {select} FROM " + " CROSS JOIN ".join(f"{self.source} AS {name}" for name in names) + where

    @property
    def large(self):
        """22 MB in 20,736 rows; see `LARGE_ROWS` and `LARGE_TEXT`."""
        ids = "a.product_id AS one, b.product_id AS two, c.product_id AS three, d.product_id AS four"
        return self.crossed(f"{ids}, repeat(a.product_name, 60) AS text", 4)

    @property
    def endless(self):
        """One row after hours of work."""
        names = "abcdefghij"
        sums = " + ".join(f"{name}.margin_rate" for name in names)
        return self.crossed("COUNT(*) AS n", len(names), f" WHERE {sums} > 0.000001")


LARGE_ROWS = 12**4
LARGE_TEXT = 12**3 * 60 * sum(len(row["product_name"]) for row in ROWS)


class Countinghouse(Server):
    title = "Countinghouse"
    ours = True
    user = "head_office"
    place = ("countinghouse", "warehouse", "dim_product")
    # Without the row of the unknown member.
    source = "(SELECT * FROM warehouse.dim_product WHERE product_sk > 0)"
    # Where sessions are kept; needed by H6.
    state = None

    def __init__(self, server):
        """`server` as serving.py runs it."""
        super().__init__(server.flight.removeprefix("grpc://"))
        self.logins = server.logins
        self.password, self.token = self.logins[self.user].password, self.logins[self.user].token
        state = getattr(server, "state", None) or os.path.dirname(os.environ.get("COUNTINGHOUSE_LOGINS", ""))
        self.state = pathlib.Path(state) if state else None

    def passwords(self):
        return [(name, self.logins[name].password) for name in ("admin", "head_office", "beijing")]

    def other(self, name):
        """A connection of another login."""
        return self.bare(f"Bearer {self.logins[name].token}")


class Peer(Server):
    """A server of another project, in the virtual environment `venv`."""

    name = ""

    def __init__(self, venv, folder):
        super().__init__(f"127.0.0.1:{free_port()}")
        self.venv, self.folder = venv, folder
        self.process = None

    @property
    def port(self):
        return int(self.address.rsplit(":", 1)[1])

    def command(self, parquet):
        """Program and arguments, and what its environment has besides."""
        raise NotImplementedError

    # What makes the common table of the file FILE, and whatever else the checks need.
    definitions = []

    def define(self, parquet):
        with self.wire() as wire:
            for sql in self.definitions:
                info = wire.query(sql.replace("FILE", str(parquet)))
                for endpoint in info.endpoints:
                    wire.get(endpoint.ticket)

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        parquet = self.folder / "dim_product.parquet"
        pq.write_table(pa.Table.from_pylist(ROWS, SCHEMA), parquet)
        command, environment = self.command(parquet)
        with open(self.folder / "server.log", "a") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, env=os.environ | environment,
                start_new_session=True,
            )
        until = time.monotonic() + READY_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                holds(self.process.poll() is None, f"{self.title} ended with {self.process.returncode}: {self.tail()}")
                holds(time.monotonic() < until, f"{self.title} does not listen: {self.tail()}")
                time.sleep(0.2)
        self.define(parquet)

    def tail(self):
        return (self.folder / "server.log").read_text(errors="replace")[-600:]

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def working(self):
        """Most of the time one of its threads has the processor or waits for it, so a busy machine makes no difference."""
        seen = 0
        for _ in range(20):
            time.sleep(0.05)
            for stat in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/stat"):
                with contextlib.suppress(OSError):
                    if stat.read_text().rsplit(")", 1)[1].split()[0] == "R":
                        seen += 1
                        break
        return seen > 10

    def version(self):
        """As its file of requirements pins it."""
        lines = (PEERS / f"{self.name}.txt").read_text().splitlines()
        return next(line.split("==")[1].strip() for line in lines if line.startswith(f"{self.package}=="))


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Roapi(Peer):
    title, name, package = "ROAPI", "roapi", "roapi"
    user, password, token = "tester", "correct-horse1", "a-token-of-the-test"
    place = ("roapi", "public", "dim_product")
    mark = "$"

    def command(self, parquet):
        config = self.folder / "roapi.yml"
        config.write_text(
            f"addr:\n  http: 127.0.0.1:{free_port()}\n  postgres: 127.0.0.1:{free_port()}\n  flight_sql: {self.address}\n"
            f"tables:\n  - name: dim_product\n    uri: {parquet}\n"
            f"flight_sql_config:\n  auth_token: {self.token}\n"
            f"  auth_basic: {{username: {self.user}, password: {self.password}}}\n"
        )
        return [self.venv / "bin/roapi", "--config", config], {}


class BenoStreamDB(Peer):
    title, name, package = "BenoStreamDB", "benostreamdb", "benostreamdb-flight"
    writes = True
    token = "a-token-of-the-test"
    place = ("datafusion", "default", "dim_product")
    mark = "$"
    scratch = ("scratch", "made")
    definitions = [
        "CREATE EXTERNAL TABLE dim_product STORED AS PARQUET LOCATION 'FILE'",
        "CREATE DATABASE scratch",
        "CREATE SCHEMA scratch.made",
    ]

    def command(self, parquet):
        environment = {
            "BSDB_FLIGHT_BIND": "127.0.0.1", "BSDB_FLIGHT_PORT": str(self.port), "BSDB_METRICS_PORT": str(free_port()),
            "BSDB_WAREHOUSE": str(self.folder / "warehouse"), "BSDB_API_KEY": self.token, "HOME": str(self.folder),
        }
        return [self.venv / "bin/benostreamdb-flight"], environment


class Sail(Peer):
    title, name, package = "Sail", "sail", "pysail"
    writes = True
    place = ("sail", "default", "dim_product")
    quote = "`"
    definitions = ["CREATE TABLE dim_product USING parquet LOCATION 'FILE'"]

    def command(self, parquet):
        return [self.venv / "bin/sail", "flight", "server", "--ip", "127.0.0.1", "--port", str(self.port)], {}


ALL_PEERS = [Roapi, BenoStreamDB, Sail]
