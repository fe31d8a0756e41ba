"""The Star Schema Benchmark: Countinghouse beside DuckDB and DataFusion, in one run on one machine.

    COUNTINGHOUSE_BIN=... python run.py --scale 1 --dir DIR

Rows are derived from TPC-H (data.py), delivered as a feed, loaded, and their rollups refreshed; then a server answers the
thirteen queries (queries.py) over Flight SQL. Every answer is compared with the other engines' cell for cell before
anything is timed. Engines take turns query by query: one run to compare and to warm up, then the best of three, on the same
processors for all. A result is timed until it is an Arrow table in this process, not the release of what it came by;
processor time includes the server's.

countinghouse    Flight SQL, rollups may answer
facts            Flight SQL, rollups off
duckdb_native    DuckDB, its own tables
duckdb_plain     DuckDB, one unsorted Parquet file per table
datafusion_plain DataFusion as it comes from PyPI, the same files
duckdb_own       DuckDB, the Parquet files that Countinghouse wrote; this and the next show what its layout alone is worth
datafusion_own   DataFusion, the same files

--growth SMALLER asks what rollups answer of the state of a smaller scale factor too, in turns: such a question takes as long
over ten times the facts. --memory MIB sets what one statement may hold. Facts are read from their files, as the others read
theirs; --columns MIB lets them stay in memory, decoded, as they do in a server that is not told otherwise. After the queries one large question is asked of the
facts (queries.py: LARGE), whose groups do not fit into the budget at scale factor 10 and are spilled.

DIR/SCALE keeps data, state and results (result.json, result.md); a second run makes and loads nothing twice. Nothing listens
but the server, on loopback, and it is stopped in the end. Exit code: 0 good, 1 answers differ, 2 it could not run.
"""

import argparse
import dataclasses
import datetime
import decimal
import hashlib
import importlib.metadata
import itertools
import json
import math
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import adbc_driver_flightsql
import adbc_driver_flightsql.dbapi as flightsql
import datafusion
import duckdb
import pyarrow

import data
from queries import LARGE, QUERIES

PROJECT = Path(__file__).resolve().parent
THREADS = 2  # as in countinghouse.yaml
MEMORY_MIB = 2048  # likewise
ROUNDS = 3
READY_SECONDS = 60
ROLLUPS_OFF = {"countinghouse-rollups": "off"}
# Every answer is computed. Plans are kept, as they are for any tool that asks a question again.
COMPUTED = {"countinghouse-cache": "off"}
GOALS = {"hits": 0.1, "misses": 1.0}


class Failed(Exception):
    """The benchmark could not run; the text says why."""


@dataclasses.dataclass
class Place:
    """Where things lie."""

    folder: Path
    binary: str
    project: Path = PROJECT

    def __post_init__(self):
        self.plain = self.folder / "plain"
        self.database = self.folder / "native.duckdb"
        self.feed = self.folder / "feed"
        self.state = self.folder / "state"
        self.loaded = self.folder / "loaded.json"
        self.own = self.folder / "own"

    def countinghouse(self, *arguments, seconds, stdin=""):
        """Runs a command to its end and gives what it printed."""
        command = [self.binary, "--project", str(self.project), "--state", str(self.state), *map(str, arguments)]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=seconds)
        if done.returncode:
            raise Failed(f"countinghouse {' '.join(map(str, arguments))}: {done.stderr.strip()}")
        return done.stdout


# ---- data and state ---------------------------------------------------------------------------------------------------


def said(text):
    print(text, file=sys.stderr, flush=True)


