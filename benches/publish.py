"""What a publication costs: a burst of head office and every branch, then the live page and the page of an edition.

    python benches/publish.py --binary target/release/countinghouse [--customers 20000] [--dir FOLDER] [--requests 40]

Makes and loads the sample bank (0 customers: the committed one) over a copy of its project, in which branch_performance alone
is published, in Chinese, and mailed to readers: two for each branch and five of head office. A mail server that keeps nothing
runs here. The server publishes by itself when it starts. What is printed:

seconds          from the start of the run to its end, as `system.runs` has them; and processor seconds of server and workers
peak memory      resident memory of the server and all its workers together, every 20 ms; what they share counts for each
query sets       statements that the run asked, over the datasets of the report: one set for each distinct reading of rights,
                 however many people share it
live page        each report of the bank, warm, for one reader: the time from the request to the last byte over one connection
                 that stays open, and of its JSON what the server says it took to ask. Median and 95th percentile
edition          the same for the page of the published edition, and for a browser that has it already (304)

Prints one table. Exit code: 0 all goals are reached, 1 one is missed, 2 it could not run. Standard library only; all that
listens does so on loopback, and is stopped in the end.
"""

import argparse
import contextlib
import csv
import datetime
import http.client
import io
import json
import os
import re
import shutil
import signal
import socketserver
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORT = "branch_performance"
SCHEDULE = f"{REPORT}/monthly"
WHO = f"schedule:{SCHEDULE}"
READY_SECONDS = 600
RUN_SECONDS = 900
FINAL = {"succeeded", "held", "failed", "dead", "skipped", "cancelled"}
HEAD_OFFICE_READERS = 5
BRANCH_READERS = 2
# Goals: MiB; milliseconds, medians.
MEMORY = 1024
LIVE = 50.0
EDITION = 5.0
MAIL = """
  email:
    host: 127.0.0.1
    port: {port}
    security: none
    from: reports@bank.example
    domains: [bank.example]
"""


class Wrong(Exception):
    """It could not run; the text says why."""


# -- the bank


def once(pattern, text, replacement):
    replaced, count = re.subn(pattern, lambda _: replacement, text)
    if count != 1:
        raise Wrong(f"the sample project has {count} places like {pattern!r} and not one")
    return replaced


def project(folder, port):
    """The sample project without the reports of the evaluation, which nobody recorded anything for, and one publication."""
    folder.mkdir(parents=True)
    settings = (ROOT / "countinghouse.yaml").read_text()
    settings = once(r"(?m)^  archive: \{url: archive\}.*\n", settings, "  archive: {url: archive}" + MAIL.format(port=port))
    (folder / "countinghouse.yaml").write_text(settings)
    shutil.copytree(ROOT / "cubes", folder / "cubes")
    shutil.copytree(ROOT / "calendars", folder / "calendars")
    for report in sorted((ROOT / "reports").glob("*/report.yaml")):
        name = report.parent.name
        if name.startswith("crm_"):
            continue
        shutil.copytree(report.parent, folder / "reports" / name, ignore=shutil.ignore_patterns("expected"))
        text = report.read_text()
        if name == REPORT:
            text = once(r"languages: \[zh-CN, en\]", text, "languages: [zh-CN]")
            sent = "      - {channel: archive}\n      - {channel: email, roles: [reader]}\n"
            text = once(r"(?m)^ +- \{channel: archive\}\n", text, sent)
        else:
            text = re.sub(r"(?m)^(publish|alerts):.*\n(?:[ \t]+.*\n|\n)*", "", text)
        (folder / "reports" / name / "report.yaml").write_text(text)
    return folder


class Bank:
    """A project and its state; `start` serves them."""

    def __init__(self, binary, folder, port):
        self.binary, self.state, self.folder = binary, folder / "state", folder
        self.project = project(folder / "project", port)
        self.process = self.http = self.token = None

    def run(self, *arguments, stdin=""):
        command = [self.binary, "--project", self.project, "--state", self.state, "--log", "error", *arguments]
        done = subprocess.run([str(part) for part in command], input=stdin, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Wrong(f"{' '.join(map(str, arguments))}: {done.stderr.strip()}")
        return done.stdout

    def load(self, customers):
        feeds = ROOT / "sample_data"
        if customers:
            feeds = self.folder / "feed"
            self.run("sample", "--out", feeds, "--customers", customers, "--seed", 1)
        self.run("load", *(feeds / batch / "feed.yaml" for batch in ["batch-0001", "batch-0002"]))
        self.run("refresh")

    def add(self, name, roles, branch=None, mail=True):
        scope = [f"--branch={branch}"] if branch else []
        self.run("user", "add", name, *(f"--role={role}" for role in roles), *scope, stdin="\n")
        if mail:
            self.run("user", "email", name, f"{name}@bank.example")

    def start(self):
        command = [self.binary, "--project", self.project, "--state", self.state, "serve"]
        command += ["--http", "127.0.0.1:0", "--flight", "127.0.0.1:0"]
        environment = {name: value for name, value in os.environ.items() if name != "COUNTINGHOUSE_NO_SCHEDULES"}
        log = self.folder / "server.log"
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                [str(part) for part in command], stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
            )

    def ready(self):
        timer = threading.Timer(READY_SECONDS, self.process.kill)
        timer.start()
        try:
            line = next((line for line in self.process.stdout if line.startswith("ready ")), None)
        finally:
            timer.cancel()
        if not line:
            raise Wrong(f"the server did not get ready: {(self.folder / 'server.log').read_text().strip()[-2000:]}")
        self.http = dict(part.split("=", 1) for part in line.split()[1:])["http"]
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def sql(self, statement):
        """Rows as dictionaries of text."""
        with contextlib.closing(Connection(self)) as connection:
            body = json.dumps({"sql": statement, "format": "csv"})
            _, text = connection.ask("POST", "/api/sql", body)
        return list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"))))


