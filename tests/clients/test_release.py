"""A held run and a late close, as people meet them: pages, forms, mails, files.

A bank of three branches (tests/projects/publish), of which quay has not closed November. Its schedule has a deadline that passed
long ago and is told to the role `desk`; a run that somebody starts is held, and somebody else releases it.
"""

import io
import json
import os
import pathlib
import re
import subprocess
import time

import browser
import pypdf
import pytest
import requests
import test_publish
from test_publish import PASSWORD, hook_server, link, mail_server, replaced, said

AXE = pathlib.Path(__file__).resolve().parent / "npm" / "node_modules" / "axe-core" / "axe.min.js"
PAGE = "/schedules/balances/monthly"
REASON = "quay has burnt down"
ROWS = [("north", 1, "Nora Nilsen", "1111.25"), ("south", 3, "Susan Sato", "2654.75")]
USERS = [
    ("editor", ["publisher", "reader"], None, None),
    ("both", ["publisher", "reviewer", "analyst"], None, None),
    ("rita", ["reviewer"], None, None),
    ("nora", ["reviewer"], "north", None),
    ("reader", ["reader", "analyst"], None, "reader@bank.example"),
    ("north", ["reader"], "north", "north@bank.example"),
    ("dora", ["desk"], None, "dora@bank.example"),
    ("quentin", ["desk"], "quay", "quentin@bank.example"),
    ("david", ["desk"], "south", "david@bank.example"),
]
YEARS = ["{year: 2025, source: none, holidays: []}", "{year: 2026, source: none, holidays: []}"]


class Bank(test_publish.Bank):
    """With a deadline."""

    def __init__(self, folder, mail, hook):
        super().__init__(folder, mail, hook)
        (self.project / "calendars").mkdir()
        years = "".join(f"  - {year}\n" for year in YEARS)
        (self.project / "calendars" / "bank.yaml").write_text(f'calendar: bank\nversion: "1"\nyears:\n{years}')
        settings = self.project / "countinghouse.yaml"
        desk = "roles:\n  - {name: desk, label: {en: Desk, zh-CN: 报表岗}}\n"
        settings.write_text(replaced(settings.read_text(), "roles:\n", desk))
        report = self.project / "reports" / "balances" / "report.yaml"
        when = (
            "when: {closed: month, calendar: bank, time_zone: Asia/Shanghai}\n"
            '    deadline: {business_day: 3, at: "09:00", then: hold, tell: [desk]}'
        )
        report.write_text(replaced(report.read_text(), "when: {closed: month}", when))

    def work(self):
        """Does what is due. The run that this plans is held, as every run is here that nobody releases."""
        command = [os.environ["COUNTINGHOUSE_BIN"], "--project", self.project, "--state", self.state]
        done = subprocess.run([*command, "schedule", "run", "balances/monthly"], capture_output=True, text=True, timeout=300)
        assert "2 of 3 branches closed; missing: quay" in done.stdout + done.stderr
        return done

    def session(self, name):
        """A browser's session, without scripts."""
        session = requests.Session()
        session.headers["Origin"] = self.http
        token = field(session.get(f"{self.http}/login").text)
        form = {"token": token, "name": name, "password": PASSWORD, "next": ""}
        assert session.post(f"{self.http}/login", data=form, allow_redirects=False).status_code == 303
        return session


def field(page):
    return re.search(r'name="token" value="([^"]+)"', page)[1]


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    if not os.environ.get("COUNTINGHOUSE_BIN"):
        pytest.skip("a bank of its own is started by COUNTINGHOUSE_BIN")
    with mail_server() as (mail, mails), hook_server() as (hook, hooks):
        bank = Bank(tmp_path_factory.mktemp("release"), mail, hook)
        bank.load(1, ROWS)
        bank.tokens = {user[0]: bank.add(*user) for user in USERS}
        bank.mails, bank.hooks = mails, hooks
        bank.start()
        try:
            yield bank
        finally:
            bank.stop()


def post(session, bank, what, **fields):
    token = field(session.get(f"{bank.http}{PAGE}?lang=en").text)
    data = {"token": token, "do": what} | fields
    return session.post(f"{bank.http}{PAGE}?lang=en", data=data, allow_redirects=False)


def test_a_run_is_released_by_somebody_else(bank):
    both, editor, rita, nora = (bank.session(name) for name in ["both", "editor", "rita", "nora"])
    assert post(both, bank, "run").status_code == 303
    bank.work()
    run = min(int(number) for number in re.findall(r'<option value="(\d+)"', rita.get(f"{bank.http}{PAGE}?lang=en").text))

    # Nothing is there for whoever has not the role over the whole bank, and no form for whoever started it alone.
    page = editor.get(f"{bank.http}{PAGE}?lang=en").text
    assert "2 of 3 branches closed; missing: quay" in page and 'value="release"' not in page
    assert post(editor, bank, "release", run=run, reason=REASON).status_code == 404
    assert nora.get(f"{bank.http}{PAGE}").status_code == 404
    page = both.get(f"{bank.http}{PAGE}?lang=en").text
    assert "A run that you started yourself is released by somebody else." in page
    own = post(both, bank, "release", run=run, reason=REASON)
    assert own.status_code == 400 and "You started this run yourself" in own.text
    # A token that a tool keeps releases nothing.
    answer = requests.post(
        f"{bank.http}{PAGE}",
        data={"do": "release", "run": run, "reason": REASON},
        headers={"Authorization": f"Bearer {bank.tokens['rita']}"},
        timeout=60,
    )
    assert answer.status_code in (401, 403), answer.text

    page = rita.get(f"{bank.http}{PAGE}?lang=en").text
    assert "2 of 3 branches closed; missing: quay" in page and 'value="release"' in page and 'value="run"' not in page
    assert post(rita, bank, "run").status_code == 404
    assert post(rita, bank, "release", run=run).status_code == 400
    assert post(rita, bank, "release", run=999, reason=REASON).status_code == 400
    done = post(rita, bank, "release", run=run, reason=REASON)
    assert (done.status_code, done.headers["location"]) == (303, f"{PAGE}?done=release")
    assert "The run is released" in rita.get(f"{bank.http}{done.headers['location']}&lang=en").text
    assert post(rita, bank, "release", run=run, reason=REASON).status_code == 400
    (record,) = [record for record in bank.audit("schedule") if record["detail"]["do"] == "release"]
    assert record["principal"] == "rita"
    assert (record["detail"]["reason"], record["detail"]["started_by"], record["detail"]["run"]) == (REASON, "both", run)

    bank.mails.clear()
    bank.hooks.clear()
    bank.work()