def prepare(place, scale, seconds):
    """Makes what is not there yet; gives seconds of load and refresh, and what refresh said."""
    rules = f"{data.VERSION} {scale}"
    if not (place.plain / "made").exists() or (place.plain / "made").read_text() != rules:
        said(f"making the tables of scale factor {scale}")
        generator = shutil.which("tpchgen-cli", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
        if not generator:
            raise Failed("tpchgen-cli is not installed: see requirements.txt")
        data.make(place.plain, scale, generator, THREADS, in_memory(place), seconds)
        (place.plain / "made").write_text(rules)
    if not place.database.exists() or place.database.stat().st_mtime < (place.plain / "made").stat().st_mtime:
        said("loading DuckDB's own tables")
        fresh = place.folder / "fresh.duckdb"
        fresh.unlink(missing_ok=True)
        with duckdb.connect(str(fresh), config={"threads": THREADS}) as connection:
            for table in data.TABLES:
                connection.execute(f"CREATE TABLE {table} AS FROM '{place.plain / table}.parquet'")
        fresh.rename(place.database)

    tables = hashlib.sha256((PROJECT / "countinghouse.yaml").read_bytes()).hexdigest()
    known = json.loads(place.loaded.read_text()) if place.loaded.exists() else {}
    if known.get("rules") != rules or known.get("tables") != tables:
        shutil.rmtree(place.state, ignore_errors=True)
        place.loaded.unlink(missing_ok=True)
        feeds = data.write_feed(place.feed, place.plain, in_memory(place))
        said("loading the feed")
        started = time.monotonic()
        place.countinghouse("load", *feeds, seconds=seconds)
        known = {"rules": rules, "tables": tables, "load_seconds": round(time.monotonic() - started, 1)}
        place.countinghouse("user", "add", "bench", "--role", "analyst", seconds=60)
        place.loaded.write_text(json.dumps(known))
        shutil.rmtree(place.feed)
    started = time.monotonic()
    refreshed = place.countinghouse("refresh", seconds=seconds)
    said(refreshed.rstrip())
    if "built" in refreshed:
        known |= {"refresh_seconds": round(time.monotonic() - started, 1)}
        place.loaded.write_text(json.dumps(known))
    return known


def in_memory(place):
    connection = duckdb.connect(config={"threads": THREADS, "temp_directory": str(place.folder / "spill")})
    connection.execute("SET parquet_metadata_cache = true")
    return connection


# ---- engines ----------------------------------------------------------------------------------------------------------


class Server:
    """`countinghouse serve` on free ports of loopback."""

    def __init__(self, place):
        self.place = place

    def __enter__(self):
        command = [self.place.binary, "--project", str(self.place.project), "--state", str(self.place.state), "serve"]
        command += ["--http", "127.0.0.1:0", "--flight", "127.0.0.1:0"]
        log = self.place.folder / "server.log"
        with open(log, "w") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        timer = threading.Timer(READY_SECONDS, self.process.kill)
        timer.start()
        try:
            for line in self.process.stdout:
                if line.startswith("ready "):
                    self.flight = dict(part.split("=", 1) for part in line.split()[1:])["flight"]
                    break
            else:
                raise Failed(f"the server did not get ready: {log.read_text().strip()}")
        except BaseException:
            self.stop()
            raise
        finally:
            timer.cancel()
        # What follows must be read too, or the server would wait for a full pipe.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def cpu_seconds(self):
        """Processor time of all its threads, or None where the system does not tell."""
        try:
            tasks = Path(f"/proc/{self.process.pid}/task")
            return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9
        except OSError:
            return None

    def peak_mib(self):
        """Most memory that it ever held, or None where the system does not tell."""
        try:
            lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
            return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))
        except (OSError, StopIteration):
            return None


