"""Publication, from the load to the reader: mails, a webhook, the archive, pages, files and tables.

A bank of three branches (tests/projects/publish) publishes November; a late row of the branch south makes version 2.
Mail server and webhook receiver run here. Figures are such that none occurs by chance: whose they are can be told from them.
"""

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import datetime
import decimal
import email
import email.policy
import hashlib
import hmac
import http.server
import io
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading

import adbc_driver_flightsql.dbapi as flightsql
import aiosmtpd.smtp
import browser
import openpyxl
import pypdf
import pytest
import requests
import serving

PROJECT = serving.PROJECT / "tests" / "projects" / "publish"
AXE = pathlib.Path(__file__).resolve().parent / "npm" / "node_modules" / "axe-core" / "axe.min.js"
BASE = "https://reports.bank.example"
SECRET = "a secret of the portal"
PASSWORD = "correct horse battery staple"

# Branch, number and name of a customer, balance.
FIRST = [
    ("north", 1, "Nora Nilsen", "1111.25"),
    ("north", 2, "Nick Novak", "345.50"),
    ("south", 3, "Susan Sato", "2654.75"),
    ("quay", 4, "Quentin Quist", "3899.10"),
]
LATE = [("south", 5, "Sven Sorge", "62.03")]
# What only readers of a scope may see: names, balances and their sums, as they may be written. Those of the bank are of all.
MARKS = {
    "north": ["Nilsen", "Novak", "1111.25", "1,111.25", "1.11", "345.50", "345.5", "1456.75", "1,456.75", "1.46"],
    "south": ["Sato", "Sorge", "2654.75", "2,654.75", "2.65", "62.03", "2716.78", "2,716.78", "2.72"],
    "quay": ["Quist", "3899.10", "3,899.10", "3899.1", "3.90"],
    "head_office": ["8010.60", "8,010.60", "8010.6", "8.01", "8072.63", "8,072.63", "8.07"],
}
# Login, roles, branch, address. What is sent goes to readers; analysts may also ask with SQL.
USERS = [
    ("reader", ["reader", "analyst"], None, "reader@bank.example"),
    ("north", ["reader", "analyst"], "north", "north@bank.example"),
    ("clerk", ["teller"], "north", "clerk@bank.example"),
    ("south", ["reader"], "south", "south@elsewhere.example"),
    ("editor", ["publisher", "reader", "analyst"], None, None),
]
REACHED = {"reader@bank.example": "head_office", "north@bank.example": "north"}
CHANNELS = """
channels:
  archive: {{url: archive}}
  email:
    host: 127.0.0.1
    port: {mail}
    security: none
    from: reports@bank.example
    domains: [bank.example]
    attachments: [pdf, xlsx, csv]
  webhook:
    portal:
      url: http://127.0.0.1:{hook}/hooks/9f2c
      secret_file: portal.secret
      allow: [127.0.0.1]
      unencrypted: true
"""
SENT_TO = """
      - {channel: email, roles: [reader]}
      - {channel: webhook, name: portal}
"""


def replaced(text, old, new):
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
    return text.replace(old, new)


# -- who receives