def test_every_edition_says_who_released_it_and_why(bank):
    """After the release."""
    for login, scope in [("reader", "head_office"), ("north", "north")]:
        for lang, parts in [
            ("zh-CN", ["经复核放行", "放行人：rita（复核人）", "结账完整性", REASON]),
            ("en", ["Released by rita (Reviewer)", "completeness", REASON]),
        ]:
            page = bank.get(login, f"{link(scope)}?lang={lang}").text
            assert all(part in page for part in parts), (scope, lang)
            pdf = bank.get(login, f"{link(scope)}?format=pdf&lang={lang}").content
            # Line breaks and spaces are the page's own.
            first = re.sub(r"\s", "", pypdf.PdfReader(io.BytesIO(pdf)).pages[0].extract_text())
            assert all(re.sub(r"\s", "", part) in first for part in parts), (scope, lang, first)
    (edition,) = bank.rows("reader", "SELECT edition FROM system.editions WHERE scope = 'head_office'")
    manifest = bank.get("reader", f"/editions/{edition['edition']}/files/manifest.json").json()
    assert manifest["release"]["by"] == "rita" and manifest["release"]["gates"] == ["complete"]
    evidence = bank.get("reader", f"/editions/{edition['edition']}/evidence?format=json").json()
    assert evidence["release"]["reason"] == REASON
    assert "missing: quay" in bank.get("reader", f"/editions/{edition['edition']}/evidence?lang=en").text
    # A branch is told of the release, not of the branch that is missing.
    assert "missing: quay" not in bank.get("north", f"{link('north')}?lang=en").text


def test_what_is_sent_of_it_says_so(bank):
    assert {envelope.rcpt_tos[0] for envelope in bank.mails} == {"reader@bank.example", "north@bank.example"}
    for envelope in bank.mails:
        _, text = said(envelope)
        assert "放行人：rita（复核人）" in text and REASON in text, text
    bodies = [json.loads(body) for _, _, body in bank.hooks]
    assert bodies and all(REASON in body["release"] for body in bodies)


def test_a_deadline_is_told_once(bank):
    """By two servers that plan at the same time."""
    bank.mails.clear()
    bank.hooks.clear()
    command = [os.environ["COUNTINGHOUSE_BIN"], "--project", bank.project, "--state", bank.state]
    command += ["serve", "--http", "127.0.0.1:0", "--flight", "127.0.0.1:0"]
    environment = {name: value for name, value in os.environ.items() if name != "COUNTINGHOUSE_NO_SCHEDULES"}
    servers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) for _ in range(2)]
    try:
        for server in servers:
            assert server.stdout.readline().startswith(b"ready ")

        def settled():
            rows = bank.rows("both", "SELECT recipient, state FROM system.deliveries WHERE notice IS NOT NULL")
            return rows and all(row["state"] in ("accepted", "refused", "failed") for row in rows)

        wait_for(settled)
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait(60)
    told = {envelope.rcpt_tos[0]: said(envelope)[1] for envelope in bank.mails}
    assert sorted(envelope.rcpt_tos[0] for envelope in bank.mails) == ["dora@bank.example", "quentin@bank.example"]
    assert "2025-11 结账逾期" in told["dora@bank.example"] and "3 家分行中 2 家" in told["dora@bank.example"]
    assert "quay尚未完成 2025-11 结账" in told["quentin@bank.example"] and "3 家" not in told["quentin@bank.example"]
    messages = [json.loads(body) for _, _, body in bank.hooks]
    assert [(message["event"], message["scope"], message["items"]) for message in messages] == [("deadline", "head_office", ["quay"])]


def wait_for(condition, seconds=60):
    """Until a condition of the server's own records holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


@pytest.mark.parametrize("lang", ["zh-CN", "en"])
def test_the_page_is_accessible(bank, lang):
    if not browser.PROGRAM:
        pytest.skip("Chromium is missing")
    if not AXE.is_file():
        pytest.skip("run `npm ci --prefix tests/clients/npm`")
    with browser.running() as tool, tool.page() as page:
        test_publish.log_in(bank, page, "rita")
        for width in [1280, 390]:
            page.look(width, scheme="light")
            for path in [PAGE, "/deliveries"]:
                assert page.go(f"{bank.http}{path}?lang={lang}") == 200
                page.evaluate(AXE.read_text())
                found = page.evaluate("axe.run(document)")
                assert len(found["passes"]) > 10
                assert [rule["id"] for rule in found["violations"]] == []
                assert page.evaluate("document.documentElement.scrollWidth") <= width