class Countinghouse:
    cube = True

    def __init__(self, server, token, headers):
        options = {adbc_driver_flightsql.DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {token}"}
        options |= {f"adbc.flight.sql.rpc.call_header.{name}": value for name, value in (COMPUTED | headers).items()}
        self.server = server
        self.texts = itertools.count()
        self.connection = flightsql.connect(server.flight, db_kwargs=options, autocommit=True)
        self.cursor = self.connection.cursor()
        self.stream = None

    def run(self, sql):
        # Planned once: `cursor.execute` would prepare the statement first and have it planned twice.
        statement = self.cursor.adbc_statement
        statement.set_sql_query(sql)
        stream, _ = statement.execute_query()
        self.stream = pyarrow.RecordBatchReader.from_stream(stream)
        return self.stream.read_all()

    def release(self):
        # The driver runs a full garbage collection of its own when a stream is released, more than a millisecond.
        self.stream = None

    def cpu_seconds(self):
        served = self.server.cpu_seconds()
        return None if served is None else served + time.process_time()

    def planned(self, sql):
        """Milliseconds of one call that has the statement planned anew and not run."""
        with self.connection.cursor() as cursor:
            cursor.adbc_statement.set_sql_query(f"{sql} -- {next(self.texts)}")
            started = time.perf_counter()
            cursor.adbc_statement.prepare()
            return 1000 * (time.perf_counter() - started)

    def source(self, sql):
        """Which rollup answers (none: facts), and why the others do not: out of the server's record of the statement."""
        mark = uuid.uuid4().hex
        self.run(f"{sql} -- {mark}")
        find = f"SELECT rollup, reasons FROM system.queries WHERE sql LIKE '%-- {mark}' AND status = 'ok'"
        for _ in range(50):
            if rows := self.run(find).to_pylist():
                return rows[0]["rollup"], rows[0]["reasons"]
            time.sleep(0.1)  # the record is written behind the answer
        raise Failed(f"system.queries has no row of {sql}")


class DuckDb:
    cube = False

    def __init__(self, connection):
        self.connection = connection

    @classmethod
    def over(cls, place, select):
        """Over Parquet files: `select` gives what a table stands for."""
        connection = in_memory(place)
        for table in data.TABLES:
            connection.execute(f"CREATE VIEW {table} AS {select(table)}")
        return cls(connection)

    def run(self, sql):
        return self.connection.sql(sql).to_arrow_table()

    def release(self):
        pass

    def cpu_seconds(self):
        return time.process_time()


class DataFusion:
    cube = False

    def __init__(self, files, columns):
        self.context = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(THREADS))
        for table in data.TABLES:
            if table in columns:
                self.context.register_parquet(f"own_{table}", str(files(table)))
                self.context.sql(f"CREATE VIEW {table} AS SELECT {columns[table]} FROM own_{table}").collect()
            else:
                self.context.register_parquet(table, str(files(table)))

    def run(self, sql):
        return self.context.sql(sql).to_arrow_table()

    def release(self):
        pass

    def cpu_seconds(self):
        return time.process_time()


def new_token(place):
    text = place.countinghouse("token", "create", "bench", "--label", "benchmark", "--days", 1, seconds=60)
    return next(word for word in reversed(text.split()) if len(word) > 20)


def engines(place, server):
    """Every engine by name, and why some are left out."""
    token = new_token(place)
    found = {"countinghouse": Countinghouse(server, token, {})}
    left_out = {}
    try:
        facts = Countinghouse(server, token, ROLLUPS_OFF)
        rollup, _ = facts.source("SELECT SUM(revenue) FROM lineorder")
        if rollup:
            raise Failed(f"the rollup `{rollup}` answered all the same")
        found["facts"] = facts
    except Exception as error:
        left_out["facts"] = f"the server does not turn rollups off: {str(error).splitlines()[0]}"
    plain = lambda table: place.plain / f"{table}.parquet"
    columns = data.link_stored(place.own, place.state / "warehouse")
    own = lambda table: place.own / table if table in columns else plain(table)
    own_sql = lambda table: (
        f"SELECT {columns[table]} FROM '{own(table)}/*.parquet'" if table in columns else f"FROM '{plain(table)}'"
    )
    found["duckdb_native"] = DuckDb(
        duckdb.connect(str(place.database), read_only=True, config={"threads": THREADS})
    )
    found["duckdb_plain"] = DuckDb.over(place, lambda table: f"FROM '{plain(table)}'")
    found["datafusion_plain"] = DataFusion(plain, {})
    found["duckdb_own"] = DuckDb.over(place, own_sql)
    found["datafusion_own"] = DataFusion(own, columns)
    return found, left_out


# ---- comparing and timing ---------------------------------------------------------------------------------------------


def cells(table):
    """Rows in which equal values are equal: exact decimals without trailing zeros, years as numbers."""

    def plain(value):
        if isinstance(value, float):
            raise Failed(f"an amount is a float: {value}")
        if isinstance(value, (int, decimal.Decimal)):
            return decimal.Decimal(value).normalize()
        if isinstance(value, datetime.date):
            return decimal.Decimal(value.year).normalize()  # the queries select no date but a year
        return value

    return [tuple(map(plain, row.values())) for row in table.to_pylist()]


def difference(query, one, other):
    """The first difference between two results, or None. Rows that sort alike may stand in any order."""
    keys = lambda rows: [tuple(row[n] for n in query.order) for row in rows]
    by_text = lambda rows: sorted(rows, key=lambda row: tuple(map(str, row)))
    if len(one) != len(other):
        return f"{len(one)} rows and {len(other)}"
    for left, right in zip(by_text(one), by_text(other)):
        if left != right:
            return f"{tuple(map(str, left))} and {tuple(map(str, right))}"
    return "the rows are sorted differently" if keys(one) != keys(other) else None