@contextlib.contextmanager
def mail_server():
    """A mail server: its port, and the list of envelopes that it took."""
    taken, ready, loop = [], threading.Event(), asyncio.new_event_loop()

    class Handler:
        async def handle_DATA(self, server, session, envelope):
            taken.append(envelope)
            return "250 taken"

    async def start():
        server = await loop.create_server(lambda: aiosmtpd.smtp.SMTP(Handler(), loop=loop), "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()

    ports = []
    loop.create_task(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield ports[0], taken
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


@contextlib.contextmanager
def hook_server():
    """A program that takes messages: its port, and the list of (path, headers, body)."""
    taken = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            taken.append((self.path, self.headers, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, taken
    finally:
        server.shutdown()
        server.server_close()


# -- the bank


class Bank:
    """A project and a state of its own; `start` serves them."""

    def __init__(self, folder, mail, hook):
        self.project, self.state = folder / "project", folder / "state"
        shutil.copytree(PROJECT, self.project)
        settings = self.project / "countinghouse.yaml"
        channels = CHANNELS.format(mail=mail, hook=hook)
        settings.write_text(replaced(settings.read_text(), "channels:\n  archive: {url: archive}\n", channels.lstrip()))
        report = self.project / "reports" / "balances" / "report.yaml"
        text = replaced(report.read_text(), "formats: [html, csv]", "formats: [html, pdf, xlsx, csv]")
        text = replaced(text, "languages: [en, zh-CN]", "languages: [zh-CN, en]")
        # What north holds is too little.
        text = replaced(text, "below: 8.00, for: 2 runs}", "below: 1500}")
        text = replaced(text, "above: 9.00}", "above: 1600}")
        report.write_text(text.rstrip("\n") + SENT_TO)
        self.state.mkdir()
        secret = self.state / "portal.secret"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        self.process = self.http = self.flight = None

    def run(self, *arguments, stdin="", state=None):
        command = [os.environ["COUNTINGHOUSE_BIN"], "--project", self.project, "--state", state or self.state, *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def add(self, name, roles, branch, address):
        """Adds a user; gives a token."""
        more = ["--branch", branch] if branch else []
        self.run("user", "add", name, *(f"--role={role}" for role in roles), *more, stdin=PASSWORD + "\n")
        if address:
            self.run("user", "email", name, address)
        return self.run("token", "create", name).split()[-1]

    def load(self, batch, rows):
        """Delivers and loads November. As tests/it/publish.rs does it."""
        feed = self.project / f"feed-{batch}"
        feed.mkdir()
        files = []
        if batch == 1:
            day, days = datetime.date(2025, 10, 1), ["day,is_workday"]
            while day.year == 2025:
                days.append(f"{day},true")
                day += datetime.timedelta(1)
            (feed / "days.csv").write_text("\n".join(days) + "\n")
            offices = ["office_id,office_name,level_code,parent_id,branch_code", "H,Bank,head_office,,head"]
            offices += [f"{name},{name},branch,H,{name}" for name in ["north", "south", "quay"]]
            (feed / "offices.csv").write_text("\n".join(offices) + "\n")
            files += [("days.csv", "dim_day", ["day", "is_workday"], [])]
            files += [("offices.csv", "dim_office", offices[0].split(","), [""])]
        lines = ["business_date,branch_code,office,customer_no,customer_name,end_balance"]
        lines += [f"2025-11-30,{branch},{branch},{number},{name},{balance}" for branch, number, name, balance in rows]
        (feed / "balances.csv").write_text("\n".join(lines) + "\n")
        files += [("balances.csv", "fact_balance", lines[0].split(","), [])]
        described = []
        for path, table, columns, null in files:
            columns = [{"name": name, "to": "office_sk"} if name == "office" else {"name": name} for name in columns]
            described.append({"path": path, "format": "csv", "table": table, "columns": columns} | ({"null": null} if null else {}))
        # JSON is YAML.
        head = {"node": "head_office", "batch": batch, "business_date": "2025-11-30", "source": "core", "files": described}
        (feed / "feed.yaml").write_text(json.dumps(head))
        self.run("load", feed / "feed.yaml")

    def start(self):
        command = [os.environ["COUNTINGHOUSE_BIN"], "--project", self.project, "--state", self.state]
        command += ["serve", "--http", "127.0.0.1:0", "--flight", "127.0.0.1:0"]
        # What is published here was asked for by a command.
        quiet = {**os.environ, "COUNTINGHOUSE_NO_SCHEDULES": "1"}
        with (self.state.parent / "server.log").open("w") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=quiet)
        for line in self.process.stdout:
            if line.startswith("ready "):
                addresses = dict(part.split("=", 1) for part in line.split()[1:])
                self.http, self.flight = addresses["http"], addresses["flight"]
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                return
        raise RuntimeError((self.state.parent / "server.log").read_text())

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()

    def get(self, login, path, status=200, **headers):
        """What a login is answered; redirects are not followed."""
        headers |= {"Authorization": f"Bearer {self.tokens[login]}"}
        answer = requests.get(f"{self.http}{path}", headers=headers, timeout=60, allow_redirects=False)
        assert answer.status_code == status, f"{login} {path}: {answer.status_code} {answer.text[:300]}"
        return answer

    def rows(self, login, sql):
        """Rows over ADBC, as dictionaries."""
        options = {"username": login, "password": PASSWORD}
        with flightsql.connect(self.flight, db_kwargs=options, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetch_arrow_table().to_pylist()

    def audit(self, action):
        return [json.loads(line) for line in self.run("audit", "list", "--action", action).splitlines()]


@dataclasses.dataclass
class Sent:
    """What was received after a publication."""

    mails: list
    hooks: list


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    """The bank after both publications, served; `bank.sent` is what came of each."""
    if not os.environ.get("COUNTINGHOUSE_BIN"):
        pytest.skip("a bank of its own is started by COUNTINGHOUSE_BIN")
    with mail_server() as (mail, mails), hook_server() as (hook, hooks):
        bank = Bank(tmp_path_factory.mktemp("publish"), mail, hook)
        bank.load(1, FIRST)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            bank.tokens = dict(pool.map(lambda user: (user[0], bank.add(*user)), USERS))
        bank.sent = []
        for batch in [1, 2]:
            if batch == 2:
                bank.load(2, LATE)
            # Ends when everything is sent.
            bank.run("schedule", "run", "balances/monthly")
            bank.sent.append(Sent(mails[:], hooks[:]))
            mails.clear(), hooks.clear()
        bank.run("alert", "check")
        bank.start()
        try:
            yield bank
        finally:
            bank.stop()


def link(scope, version=1):
    return f"/r/balances/{scope}/2025-11/v{version}"


# -- texts


def texts(name, content):
    """All that can be read in a file."""
    if name.endswith(".pdf"):
        document = pypdf.PdfReader(io.BytesIO(content))
        yield "\n".join(page.extract_text() for page in document.pages)
        for attached, versions in document.attachments.items():
            for version in versions:
                yield from texts(attached, version)
    elif name.endswith(".xlsx"):
        book = openpyxl.load_workbook(io.BytesIO(content))
        yield "\n".join(str(cell.value) for sheet in book for row in sheet for cell in row if cell.value is not None)
    elif not name.endswith(".png"):
        yield content.decode()


def said(envelope):
    """All that can be read in a mail: headers, parts, attachments and what is in these."""
    mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
    found = [f"{name}: {value}" for name, value in mail.items()]
    for part in mail.walk():
        found += [f"{name}: {value}" for name, value in part.items()]
        if not part.is_multipart():
            name = part.get_filename() or f"part.{part.get_content_subtype()}"
            content = part.get_payload(decode=True)
            found += texts(name, content)
    return mail, "\n".join(found)


def whose(text):
    """The scopes whose figures or names a text has. A figure is not part of a longer one: 62.03 does not stand in 162.03."""

    def has(mark):
        return re.search(rf"(?<![\d.]){re.escape(mark)}(?!\d)", text)

    return {scope for scope, marks in MARKS.items() if any(has(mark) for mark in marks)}


# -- mails


def test_mails_arrive_for_those_who_should_get_them(bank):
    first, second = bank.sent
    assert sorted(envelope.rcpt_tos for envelope in first.mails) == [["north@bank.example"], ["reader@bank.example"]]
    assert {envelope.mail_from for envelope in first.mails} == {"reports@bank.example"}
    # North's figures did not change, so north gets no second mail.
    assert [envelope.rcpt_tos for envelope in second.mails] == [["reader@bank.example"]]


def test_a_mail_has_its_own_scope_alone(bank):
    for envelope in bank.sent[0].mails:
        scope = REACHED[envelope.rcpt_tos[0]]
        mail, text = said(envelope)
        assert mail["To"].addresses[0].addr_spec == envelope.rcpt_tos[0]
        assert not mail.defects
        names = {part.get_filename().rsplit(".", 1)[1] for part in mail.iter_attachments()}
        assert names == {"pdf", "xlsx", "csv"}
        expected = {"north"} if scope == "north" else set(MARKS)
        assert whose(text) == expected
        for part in mail.iter_attachments():
            # Each can be read, or nothing would be found in it.
            content = "\n".join(texts(part.get_filename(), part.get_payload(decode=True)))
            assert whose(content), f"no figure in {part.get_filename()}"
        if scope == "north":
            assert not re.search(r"\b(south|quay)\b", text), "another branch's name"


def test_the_subject_is_the_message_in_chinese(bank):
    subjects = {envelope.rcpt_tos[0]: said(envelope)[0]["Subject"] for envelope in bank.sent[0].mails}
    assert subjects == {"north@bank.example": "north：1,456.75 元", "reader@bank.example": "全行：8,010.60 元"}
    (corrected,) = bank.sent[1].mails
    assert said(corrected)[0]["Subject"] == "更正：全行：8,072.63 元"


def test_the_link_of_a_mail_leads_to_the_edition(bank):
    for envelope in bank.sent[0].mails:
        scope = REACHED[envelope.rcpt_tos[0]]
        login = envelope.rcpt_tos[0].split("@")[0]
        mail, _ = said(envelope)
        for kind in ["plain", "html"]:
            links = set(re.findall(rf"{BASE}[\w/.\-]*", mail.get_body((kind,)).get_content()))
            assert links == {BASE + link(scope)}
        page = bank.get(login, link(scope)).text
        assert whose(page) == ({"north"} if scope == "north" else set(MARKS))


# -- the webhook


def test_a_webhook_is_signed(bank):
    first = bank.sent[0].hooks
    assert len(first) == 4 and len(bank.sent[1].hooks) == 2
    assert len({headers["x-countinghouse-delivery"] for _, headers, _ in first}) == 4
    for path, headers, body in first:
        assert path == "/hooks/9f2c"
        signed = headers["x-countinghouse-timestamp"].encode() + b"." + body
        expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert headers["x-countinghouse-signature"] == f"v1={expected}"


def test_a_webhook_names_the_edition_and_no_figure(bank):
    told = [json.loads(body) for _, _, body in bank.sent[0].hooks]
    assert {one["scope"] for one in told} == {"head_office", "north", "south", "quay"}
    for one, (_, _, body) in zip(told, bank.sent[0].hooks, strict=True):
        assert one["link"] == BASE + link(one["scope"])
        assert (one["report"], one["period"], one["version"]) == ("balances", "2025-11", 1)
        assert whose(body.decode()) == set(), "figures leave by a channel that nobody logs in to"


# -- the archive


def folder_of(bank, scope, version=1):
    (folder,) = (bank.state / "archive").glob(f"balances/{scope}/2025-11/v{version}-*")
    return folder


def test_the_archive_is_verified_offline(bank, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder_of(bank, "north"), copy)
    # A state that has never been one: nothing but the folder is read.
    bank.run("verify", copy, state=tmp_path / "nowhere")
    file = copy / "zh-CN.pdf"
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(AssertionError, match=r"zh-CN\.pdf"):
        bank.run("verify", copy, state=tmp_path / "nowhere")


def test_a_branch_s_folder_has_its_own_figures_alone(bank):
    folder = folder_of(bank, "north")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        for text in texts(path.name, path.read_bytes()):
            assert whose(text) <= {"north"}, path.name


# -- over HTTP


@pytest.mark.parametrize("lang", ["zh-CN", "en"])
def test_a_pdf_is_the_frozen_file(bank, lang):
    manifest = json.loads((folder_of(bank, "north") / "manifest.json").read_text())
    frozen = {file["name"]: file["sha256"] for file in manifest["files"]}
    answer = bank.get("north", f"{link('north')}?format=pdf&lang={lang}")
    assert hashlib.sha256(answer.content).hexdigest() == frozen[f"{lang}.pdf"]
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    tag = answer.headers["etag"]
    again = bank.get("north", f"{link('north')}?format=pdf&lang={lang}", 304, **{"If-None-Match": tag})
    assert again.content == b"" and again.headers["etag"] == tag
    # What one knows of an edition opens nothing to another: rights come first.
    bank.get("south", f"{link('north')}?format=pdf&lang={lang}", 404, **{"If-None-Match": tag})


def test_a_page_is_not_sent_twice(bank):
    tag = bank.get("north", link("north")).headers["etag"]
    assert bank.get("north", link("north"), 304, **{"If-None-Match": tag}).content == b""
    # The same page around another login is another page.
    assert bank.get("reader", link("north")).headers["etag"] != tag


@pytest.mark.parametrize("login", ["north", "clerk"])
def test_what_one_may_not_see_is_not_there_and_recorded(bank, login):
    before = len(bank.audit("edition_refused"))
    other = bank.get(login, link("south"), 404)
    missing = bank.get(login, link("nowhere"), 404)
    shown = [re.sub(r"[0-9a-f]{32}", "ID", answer.text) for answer in (other, missing)]
    assert shown[0] == shown[1].replace("/nowhere/", "/south/")
    log = bank.audit("edition_refused")
    assert len(log) == before + 1, "one was there to be refused"
    assert login in json.dumps(log[0]) and "south" in json.dumps(log[0])


def test_latest_leads_to_the_newest_of_the_own_scope(bank):
    for login, target in [("reader", link("head_office", 2)), ("south", link("south", 2)), ("north", link("north"))]:
        answer = bank.get(login, "/reports/balances/latest", 302)
        assert answer.headers["location"] == target, login


def test_the_list_has_what_one_may_open(bank):
    def listed(login):
        page = bank.get(login, "/reports/balances/editions?lang=en").text
        return sorted(set(re.findall(r'href="(/r/balances/[^"?]*/v\d+)"', page)))

    assert listed("north") == [link("north")]
    assert listed("south") == [link("south"), link("south", 2)]
    everything = [("head_office", 1), ("head_office", 2), ("north", 1), ("quay", 1), ("south", 1), ("south", 2)]
    assert listed("reader") == [link(*one) for one in everything]
    assert listed("clerk") == []


def test_a_correction_says_what_it_changed(bank):
    old = bank.get("south", f"{link('south')}?lang=en")
    new = bank.get("south", f"{link('south', 2)}?lang=en")
    assert 'class="superseded"' in old.text and f'href="{link("south", 2)}"' in old.text
    assert f'<{link("south", 2)}>; rel="successor-version"' == old.headers["link"]
    assert 'class="superseded"' not in new.text and "link" not in new.headers
    assert "Sorge" not in old.text and "62.03" in new.text
    page = bank.get("south", f"{link('south', 2)}/changes?lang=en").text
    cells = re.findall(r'<td class="amount">([^<]*)</td>', page)
    assert cells == ["2654.75", "2716.78"]
    assert "Sven Sorge" in page
    changes = bank.get("south", f"{link('south', 2)}/changes?format=json").json()
    assert changes == json.loads((folder_of(bank, "south", 2) / "changes.json").read_text())


# -- figures


def test_a_workbook_says_what_the_tables_say(bank):
    answer = bank.get("reader", f"{link('head_office', 2)}?format=xlsx&lang=en")
    live = bank.get("reader", "/reports/balances?lang=en")
    assert answer.headers["x-snapshot-id"] == live.headers["x-snapshot-id"]
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    assert {"total", "customers"} <= set(book.sheetnames)
    assert [cell.coordinate for sheet in book for row in sheet for cell in row if cell.data_type == "f"] == []
    cents = decimal.Decimal("0.01")

    def column(sheet, number):
        return [row[number].value for row in book[sheet].iter_rows(min_row=2)]

    asked = bank.rows("reader", "SELECT customer_name, SUM(balance) AS balance FROM deposits GROUP BY customer_name ORDER BY 2 DESC")
    assert len(asked) == 5
    names, balances = column("customers", 0), [decimal.Decimal(str(value)).quantize(cents) for value in column("customers", 1)]
    assert dict(zip(names, balances, strict=True)) == {row["customer_name"]: row["balance"] for row in asked}
    (total,) = bank.rows("reader", "SELECT SUM(balance) AS balance FROM deposits")
    assert sum(balances) == total["balance"] == decimal.Decimal("8072.63")
    assert decimal.Decimal(str(column("total", 0)[0])).quantize(cents) == total["balance"]


def test_tables_of_publication_over_adbc(bank):
    editions = bank.rows("reader", "SELECT scope, version, period, edition, snapshot_id FROM system.editions")
    assert {(row["scope"], row["version"]) for row in editions} == {
        ("head_office", 1), ("head_office", 2), ("north", 1), ("quay", 1), ("south", 1), ("south", 2)
    }  # fmt: skip
    for row in editions:
        name = folder_of(bank, row["scope"], row["version"]).name
        assert name == f"v{row['version']}-{row['edition'][:12]}"
    own = bank.rows("north", "SELECT scope, version FROM system.editions")
    assert own == [{"scope": "north", "version": 1}]
    runs = bank.rows("editor", "SELECT state, cause, schedule FROM system.runs WHERE cause <> 'alert' ORDER BY run_id")
    assert [row["state"] for row in runs] == ["succeeded"] * 2
    assert {row["schedule"] for row in runs} == {"balances/monthly"}
    closes = bank.rows("reader", "SELECT branch, is_closed, business_date FROM system.closes ORDER BY branch")
    day = datetime.date(2025, 11, 30)
    assert closes == [{"branch": name, "is_closed": True, "business_date": day} for name in ["north", "quay", "south"]]
    sent = bank.rows("editor", "SELECT channel, recipient, state, answer FROM system.deliveries")
    by_channel = {(row["channel"], row["recipient"], row["state"]) for row in sent}
    assert by_channel == {
        ("archive", "archive", "accepted"),
        ("webhook", "portal", "accepted"),
        ("email", "reader", "accepted"),
        ("email", "north", "accepted"),
        ("email", "south", "refused"),
        ("email", "editor", "refused"),
    }
    assert len(sent) == (4 + 4 + 4) + (2 + 2 + 3)
    assert {row["recipient"] for row in bank.rows("north", "SELECT recipient FROM system.deliveries")} == {"north"}


def alert_of(bank, scope):
    """The number of what is watched in a scope."""
    (row,) = bank.rows("reader", f"SELECT alert_id FROM system.alerts WHERE is_current AND scope = '{scope}'")
    return row["alert_id"]


def test_alerts_over_adbc(bank):
    sql = "SELECT scope, state, value, member FROM system.alerts WHERE is_current ORDER BY scope"
    ok = {"state": "ok", "member": ""}
    rows = {
        "head_office": ok | {"value": "8072.63"},
        "north": {"state": "firing", "member": "", "value": "1456.75"},
        "quay": ok | {"value": "3899.10"},
        "south": ok | {"value": "2716.78"},
    }
    assert bank.rows("reader", sql) == [{"scope": scope} | row for scope, row in rows.items()]
    assert bank.rows("north", sql) == [{"scope": "north"} | rows["north"]]


# -- pages, in a browser


@pytest.fixture(scope="module")
def tool(bank):
    if not browser.PROGRAM:
        pytest.skip("Chromium is missing")
    with browser.running() as tool:
        yield tool


def log_in(bank, page, name):
    page.go(f"{bank.http}/login")
    fill = f"""
      document.querySelector('main [name=name]').value = {json.dumps(name)};
      document.querySelector('main [name=password]').value = {json.dumps(PASSWORD)};
      document.querySelector('main form button').click()"""
    assert page.submit(fill) == 200
    assert not page.evaluate("location.pathname").startswith("/login"), page.evaluate("document.body.innerText")


def pages(bank):
    evidence = f"/editions/{bank.rows('reader', 'SELECT edition FROM system.editions')[0]['edition']}/evidence"
    versions = [link("head_office"), link("head_office", 2), f"{link('head_office', 2)}/changes"]
    reports = ["/reports", "/reports/balances", "/reports/balances/editions"]
    alerts = ["/", "/alerts", f"/alerts/{alert_of(bank, 'north')}"]
    return [*reports, *versions, evidence, "/schedules", "/schedules/balances/monthly", "/deliveries", *alerts]


@pytest.mark.parametrize(("width", "scheme", "lang"), [(1280, "light", "zh-CN"), (390, "dark", "en")])
def test_pages_are_accessible(bank, tool, width, scheme, lang):
    """No page has a fault that axe finds, and none is wider than the screen."""
    if not AXE.is_file():
        pytest.skip("run `npm ci --prefix tests/clients/npm`")
    axe = AXE.read_text()
    with tool.page() as page:
        log_in(bank, page, "editor")
        page.look(width, scheme=scheme)
        faults = {}
        for path in pages(bank):
            assert page.go(f"{bank.http}{path}?lang={lang}") == 200, path
            page.evaluate(axe)
            found = page.evaluate("axe.run(document)")
            assert len(found["passes"]) > 10, f"{path}: axe looked at nothing"
            broken = [f"{rule['id']}: {[node['html'][:120] for node in rule['nodes']]}" for rule in found["violations"]]
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                broken.append(f"{wide} px wide")
            if broken:
                faults[path] = broken
        assert not faults, json.dumps(faults, indent=1, ensure_ascii=False)


def test_pages_work_without_scripts(bank, tool):
    """Login, lists, a filter, an action and its undoing, by links and forms alone."""
    with tool.page() as page:
        page.scripts(on=False)
        page.go("data:text/html,<title>off</title><script>document.title = 'on'</script>")
        assert page.evaluate("document.title") == "off"
        log_in(bank, page, "editor")
        page.go(f"{bank.http}/reports/balances/editions?lang=en")
        page.evaluate("document.querySelector('main [name=scope]').value = 'south'")
        assert page.submit("document.querySelector('main form button').click()") == 200
        links = page.evaluate("[...document.querySelectorAll('main tbody td:nth-child(3) > a')].map(a => a.getAttribute('href'))")
        assert links == [link("south", 2), link("south")]
        assert page.submit("document.querySelector('main tbody td:nth-child(3) > a').click()") == 200
        assert page.evaluate("location.pathname") == link("south", 2)
        page.go(f"{bank.http}/schedules/balances/monthly?lang=en")
        page.evaluate("document.querySelector('main [name=reason]').value = 'the auditors are here'")
        assert page.submit("document.querySelector('main button[value=pause]').click()") == 200
        assert "the auditors are here" in page.evaluate("document.querySelector('main').innerText")
        assert page.submit("document.querySelector('main button[value=resume]').click()") == 200
        assert "the auditors are here" not in page.evaluate("document.querySelector('main').innerText")
        does = [(record["principal"], record["detail"]["do"]) for record in bank.audit("schedule")]
        assert does[:2] == [("editor", "resume"), ("editor", "pause")]
        page.go(f"{bank.http}/?lang=en")
        number = alert_of(bank, "north")
        assert page.evaluate(f"document.querySelectorAll('main a[href=\"/alerts/{number}\"]').length") == 1
        page.go(f"{bank.http}/alerts/{number}?lang=en")
        page.evaluate("document.querySelector('main [name=reason]').value = 'calling customers'")
        assert page.submit("document.querySelector('main button[value=acknowledge]').click()") == 200
        assert "calling customers" in page.evaluate("document.querySelector('main').innerText")
        done = [(record["principal"], record["detail"]["do"]) for record in bank.audit("alert")]
        assert done == [("editor", "acknowledge")]
        page.go(f"{bank.http}/deliveries?state=refused&lang=en")
        assert page.evaluate("document.querySelectorAll('main tbody details').length") == 4
