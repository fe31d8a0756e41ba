"""Flight SQL on loopback: throughput beside a server that holds the same batches in memory, then many clients at once.

    python benches/flight.py --binary target/release/countinghouse --ssb FOLDER [--rows 10000000] [--seconds 60]

FOLDER is what `benches/ssb/run.py` keeps of one scale factor (DIR/1: 6 million rows); its state is served, with limits of
this script's own, and nothing is loaded into it. More rows than its table has are the table's several times (UNION ALL). The
clients are ADBC connections of this process, one thread each.

Throughput: Arrow bytes received over the seconds from the question to the end of the last stream, median of all rounds. One
stream is one connection; four streams are four connections that begin together and read the whole statement each. The server
in memory is pyarrow's own with the least of Flight SQL that the driver needs, in a process of its own; it has read the
statement from Countinghouse once and sends just those batches. Both take turns, so the ratio is the median of those of each
round. They answer twice over:

rows      each stream is computed from the columns that the server keeps decoded (query.columns_mib)
results   the whole result is kept (countinghouse-cache), so that what is timed is the door and the face

Before them, a line without a goal: the first read, one stream from Parquet files whose columns are not in memory yet.

Load: CLIENTS connections of the sample bank's analyst, from several processes, ask small questions without a pause for
SECONDS, each answer is compared with the one that a quiet server gave, and none is kept. Before it, two clients are killed
in the middle of a large result, one that reads and one that stands still: nothing of theirs may run two seconds later.

Prints one table. Exit code: 0 all goals are reached, 1 one is missed, 2 it could not run, or what must not be was found.
Needs flight-requirements.txt. All that listens does so on loopback, and is stopped in the end.
"""

import argparse
import collections
import json
import multiprocessing
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import adbc_driver_flightsql
import adbc_driver_flightsql.dbapi as flightsql
import psutil
import pyarrow
import pyarrow.flight as flight

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 600
HEADER = "adbc.flight.sql.rpc.call_header.countinghouse-"
# A result of this benchmark is kept whole, as are all columns, and the budgets let its four statements run at once.
LIMITS = (
    "{target_partitions: 2, memory_mib: 512, total_memory_mib: 8192, deadline_seconds: 600, result_cache_mib: 4096,"
    " cached_result_mib: 1024, columns_mib: 2048}"
)
COLUMNS = {
    "8 x Int64": "order_key, line_number, customer_sk, part_sk, supplier_sk, quantity, discount, tax",
    "text, decimals": "order_priority, ship_mode, order_date, extended_price, order_total_price, revenue, supply_cost",
}
# What is compared: how the rows come, and the header that says so.
SOURCES = {"rows": "off", "results": "on"}
STREAMS = (1, 4)
GOAL = 0.8
PROCESSES = 8
CLIENTS = 200
# After a client's death, nothing of it runs and the processor rests.
STOP_SECONDS = 2.0
IDLE_PERCENT = 10.0
# Memory is flat when it has grown by no more than this, and beside large results by what the allocator may hold back.
GROWN = 1.15
HELD_MIB = 128

spawn = multiprocessing.get_context("spawn")


class Wrong(Exception):
    """What must not be; the text says what."""


def said(text):
    print(text, file=sys.stderr, flush=True)


def connect(uri, token, **options):
    """An ADBC connection; `options` are the session's."""
    settings = {HEADER + name: value for name, value in options.items()}
    if token:
        settings[adbc_driver_flightsql.DatabaseOptions.AUTHORIZATION_HEADER.value] = f"Bearer {token}"
    return flightsql.connect(uri, db_kwargs=settings, autocommit=True)


def batches(connection, sql):
    """The batches of a statement as they come; planned once, while `cursor.execute` would prepare it before."""
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_sql_query(sql)
        stream, _ = cursor.adbc_statement.execute_query()
        with pyarrow.RecordBatchReader.from_stream(stream) as reader:
            yield from reader


def rows_of(columns, copies):
    """All rows of the large table, several times over."""
    return " UNION ALL ".join([f"SELECT {columns} FROM warehouse.lineorder"] * copies)