def timed(engine, sql):
    cpu, started = engine.cpu_seconds(), time.perf_counter()
    engine.run(sql)
    wall = time.perf_counter() - started
    after = engine.cpu_seconds()
    engine.release()
    return 1000 * wall, None if cpu is None or after is None else 1000 * (after - cpu)


def measure(query, found):
    """Compares all engines' answers, then times them in turns."""
    sql = {name: query.cube if engine.cube else query.tables for name, engine in found.items()}
    answers = {name: engine.run(sql[name]) for name, engine in found.items()}
    rows = {name: cells(answer) for name, answer in answers.items()}
    differs = {}
    for name in found:
        if what := difference(query, rows["duckdb_plain"], rows[name]):
            differs[name] = what
    rollup, reasons = found["countinghouse"].source(query.cube)
    explained = found["countinghouse"].run(f"EXPLAIN {query.cube}")
    times = {name: [] for name in found}
    if not differs:
        for _ in range(ROUNDS):
            for name, engine in found.items():
                times[name].append(timed(engine, sql[name]))
    best = {}
    for name, list_of in times.items():
        if list_of:
            cpu = [cpu for _, cpu in list_of if cpu is not None]
            best[name] = {"ms": min(wall for wall, _ in list_of), "cpu_ms": min(cpu) if cpu else None}
    return {
        "query": query.name,
        "rows": len(rows["duckdb_plain"]),
        "rollup": rollup,
        "reasons": reasons,
        "explain": [f"{line['item']}: {line['detail']}" for line in explained.to_pylist()],
        "plan_ms": min(found["countinghouse"].planned(query.cube) for _ in range(ROUNDS)),
        "differs": differs,
        "best": best,
    }


# ---- what is printed --------------------------------------------------------------------------------------------------

# What is divided by what, and which rows of the table count.
RATIOS = [
    ("countinghouse", "duckdb_native"),
    ("countinghouse", "duckdb_plain"),
    ("facts", "duckdb_native"),
    ("facts", "duckdb_plain"),
    ("facts", "duckdb_own"),
    ("facts", "datafusion_own"),
    ("datafusion_plain", "duckdb_plain"),
    ("duckdb_native", "duckdb_plain"),
]


def ratio(rows, one, other, of="ms"):
    """Ratio of the sums, and geometric mean of the ratios; None where an engine is missing."""
    pairs = [(row["best"].get(one, {}).get(of), row["best"].get(other, {}).get(of)) for row in rows]
    if not pairs or any(not left or not right for left, right in pairs):
        return None
    total = sum(left for left, _ in pairs) / sum(right for _, right in pairs)
    return total, math.exp(sum(math.log(left / right) for left, right in pairs) / len(pairs))