class Connection:
    """A connection that stays open, with a token."""

    def __init__(self, bank):
        self.token = bank.token
        self.plain = http.client.HTTPConnection(urllib.parse.urlsplit(bank.http).netloc, timeout=120)

    def close(self):
        self.plain.close()

    def ask(self, method, path, body=None, status=200, **headers):
        headers |= {"Authorization": f"Bearer {self.token}"} | ({"Content-Type": "application/json"} if body else {})
        self.plain.request(method, path, body, headers)
        answer = self.plain.getresponse()
        content = answer.read()
        if answer.status != status:
            raise Wrong(f"{method} {path}: {answer.status} {content[:300]}")
        return answer, content

    def timed(self, requests, path, status=200, **headers):
        """Milliseconds of each request, after some that are not counted."""
        for _ in range(5):
            self.ask("GET", path, status=status, **headers)
        taken = []
        for _ in range(requests):
            started = time.perf_counter()
            self.ask("GET", path, status=status, **headers)
            taken.append(1000 * (time.perf_counter() - started))
        return taken


class Mails(socketserver.ThreadingTCPServer):
    """A mail server that takes everything and keeps nothing."""

    daemon_threads = allow_reuse_address = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Talk)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *error):
        self.shutdown()
        super().__exit__(*error)


class Talk(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 bench\r\n")
        in_mail = False
        for line in self.rfile:
            if in_mail:
                in_mail = line != b".\r\n"
                if not in_mail:
                    self.wfile.write(b"250 taken\r\n")
            elif line[:4].upper() == b"DATA":
                in_mail = True
                self.wfile.write(b"354 go on\r\n")
            elif line[:4].upper() == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 bench\r\n")


# -- memory and processor of a process and all below it


class Watch:
    """Samples a process and its children until it is left."""

    def __init__(self, pid):
        self.pid, self.peak, self.workers, self.ended = pid, 0, 0, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def run(self):
        while not self.ended.wait(0.02):
            family = list(below(self.pid))
            self.peak = max(self.peak, sum(map(resident, family)))
            self.workers = max(self.workers, len(family) - 1)


def below(pid):
    """A process and its children, and theirs."""
    yield pid
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            # A thread or a child may end between two looks.
            with contextlib.suppress(OSError):
                for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                    yield from below(int(child))


def resident(pid):
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
    return 0.0


def processor(pid):
    """Seconds of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


# -- what is measured


def moment(text):
    return datetime.datetime.fromisoformat(text)


def published(bank):
    """The run once it has ended."""
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        statement = f"SELECT state, started_at, finished_at, message FROM system.runs WHERE schedule = '{SCHEDULE}'"
        ended = [row for row in bank.sql(statement) if row["state"] in FINAL]
        if ended:
            return ended[0]
        time.sleep(0.5)
    raise Wrong(f"{SCHEDULE} was not published within {RUN_SECONDS} s")


def settled(bank, statement):
    """A count once it does not change any more: records of statements are written after their answers."""
    before = None
    while (now := int(bank.sql(statement)[0]["n"])) != before:
        before = now
        time.sleep(1)
    return now


def middle(taken):
    return statistics.median(taken), statistics.quantiles(taken, n=20)[-1]


def burst(bank):
    """Publishes; lines of the table."""
    bank.start()
    with Watch(bank.process.pid) as watch:
        bank.ready()
        run = published(bank)
        spent = processor(bank.process.pid)
    if run["state"] != "succeeded":
        raise Wrong(f"{SCHEDULE} {run['state']}: {run['message']}")
    seconds = (moment(run["finished_at"]) - moment(run["started_at"])).total_seconds()
    editions = int(re.search(r"editions (\d+)", run["message"])[1])
    with contextlib.closing(Connection(bank)) as connection:
        document = json.loads(connection.ask("GET", f"/reports/{REPORT}?format=json")[1])
    datasets = len(document["evidence"]["datasets"])
    asked = settled(bank, f"SELECT COUNT(*) AS n FROM system.queries WHERE principal = '{WHO}'")
    recipients = int(bank.sql("SELECT COUNT(*) AS n FROM system.deliveries WHERE channel = 'email'")[0]["n"])
    sets = asked / datasets
    return [
        ("editions", f"{editions}", "", None),
        ("recipients by mail", f"{recipients}", "", None),
        ("seconds of the burst", f"{seconds:.1f}", "", None),
        ("seconds of one edition", f"{seconds / editions:.2f}", "", None),
        ("processor seconds of the server until then", f"{spent:.1f}", "", None),
        ("workers at once", f"{watch.workers}", "", None),
        ("peak memory, MiB", f"{watch.peak:.0f}", f"< {MEMORY}", watch.peak < MEMORY),
        ("query sets (distinct readings)", f"{sets:g} ({editions})", "equal", sets == editions),
    ]


def pages(bank, requests):
    """The live page of each report, and the page of an edition."""
    lines = []

    def line(what, taken, goal):
        half, most = middle(taken)
        lines.append((what, f"{half:.2f} / {most:.2f}", f"< {goal:g}" if goal else "", half < goal if goal else None))

    with contextlib.closing(Connection(bank)) as connection:
        line("an answer of nothing (healthz), ms", connection.timed(requests, "/healthz"), None)
        for name in sorted(path.parent.name for path in (bank.project / "reports").glob("*/report.yaml")):
            line(f"live {name}, ms", connection.timed(requests, f"/reports/{name}"), LIVE)
            told = []
            for _ in range(max(5, requests // 4)):
                document = json.loads(connection.ask("GET", f"/reports/{name}?format=json")[1])
                told.append(document["evidence"]["duration_ms"])
            line("    of it asking, as the server says, ms", told, None)
        moved, _ = connection.ask("GET", f"/reports/{REPORT}/latest", status=302)
        link = moved.headers["location"]
        opened, _ = connection.ask("GET", link)
        line("edition, ms", connection.timed(requests, link), EDITION)
        known = {"If-None-Match": opened.headers["etag"]}
        line("edition that the browser has, ms", connection.timed(requests, link, status=304, **known), EDITION)
    return lines


def show(lines):
    width = max(len(what) for what, *_ in lines) + 2
    print(f"{'':{width}}{'median / 95 %' if any('/' in value for _, value, *_ in lines) else '':>22}{'goal':>12}")
    for what, value, goal, reached in lines:
        verdict = {None: "", True: "  reached", False: "  MISSED"}[reached]
        print(f"{what:{width}}{value:>22}{goal:>12}{verdict}")


def measure(given, folder):
    with Mails() as mails:
        bank = Bank(given.binary.resolve(), folder, mails.port)
        try:
            bank.load(given.customers)
            bank.add("bench", ["reader", "analyst", "auditor"], mail=False)
            bank.token = bank.run("token", "create", "bench").split()[-1]
            statement = "SELECT DISTINCT branch_code FROM deposits ORDER BY 1"
            _, *branches = bank.run("query", statement, "--as", "bench", "--format", "csv").lstrip("\ufeff").split()
            people = [(f"head_{number}", ["reader"], None) for number in range(HEAD_OFFICE_READERS)]
            people += [(f"{branch}_{number}", ["reader"], branch) for branch in branches for number in range(BRANCH_READERS)]
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(lambda person: bank.add(*person), people))
            print(f"{len(branches)} branches, {given.customers or 'committed'} customers, {os.cpu_count()} processors")
            lines = burst(bank)
            lines += pages(bank, given.requests)
        finally:
            bank.stop()
    show(lines)
    return all(reached is not False for *_, reached in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--customers", type=int, default=20_000, help="0: the committed sample bank")
    parser.add_argument("--dir", type=Path, help="an empty or new folder that is kept; a temporary one unless given")
    parser.add_argument("--requests", type=int, default=40)
    given = parser.parse_args()
    try:
        if given.dir:
            given.dir.mkdir(parents=True, exist_ok=True)
            if any(given.dir.iterdir()):
                raise Wrong(f"{given.dir} is not empty")
            reached = measure(given, given.dir.resolve())
        else:
            with tempfile.TemporaryDirectory(prefix="publish-") as folder:
                reached = measure(given, Path(folder))
    except (Wrong, OSError) as wrong:
        print(wrong, file=sys.stderr)
        sys.exit(2)
    sys.exit(0 if reached else 1)


if __name__ == "__main__":
    main()