# ---- servers ----------------------------------------------------------------------------------------------------------


class Server:
    """Countinghouse on free ports: `serve`, or `demo` with the sample bank."""

    def __init__(self, binary, project, state, command, log):
        self.place = [str(binary), "--project", str(project), "--state", str(state)]
        self.command = command
        self.log = log

    def __enter__(self):
        command = [*self.place, self.command, "--http", "127.0.0.1:0", "--flight", "127.0.0.1:0"]
        with open(self.log, "w") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        timer = threading.Timer(READY_SECONDS, self.process.kill)
        timer.start()
        try:
            ready = next((line for line in self.process.stdout if line.startswith("ready ")), None)
        finally:
            timer.cancel()
        if not ready:
            self.process.kill()
            raise Wrong(f"the server did not get ready: {self.log.read_text().strip()}")
        addresses = dict(part.split("=", 1) for part in ready.split()[1:])
        self.flight, self.http = addresses["flight"].rstrip("/"), addresses["http"].rstrip("/")
        self.watched = psutil.Process(self.process.pid)
        # What follows must be read too, or the server would wait for a full pipe.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def run(self, *arguments):
        """A command over the same state, to its end; gives what it printed."""
        done = subprocess.run([*self.place, *arguments], capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise Wrong(f"countinghouse {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def mib(self):
        return self.watched.memory_info().rss / (1 << 20)

    def outcomes(self):
        """Statements by outcome, and how many run now."""
        with urllib.request.urlopen(f"{self.http}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        found = collections.Counter()
        for name, count in re.findall(r'^countinghouse_statements_total\{outcome="(\w+)"\} (\d+)$', text, re.MULTILINE):
            found[name] = int(count)
        begun = int(re.search(r"^countinghouse_statements_begun_total (\d+)$", text, re.MULTILINE)[1])
        # What is refused never began.
        return found, begun - (found.total() - found["refused"])


class InMemory(flight.FlightServerBase):
    """As much Flight SQL as the driver needs to read a statement: CommandStatementQuery, DoGet, CloseSession."""

    def __init__(self, tables):
        super().__init__("grpc://127.0.0.1:0")
        self.tables = tables

    def get_flight_info(self, _context, descriptor):
        kind, command = fields(descriptor.command)  # google.protobuf.Any
        if not kind.endswith(b"CommandStatementQuery"):
            raise NotImplementedError(kind.decode())
        ticket, *_ = fields(command)
        schema = self.tables[ticket.decode()].schema
        return flight.FlightInfo(schema, descriptor, [flight.FlightEndpoint(ticket, [])], -1, -1)

    def do_get(self, _context, ticket):
        # A table's chunks are sent as they are, without Python.
        return flight.RecordBatchStream(self.tables[ticket.ticket.decode()])

    def do_action(self, _context, action):
        if action.type != "CloseSession":
            raise NotImplementedError(action.type)
        return [flight.Result(b"\x08\x01")]  # status: closed


def fields(message):
    """The values of a protobuf message whose fields all have a length, in order."""
    found, place = [], 0

    def varint():
        nonlocal place
        number, shift = 0, 0
        while True:
            byte = message[place]
            place += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    while place < len(message):
        if varint() & 7 != 2:
            raise ValueError("a field without a length")
        length = varint()
        found.append(message[place : place + length])
        place += length
    return found


def in_memory(uri, token, statements, pipe):
    """The process of the server in memory."""
    tables = {}
    with connect(uri, token, cache="off") as connection:
        for sql in statements:
            # Out of the driver's memory, into one buffer a batch.
            own = [pyarrow.ipc.read_record_batch(batch.serialize(), batch.schema) for batch in batches(connection, sql)]
            tables[sql] = pyarrow.Table.from_batches(own)
    server = InMemory(tables)
    pipe.send((server.port, {sql: len(table.to_batches()) for sql, table in tables.items()}))
    server.serve()


# ---- throughput -------------------------------------------------------------------------------------------------------


def drain(connections, sql):
    """Reads the statement over all connections at once: rows and bytes of all, seconds until the last has its end."""

    def one(connection):
        rows = size = 0
        for batch in batches(connection, sql):
            rows += batch.num_rows
            size += batch.nbytes
        return rows, size

    with ThreadPoolExecutor(len(connections)) as pool:
        started = time.perf_counter()
        counts = list(pool.map(one, connections))
        seconds = time.perf_counter() - started
    return sum(rows for rows, _ in counts), sum(size for _, size in counts), seconds


class Memory:
    """The server's resident memory in MiB while something goes on: before, highest, a moment after."""

    def __init__(self, server):
        self.server = server

    def __enter__(self):
        self.before = self.highest = self.server.mib()
        self.done = threading.Event()
        self.watch = threading.Thread(target=self.look)
        self.watch.start()
        return self

    def look(self):
        while not self.done.wait(0.05):
            self.highest = max(self.highest, self.server.mib())

    def __exit__(self, *_):
        self.done.set()
        self.watch.join()
        time.sleep(1)
        self.after = self.server.mib()


def one_round(servers, statements, rows):
    """Every statement over one and over four connections of each server in turn. Gives, by statement, streams and server,
    GB/s and the server's processor seconds for a GB."""
    found = {}
    for name, sql in statements.items():
        for streams in STREAMS:
            for who, (process, connections) in servers.items():
                spent = sum(process.cpu_times()[:2])
                got, size, seconds = drain(connections[:streams], sql)
                spent = sum(process.cpu_times()[:2]) - spent
                if got != rows * streams:
                    raise Wrong(f"{name}, {streams} streams, {who}: {got} rows instead of {rows * streams}")
                found[name, streams, who] = (size / seconds / 1e9, 1e9 * spent / size)
    return found


def throughput(server, token, rows, rounds):
    """Lines of the table."""
    with connect(server.flight, token) as connection:
        (counted,) = batches(connection, "SELECT COUNT(*) AS rows FROM warehouse.lineorder")
    copies = -(-rows // counted["rows"][0].as_py())
    statements = {name: f"{rows_of(columns, copies)} LIMIT {rows}" for name, columns in COLUMNS.items()}
    with connect(server.flight, token, cache="off") as connection:
        first = {name: drain([connection], rows_of(columns, 1)) for name, columns in COLUMNS.items()}
    here, there = spawn.Pipe()
    beside = spawn.Process(target=in_memory, args=(server.flight, token, list(statements.values()), there), daemon=True)
    beside.start()
    there.close()
    # The second set of columns has none of the first.
    lines = [
        (f"{name}, first read of the files, 1 stream, GB/s", f"{size / seconds / 1e9:.2f}", "", None, "", None)
        for name, (_, size, seconds) in first.items()
    ]
    try:
        port, messages = here.recv()
        said("; ".join(f"{name}: {messages[sql]} messages" for name, sql in statements.items()))
        reference = psutil.Process(beside.pid), [connect(f"grpc://127.0.0.1:{port}", None) for _ in range(max(STREAMS))]
        for source, cache in SOURCES.items():
            ours = server.watched, [connect(server.flight, token, cache=cache) for _ in range(max(STREAMS))]
            turns = [{"ours": ours, "beside": reference}, {"beside": reference, "ours": ours}]
            # Warms up, and keeps what is to be kept.
            one_round(turns[0], statements, rows)
            found = []
            with Memory(server) as seen:
                for number in range(rounds):
                    found.append(one_round(turns[number % 2], statements, rows))
                    said(f"{source}: round {number + 1} of {rounds}, {server.mib():.0f} MiB")
            for name in statements:
                for streams in STREAMS:
                    middle = lambda who, figure: statistics.median(one[name, streams, who][figure] for one in found)
                    # Of a round, whose two follow each other at once: what slows the machine slows both.
                    ratios = (one[name, streams, "ours"][0] / one[name, streams, "beside"][0] for one in found)
                    ratio = statistics.median(ratios)
                    what = f"{name}, {source}, {streams} stream{'s' if streams > 1 else ''}, GB/s"
                    own, other = middle("ours", 0), middle("beside", 0)
                    lines.append((what, f"{own:.2f}", f"{other:.2f}", ratio, f">= {GOAL}", ratio >= GOAL))
                    own, other = middle("ours", 1), middle("beside", 1)
                    what = "  processor seconds of its server for a GB"
                    # The system counts hundredths of a second: none for few rows.
                    lines.append((what, f"{own:.2f}", f"{other:.2f}", own / other if other else None, "", None))
            what = f"memory, {source}: before / highest / after, MiB"
            lines.append(flat(what, seen.before, seen.highest, seen.after, HELD_MIB))
    finally:
        beside.kill()
        beside.join()
    return lines


def flat(what, before, highest, after, held=0):
    """A line about memory."""
    goal = f"<= {GROWN}" + (f" and {held} MiB" if held else "")
    return (what, f"{before:.0f} / {highest:.0f} / {after:.0f}", "", after / before, goal, after <= before * GROWN + held)


# ---- a client that dies ----------------------------------------------------------------------------------------------


def doomed(uri, token, stalls, pipe):
    """The process of a client that will be killed in the middle of a result."""
    with connect(uri, token, cache="off") as connection:
        # Long enough to be in the middle of for seconds.
        for number, _ in enumerate(batches(connection, rows_of(COLUMNS["text, decimals"], 12))):
            if number == 20:
                pipe.send(number)
                time.sleep(3600 if stalls else 0)
    pipe.send("the end")


def killed(server, token, user):
    """Lines of the table."""
    lines = []
    for what, stalls in [("a reader is killed", False), ("a reader that stands still is killed", True)]:
        here, there = spawn.Pipe()
        client = spawn.Process(target=doomed, args=(server.flight, token, stalls, there), daemon=True)
        client.start()
        here.recv()
        busy = server.watched.cpu_percent(0.5)
        listed = server.run("statement", "list", "--as", user).splitlines()
        _, running = server.outcomes()
        if here.poll() or running != 1 or len(listed) != 1:
            raise Wrong(f"{what}: it was not in the middle of its one result: {running} running, {listed} listed")
        client.kill()
        started = time.perf_counter()
        client.join()
        while running and time.perf_counter() - started < 5 * STOP_SECONDS:
            time.sleep(0.005)
            _, running = server.outcomes()
        seconds = time.perf_counter() - started
        rest = server.watched.cpu_percent(1.0)
        listed = server.run("statement", "list", "--as", user).splitlines()
        if running or listed:
            raise Wrong(f"{what}: {seconds:.1f} s later {running} run, {listed} listed")
        goal, good = f"<= {1000 * STOP_SECONDS:.0f}", seconds <= STOP_SECONDS
        lines.append((f"{what}: ms until nothing runs", f"{1000 * seconds:.0f}", "", None, goal, good))
        what = "  processor before and after, %"
        lines.append((what, f"{busy:.0f} / {rest:.0f}", "", None, f"<= {IDLE_PERCENT:.0f}", rest <= IDLE_PERCENT))
    return lines


# ---- many clients ----------------------------------------------------------------------------------------------------

BRANCHES = ("beijing", "shanghai")
MONTH = "DATE '2025-12-01'"
# Kind, share, question. A text is a statement, with its parameters if it has some; anything else asks for metadata.
QUESTIONS = []
for branch in BRANCHES:
    QUESTIONS += [
        (
            "rollup",
            4,
            f"SELECT product_line, SUM(balance) AS balance, MEASURE(balance_daily_average) AS average FROM {branch}.deposits"
            f" WHERE month = {MONTH} GROUP BY product_line ORDER BY product_line",
            None,
        ),
        ("rollup", 4, f"SELECT month, SUM(interest) AS interest FROM {branch}.deposits GROUP BY month ORDER BY month", None),
        (
            "prepared",
            4,
            "SELECT month, SUM(balance) AS balance FROM head_office.deposits WHERE branch_code = ? AND month >= ?"
            " GROUP BY month ORDER BY month",
            (branch, "2025-07-01"),
        ),
        (
            "facts",
            3,
            f"SELECT product_line, COUNT(*) AS n, SUM(end_balance) AS balance FROM {branch}.deposits_detail"
            " WHERE business_date = DATE '2025-12-31' GROUP BY product_line ORDER BY product_line",
            None,
        ),
        ("metadata", 2, ("schema", branch), None),
        ("metadata", 2, ("objects", branch), None),
        ("metadata", 1, ("info", None), None),
    ]


def ask(connection, question, parameters):
    """The answer in a form that equal answers share."""
    if isinstance(question, tuple):
        what, branch = question
        if what == "schema":
            return connection.adbc_get_table_schema("deposits", db_schema_filter=branch)
        if what == "objects":
            return connection.adbc_get_objects(depth="tables", db_schema_filter=branch).read_all()
        return connection.adbc_get_info()
    with connection.cursor() as cursor:
        cursor.execute(question, parameters)
        return cursor.fetch_arrow_table()


def crowd(uri, token, number, clients, seconds, expected, pipe):
    """The process of some clients, each a thread with a connection."""
    connections = [connect(uri, token, cache="off") for _ in range(clients)]
    pipe.send("ready")
    pipe.recv()
    until = time.perf_counter() + seconds
    weights = [weight for _, weight, *_ in QUESTIONS]

    def one(place):
        chance, times, errors = random.Random(1000 * number + place), [], []
        while time.perf_counter() < until:
            (index,) = chance.choices(range(len(QUESTIONS)), weights)
            kind, _, question, parameters = QUESTIONS[index]
            started = time.perf_counter()
            try:
                answer = ask(connections[place], question, parameters)
            except Exception as error:
                errors.append(f"{kind}: {error}")
                continue
            times.append((kind, time.perf_counter() - started))
            if answer != expected[index]:
                errors.append(f"{kind}: another answer to {question}")
        return times, errors

    with ThreadPoolExecutor(clients) as pool:
        results = list(pool.map(one, range(clients)))
    pipe.send(([row for times, _ in results for row in times], [text for _, errors in results for text in errors]))
    for connection in connections:
        connection.close()


def load(server, token, clients, seconds):
    """Lines of the table."""
    with connect(server.flight, token, cache="off") as connection:
        expected = [ask(connection, question, parameters) for _, _, question, parameters in QUESTIONS]
    for (_, _, question, _), answer in zip(QUESTIONS, expected):
        if isinstance(answer, pyarrow.Table) and not answer.num_rows:
            raise Wrong(f"there are no rows to compare with: {question}")
    crowds = []
    for number in range(PROCESSES):
        here, there = spawn.Pipe()
        share = clients // PROCESSES + (number < clients % PROCESSES)
        arguments = (server.flight, token, number, share, seconds, expected, there)
        process = spawn.Process(target=crowd, args=arguments, daemon=True)
        process.start()
        there.close()
        crowds.append((process, here))
    try:
        for _, pipe in crowds:
            pipe.recv()
        spent = lambda processes: sum(sum(process.cpu_times()[:2]) for process in processes)
        askers = [psutil.Process(process.pid) for process, _ in crowds]
        before, _ = server.outcomes()
        spent_before = spent([server.watched]), spent(askers)
        for _, pipe in crowds:
            pipe.send("go")
        started, seen = time.perf_counter(), []
        while time.perf_counter() - started < seconds:
            time.sleep(0.25)
            seen.append(server.mib())
        # What is on its way when the time is up is answered and counts.
        results = [pipe.recv() for _, pipe in crowds]
        lasted = time.perf_counter() - started
        spent_after = spent([server.watched]), spent(askers)
        # The last row is with its reader before the server has noted that the statement has ended.
        after, running = server.outcomes()
        while running and time.perf_counter() - started < lasted + STOP_SECONDS:
            time.sleep(0.005)
            after, running = server.outcomes()
    finally:
        for process, _ in crowds:
            process.kill()
            process.join()
    times = [row for rows, _ in results for row in rows]
    errors = collections.Counter(text.splitlines()[0][:200] for _, texts in results for text in texts)
    for text, count in errors.most_common(10):
        said(f"{count} x {text}")
    # Those that the server counts are mostly the clients' own again; what still runs is neither.
    failed = sum(after[name] - before[name] for name in ("failed", "cancelled", "refused"))
    wrong = max(errors.total(), failed) + running
    lines = [(f"{clients} clients, {seconds} s: errors", str(wrong), "", None, "0", not wrong)]
    lines.append(("  questions answered in a second", f"{len(times) / lasted:.0f}", "", None, "", None))
    costs = " / ".join(f"{1000 * (end - begin) / len(times):.1f}" for begin, end in zip(spent_before, spent_after))
    lines.append(("  processor ms for a question, server / clients", costs, "", None, "", None))
    for kind in [None, *dict.fromkeys(kind for kind, *_ in QUESTIONS)]:
        of = sorted(seconds for name, seconds in times if kind in (None, name))
        if of:
            p50, p99 = (1000 * of[int(share * (len(of) - 1))] for share in (0.5, 0.99))
            lines.append((f"  {kind or 'all'} ({len(of)}): p50 / p99, ms", f"{p50:.0f} / {p99:.0f}", "", None, "", None))
    # From when questions of every kind have been asked to the end.
    settled = seen[len(seen) // 6 :]
    lines.append(flat("  memory: settled / highest / end, MiB", settled[0], max(settled), settled[-1]))
    return lines


# ---- all of it --------------------------------------------------------------------------------------------------------


def table(lines):
    head = ("", "Countinghouse", "in memory", "ratio", "goal", "")
    word = {True: "good", False: "missed", None: ""}
    ratio = lambda number: "" if number is None else f"{number:.2f}"
    rows = [head, *((*line[:3], ratio(line[3]), line[4], word[line[5]]) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for first, *rest in rows:
        cells = (text.rjust(width) for text, width in zip(rest, widths[1:]))
        print("  ".join([first.ljust(widths[0]), *cells]).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--ssb", type=Path, required=True, help="folder of one scale factor, with its state")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--seconds", type=int, default=60, help="of the load")
    parser.add_argument("--only", choices=["throughput", "killed", "load"], action="append", help="a part; all unless given")
    given = parser.parse_args()
    state = given.ssb.resolve() / "state"
    if not state.is_dir():
        parser.error(f"{state} is not there: make ssb loads it")
    parts = given.only or ["throughput", "killed", "load"]
    # So that servers are stopped whatever ends the run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    lines = []

    try:
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            if {"throughput", "killed"} & set(parts):
                with Server(given.binary, project(folder / "project"), state, "serve", folder / "ssb.log") as server:
                    token = server.run("token", "create", "bench", "--label", "flight benchmark", "--days", "1")
                    token = next(word for word in token.split() if word.startswith("cth_"))
                    if "throughput" in parts:
                        lines += throughput(server, token, given.rows, given.rounds)
                    if "killed" in parts:
                        lines += killed(server, token, "bench")
            if "load" in parts:
                with Server(given.binary, ROOT, folder / "bank", "demo", folder / "bank.log") as server:
                    logins = {row["name"]: row for row in json.loads((folder / "bank" / "logins.json").read_text())}
                    lines += load(server, logins["head_office"]["token"], given.clients, given.seconds)
    except Wrong as error:
        table(lines)
        said(f"error: {error}")
        return 2
    table(lines)
    return 1 if any(good is False for *_, good in lines) else 0


def project(folder):
    """The benchmark's project, with limits for this one."""
    shutil.copytree(ROOT / "benches" / "ssb", folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    settings = folder / "countinghouse.yaml"
    text, replaced = re.subn(r"(?m)^query: .*$", f"query: {LIMITS}", settings.read_text())
    if replaced != 1:
        raise Wrong("its settings have no line `query:` to put other limits in")
    settings.write_text(text)
    return folder


if __name__ == "__main__":
    sys.exit(main())