def table(head, rows):
    lines = [head, ["---"] * 2 + ["---:"] * (len(head) - 2), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def number(value):
    if value is None:
        return "–"
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def report(result):
    rows = [row for row in result["queries"] if row["best"]]
    hits, misses = [row for row in rows if row["rollup"]], [row for row in rows if not row["rollup"]]
    pairs = [pair for pair in RATIOS if all(name in result["engines"] for name in pair)]
    body = [
        [row["query"], row["rollup"] or "facts", *(number((ratio([row], *pair) or [None])[0]) for pair in pairs)]
        for row in rows
    ]
    for name, part in (("hits", hits), ("misses", misses), ("all", rows)):
        for which, label in enumerate((f"{name}, sums", f"{name}, geometric mean")):
            found = [ratio(part, *pair) for pair in pairs]
            body.append([label, len(part), *(number(pair and pair[which]) for pair in found)])
    text = [f"Scale factor {result['scale']}, {result['threads']} threads, best of {ROUNDS}: time divided by time.\n"]
    text.append(table(["Query", "Answered by", *(f"{one} / {other}" for one, other in pairs)], body))
    text.append("\nMilliseconds on this machine (processor time in brackets); they say nothing about another.\n")
    body = []
    for row in rows:
        times = (row["best"][name] for name in result["engines"])
        cell = lambda best: f"{best['ms']:.1f}" + (f" ({best['cpu_ms']:.0f})" if best["cpu_ms"] is not None else "")
        body.append([row["query"], row["rows"], f"{row['plan_ms']:.1f}", *map(cell, times)])
    text.append(table(["Query", "Rows", "planned", *result["engines"]], body))
    text.append("")
    for name, why in result["left_out"].items():
        text.append(f"Left out: `{name}`: {why}.")
    for row in result["queries"]:
        for name, what in row["differs"].items():
            text.append(f"DIFFERENT: {row['query']}, `{name}` beside `duckdb_plain`: {what}.")
    goal = ratio(hits, "countinghouse", "duckdb_native")
    if goal:
        text.append(f"Hits against DuckDB's own tables: {number(goal[0])} of its time; the goal is {GOALS['hits']}.")
    for files in ("plain", "own"):
        goal = ratio(rows, "facts", f"duckdb_{files}")
        if goal:
            text.append(f"Facts against DuckDB over {files} files: {number(goal[1])}; the goal is {GOALS['misses']}.")
    if result["growth"]:
        text.append(f"\nThe same questions over scale factor {result['growth']['scale']}, asked in turns.\n")
        rollups = {row["query"]: row["rollup"] for row in rows}
        body = [
            [name, rollups[name], f"{small:.1f}", f"{large:.1f}", number(large / small)]
            for name, small, large in result["growth"]["hits"]
        ]
        text.append(table(["Query", "Answered by", "ms there", "ms here", "ratio"], body))
        text.append("")
    if large := result["large"]:
        text.append(
            f"The large question: {large['groups']:,} groups within {result['memory_mib']} MiB in {large['ms'] / 1000:.1f} s,"
            f" {large['spilled_mib']} MiB spilled at most, server's peak {large['peak_mib']} MiB."
        )
    sizes = result["sizes"]
    text.append(
        f"{sizes['fact_rows']:,} fact rows in {sizes['own_bytes'] / 1e6:.1f} MB"
        f" (plain: {sizes['plain_bytes'] / 1e6:.1f} MB);"
        f" {sizes['rollup_rows']:,} rollup rows in {sizes['rollup_bytes'] / 1e6:.2f} MB."
        f" Load {result['load_seconds']} s, refresh {result['refresh_seconds']} s, server's peak {result['peak_mib']} MiB."
    )
    return "\n".join(text)


def sizes(place, engine):
    rollups = engine.run("SELECT rollup, state, rows, fact_rows, size_bytes FROM system.rollups").to_pylist()
    if stale := [row["rollup"] for row in rollups if row["state"] != "fresh"]:
        raise Failed(f"rollups are not fresh after a refresh: {', '.join(stale)}")
    warehouse = place.state / "warehouse"
    return {
        "fact_rows": engine.run("SELECT SUM(lines) AS lines FROM lineorder").to_pylist()[0]["lines"],
        "own_bytes": sum(data.stored(warehouse, "lineorder").values()),
        "plain_bytes": (place.plain / "lineorder.parquet").stat().st_size,
        "rollup_rows": sum(row["rows"] for row in rollups),
        "rollup_bytes": sum(row["size_bytes"] for row in rollups),
        "rollups": rollups,
    }


def versions(place):
    names = ("duckdb", "datafusion", "pyarrow", "adbc-driver-flightsql", "tpchgen-cli")
    found = {name: importlib.metadata.version(name) for name in names}
    text = subprocess.run([place.binary, "--version"], capture_output=True, text=True, timeout=60).stdout
    return {"countinghouse": text.split()[-1], "python": platform.python_version(), **found}


def growth(place, smaller, hits, engine):
    """Best times of what rollups answer over both states, in turns."""
    with Server(smaller) as server:
        other = Countinghouse(server, new_token(smaller), {})
        found = []
        for query in QUERIES:
            if query.name in hits:
                times = [(timed(other, query.cube)[0], timed(engine, query.cube)[0]) for _ in range(1 + 3 * ROUNDS)]
                found.append((query.name, *map(min, zip(*times[1:]))))
    return {"scale": smaller.folder.name, "hits": found}


def large(place, server, engine):
    """One question with more groups than its budget holds; the spill folder is looked at while it runs."""
    most, done = [0], threading.Event()

    def look():
        while not done.wait(0.05):
            size = 0
            for path in place.state.glob("spill-*/**/*"):
                try:
                    size += path.stat().st_size if path.is_file() else 0
                except OSError:
                    pass  # it is gone again
            most[0] = max(most[0], size)

    watch = threading.Thread(target=look)
    watch.start()
    try:
        started = time.perf_counter()
        (row,) = engine.run(LARGE).to_pylist()
        ms = 1000 * (time.perf_counter() - started)
    finally:
        done.set()
        watch.join()
    return {"groups": row["groups"], "ms": ms, "spilled_mib": most[0] >> 20, "peak_mib": server.peak_mib()}


def run(place, scale, seconds, smaller, memory, columns):
    known = prepare(place, scale, seconds)
    if memory or columns:
        # The project with other budgets.
        place.project = place.folder / "project"
        shutil.rmtree(place.project, ignore_errors=True)
        shutil.copytree(PROJECT, place.project, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        settings = place.project / "countinghouse.yaml"
        text = settings.read_text().replace(f"memory_mib: {MEMORY_MIB},", f"memory_mib: {memory or MEMORY_MIB},", 1)
        settings.write_text(text.replace("columns_mib: 0,", f"columns_mib: {columns or 0},", 1))
    with Server(place) as server:
        found, left_out = engines(place, server)
        result = {
            "scale": scale,
            "threads": THREADS,
            "memory_mib": memory or MEMORY_MIB,
            "columns_mib": columns or 0,
            "processors": os.cpu_count(),
            "machine": platform.machine(),
            "versions": versions(place),
            "engines": list(found),
            "left_out": left_out,
            "load_seconds": known.get("load_seconds"),
            "refresh_seconds": known.get("refresh_seconds"),
            "sizes": sizes(place, found["countinghouse"]),
            "queries": [],
        }
        for query in QUERIES:
            said(query.name)
            result["queries"].append(measure(query, found))
        result["peak_mib"] = server.peak_mib()
        hits = {row["query"] for row in result["queries"] if row["rollup"]}
        result["growth"] = growth(place, smaller, hits, found["countinghouse"]) if smaller else None
        result["large"] = large(place, server, found["facts"]) if "facts" in found else None
    (place.folder / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    text = report(result)
    (place.folder / "result.md").write_text(text + "\n")
    print(text)
    return 1 if any(row["differs"] for row in result["queries"]) else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1, help="scale factor; 1 is 6 million fact rows")
    parser.add_argument("--dir", type=Path, required=True, help="where data, state and results are kept")
    parser.add_argument("--seconds", type=int, default=3600, help="longest time of any one step")
    parser.add_argument("--growth", type=float, metavar="SMALLER", help="also ask the state of this scale factor")
    parser.add_argument("--memory", type=int, metavar="MIB", help=f"budget of one statement instead of {MEMORY_MIB} MiB")
    parser.add_argument("--columns", type=int, metavar="MIB", help="room for decoded columns of facts; none unless given")
    parser.add_argument("--fresh", action="store_true", help="throw away what an earlier run made")
    arguments = parser.parse_args()
    short = lambda scale: int(scale) if scale == int(scale) else scale
    scale = short(arguments.scale)
    if not 0.001 <= scale <= 100:
        parser.error("--scale is from 0.001 to 100")
    binary = os.environ.get("COUNTINGHOUSE_BIN")
    if not binary or not shutil.which(binary):
        parser.error("COUNTINGHOUSE_BIN names no program")
    # The server and its settings are this script's alone.
    for name in ("COUNTINGHOUSE_PROJECT", "COUNTINGHOUSE_STATE"):
        os.environ.pop(name, None)
    # Engines count processors; the server inherits this.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    # So that the server is stopped whatever ends the run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    folder = arguments.dir.resolve() / str(scale)
    if arguments.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    binary = str(Path(shutil.which(binary)).resolve())
    smaller = arguments.growth and Place(arguments.dir.resolve() / str(short(arguments.growth)), binary)
    if smaller and not smaller.loaded.exists():
        parser.error(f"nothing is loaded at scale factor {short(arguments.growth)} yet")
    try:
        return run(Place(folder, binary), scale, arguments.seconds, smaller, arguments.memory, arguments.columns)
    except (Failed, subprocess.SubprocessError) as error:
        said(f"error: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
