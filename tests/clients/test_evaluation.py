"""The evaluation of the programme as people and programs use it: pages in a browser, JSON, files, tables over ADBC.

Assessors of two branches and reviewers of the bank and of one of the branches work on the sample bank, each within its scope.
"""

import concurrent.futures
import csv
import io
import json
import os
import pathlib
import subprocess
from decimal import Decimal

import adbc_driver_flightsql.dbapi as flightsql
import browser
import openpyxl
import pytest
import requests
import serving

AXE = pathlib.Path(__file__).resolve().parent / "npm" / "node_modules" / "axe-core" / "axe.min.js"
PASSWORD = "correct horse battery staple"
# Login, roles, branch. Those who ask with SQL are analysts, those who open reports readers.
USERS = [
    ("ev_anna", ["assessor", "analyst"], "beijing"),
    ("ev_sam", ["assessor", "analyst"], "shanghai"),
    ("ev_rosa", ["reviewer", "analyst"], "shanghai"),
    ("ev_rita", ["reviewer", "reader", "analyst"], None),
]
ASSESSMENT = "beijing-browser"
CASE = "beijing-case"
# What nobody of another branch may read.
SECRET = "a word of Beijing alone"
DIMENSIONS = ["vision", "strategy", "experience", "organisation", "processes", "information", "technology", "metrics"]
LINK = "https://bank.example/evidence/{}"


# -- who works


class Office:
    """The served bank with the logins of this file."""

    def __init__(self, server):
        self.server, self.http, self.flight, self.tokens = server, server.http, server.flight, {}

    def run(self, *arguments, stdin="", returncode=0):
        command = [os.environ["COUNTINGHOUSE_BIN"], "--project", serving.PROJECT, "--state", self.server.state, *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=300)
        assert done.returncode == returncode, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def add(self, name, roles, branch):
        more = ["--branch", branch] if branch else []
        self.run("user", "add", name, *(f"--role={role}" for role in roles), *more, stdin=PASSWORD + "\n")
        return name, self.run("token", "create", name).split()[-1]

    def ask(self, login, method, path, status=200, **more):
        """What a login is answered."""
        headers = {"Authorization": f"Bearer {self.tokens[login]}"} | more.pop("headers", {})
        answer = requests.request(method, f"{self.http}{path}", headers=headers, timeout=60, allow_redirects=False, **more)
        assert answer.status_code == status, f"{login} {method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer

    def get(self, login, path, status=200):
        return self.ask(login, "GET", path, status)

    def put(self, login, kind, record, document, after=0, status=None, reason=""):
        """Writes a document after the version that its writer saw; 0 for a new one."""
        seen = {"If-Match": f'"{after}"'} if after else {"If-None-Match": "*"}
        status = status or (200 if after else 201)
        path = f"/api/evaluation/{kind}/{record}"
        return self.ask(login, "PUT", path, status, headers=seen, json=document, params={"reason": reason} if reason else None)

    def act(self, login, kind, record, action, after, status=200, reason=""):
        step, seen = {"do": action, "reason": reason}, {"If-Match": f'"{after}"'}
        return self.ask(login, "POST", f"/api/evaluation/{kind}/{record}", status, headers=seen, json=step)

    def rows(self, login, sql):
        """Rows over ADBC, as dictionaries."""
        options = {"username": login, "password": PASSWORD}
        with flightsql.connect(self.flight, db_kwargs=options, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetch_arrow_table().to_pylist()


def assessed(organisation="beijing", assessors=("ev_anna",)):
    return {"organisation": organisation, "as_of": "2025-12-31", "manner": "self", "assessors": list(assessors)}


def invested(organisation="beijing", name="A case of Beijing", likely=(100.0, 20.0, 20.0, 20.0)):
    lines = [
        {"line": "licences", "category": "licences", "likely": list(likely)},
        {"line": "keep", "category": "retention", "name": SECRET, "likely": [0.0, 60.0, 70.0, 80.0]},
    ]
    terms = {"rate": 0.01}
    frame = {"currency": "CNY", "start": "2025-10-01", "period": "month", "periods": 4}
    return {"name": name, "organisation": organisation, "terms": terms, "lines": lines} | frame


@pytest.fixture(scope="module")
def office(server):
    if not server.state:
        pytest.skip("logins are added by COUNTINGHOUSE_BIN, to the state of a server that was started here")
    office = Office(server)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        office.tokens = dict(pool.map(lambda user: office.add(*user), USERS))
    office.put("ev_rita", "assessment", ASSESSMENT, assessed())
    office.put("ev_anna", "roi_case", CASE, invested())
    return office


@pytest.fixture(scope="module")
def tool():
    if not browser.PROGRAM:
        pytest.skip("Chromium is missing")
    with browser.running() as tool:
        yield tool


def log_in(office, page, name):
    page.go(f"{office.http}/login")
    fill = f"""
      document.querySelector('main [name=name]').value = {json.dumps(name)};
      document.querySelector('main [name=password]').value = {json.dumps(PASSWORD)};
      document.querySelector('main form button').click()"""
    assert page.submit(fill) == 200
    assert not page.evaluate("location.pathname").startswith("/login"), page.evaluate("document.body.innerText")


def text_of(page):
    return page.evaluate("document.querySelector('main').innerText")


# -- (a) an assessment through a browser, by forms alone


def items_of(page):
    return page.evaluate("[...document.querySelectorAll('form.assessment fieldset.item')].map(item => item.id)")


def fill_in(page, item, score=None, not_applicable=False, kind="document", evidence="", comment=""):
    """Types an answer; nothing of it is sent."""
    typed = {f"evidence-kind-{item}": kind, f"evidence-{item}": evidence, f"comment-{item}": comment}
    for name, value in typed.items():
        page.evaluate(f"document.querySelector('form.assessment [name=\"{name}\"]').value = {json.dumps(value)}")
    if score is not None:
        page.evaluate(f"document.querySelector('form.assessment [name=\"score-{item}\"][value=\"{score}\"]').checked = true")
    checked = json.dumps(not_applicable)
    page.evaluate(f"document.querySelector('form.assessment [name=\"na-{item}\"]').checked = {checked}")


def typed_in(page):
    """All that stands in the form, without its token."""
    return dict(page.evaluate("[...new FormData(document.querySelector('form.assessment'))].filter(([name]) => name !== 'token')"))


def press(page, action):
    return page.submit(f"document.querySelector('main button[name=do][value={action}]').click()")


def index_of_beijing(office):
    """Beijing in the report of head office: the newest index, and the whole answer."""
    report = office.get("ev_rita", "/reports/crm_maturity?format=json&lang=en").json()
    (row,) = [row for row in report["datasets"]["branches"] if row["name"] == "Beijing"] or [{"index_score": None}]
    return row["index_score"], report["datasets"]


def test_an_assessment_is_answered_reviewed_and_locked_in_a_browser(office, tool):
    before, datasets = index_of_beijing(office)
    with tool.page() as page:
        page.scripts(on=False)
        log_in(office, page, "ev_anna")
        page.go(f"{office.http}/evaluation/maturity?lang=en")
        link = f"main tbody a[href*='/evaluation/maturity/{ASSESSMENT}']"
        assert page.submit(f"document.querySelector(\"{link}\").click()") == 200
        here = f"{office.http}/evaluation/maturity/{ASSESSMENT}"

        # A draft: two answers, of which the second is kept too when the first dimension is opened again.
        page.go(f"{here}?dimension=vision&lang=en")
        first, second, *others = items_of(page)
        fill_in(page, first, score="3.5", evidence=LINK.format(first), comment="板块会议纪要")
        fill_in(page, second, score="2", kind="text", evidence="seen by us", comment=SECRET)
        assert press(page, "save") == 200
        page.go(f"{here}?dimension=vision&lang=en")
        kept = typed_in(page)
        assert kept[f"score-{first}"] == "3.5" and kept[f"comment-{first}"] == "板块会议纪要"
        assert (kept[f"evidence-kind-{second}"], kept[f"evidence-{second}"]) == ("text", "seen by us")
        assert not any(kept.get(f"score-{item}") for item in others)

        # What is wrong is told beside the field, nothing is written, and all that was typed is still there.
        fill_in(page, first, score="5", evidence="javascript:alert(1)", comment="better now")
        fill_in(page, others[0], not_applicable=True, kind="survey", evidence="", comment="")
        fill_in(page, others[1], score="4", evidence=LINK.format(others[1]), comment="第三项")
        typed = typed_in(page)
        assert press(page, "save") == 400
        assert typed_in(page) == typed
        assert page.evaluate("document.querySelectorAll('main [role=alert]').length") == 1
        for item in [first, others[0]]:
            assert page.evaluate(f"document.querySelectorAll('#{item} .fault').length") == 1, item
        stored = office.get("ev_anna", f"/api/evaluation/assessment_answer/{ASSESSMENT}/{first}/ev_anna").json()
        assert stored["document"]["score"] == 3.5 and stored["version"] == 1
        office.get("ev_anna", f"/api/evaluation/assessment_answer/{ASSESSMENT}/{others[1]}/ev_anna", 404)

        # Nobody submits what is not answered.
        page.go(f"{here}?dimension=vision&lang=en")
        assert press(page, "submit") == 400
        assert len(page.evaluate("[...document.querySelectorAll('main [role=alert] li')].map(line => line.innerText)")) == 38

        for dimension in DIMENSIONS:
            page.go(f"{here}?dimension={dimension}&lang=en")
            items = items_of(page)
            assert len(items) == 5
            for item in items:
                fill_in(page, item, score="3", evidence=LINK.format(item), comment=f"{item}: {SECRET}")
            assert press(page, "submit" if dimension == DIMENSIONS[-1] else "save") == 200, dimension
        assert items_of(page) == [], "what is submitted is no form any more"

        # Somebody else writes meanwhile: a reviewer with an old page is told, not obeyed.
        row = office.get("ev_rita", f"/api/evaluation/assessment/{ASSESSMENT}").json()
        assert row["document"]["status"] == "submitted"
        office.act("ev_rita", "assessment", ASSESSMENT, "review", row["version"] - 1, status=412)
        # An assessor reviews nothing, its own least of all.
        office.act("ev_anna", "assessment", ASSESSMENT, "review", row["version"], status=403)

    with tool.page() as page:
        page.scripts(on=False)
        log_in(office, page, "ev_rita")
        page.go(f"{office.http}/reports/crm_maturity?lang=en")
        old = text_of(page)
        page.go(f"{office.http}/evaluation/maturity/{ASSESSMENT}?lang=en")
        assert SECRET in text_of(page), "the reviewer sees what was answered"
        page.evaluate("document.querySelector('main [name=reason]').value = 'read in full'")
        assert press(page, "review") == 200
        assert press(page, "lock") == 200
        assert page.evaluate("document.querySelectorAll('main button[name=do]').length") == 0
        page.go(f"{office.http}/reports/crm_maturity?lang=en")
        new = text_of(page)
        assert new != old and "60.0" in new

    # 20 times 3 in every dimension.
    after, changed = index_of_beijing(office)
    assert Decimal(after) == 60 and (before is None or Decimal(before) != 60)
    assert changed["units"] != datasets["units"]
    row = office.get("ev_anna", f"/api/evaluation/assessment/{ASSESSMENT}").json()
    assert (row["document"]["status"], row["document"]["scores"]["staged"]) == ("locked", 3)
    # A locked one stays.
    office.put("ev_rita", "assessment", ASSESSMENT, assessed(), after=row["version"], status=409)
    answer = f"{ASSESSMENT}/top_commitment/ev_anna"
    office.put("ev_anna", "assessment_answer", answer, {"score": 5.0}, after=2, status=409)


# -- (b) another branch


def test_a_branch_neither_reads_nor_writes_another_s_records(office):
    own = office.get("ev_anna", f"/api/evaluation/roi_case/{CASE}").json()
    answer = f"{ASSESSMENT}/top_commitment/ev_anna"
    for login in ["ev_sam", "ev_rosa"]:
        for kind, record in [("assessment", ASSESSMENT), ("roi_case", CASE), ("assessment_answer", answer)]:
            told = office.get(login, f"/api/evaluation/{kind}/{record}", 404).json()
            missing = office.get(login, f"/api/evaluation/{kind}/{record}x", 404).json()
            assert told["detail"] == missing["detail"].replace(f"{record}x", record)
            office.get(login, f"/api/evaluation/{kind}/{record}?history=true", 404)
            assert SECRET not in office.get(login, f"/api/evaluation/{kind}").text
        for path in [f"/evaluation/maturity/{ASSESSMENT}", f"/evaluation/roi/{CASE}"]:
            office.get(login, path, 404)
        for path in ["/evaluation", "/evaluation/maturity", "/evaluation/roi"]:
            page = office.get(login, path).text
            assert SECRET not in page and ASSESSMENT not in page and CASE not in page and "ev_anna" not in page, path
        for table in ["record", "history", "assessment", "assessment_answer", "roi_case", "roi_line", "roi_cash"]:
            sql = f"SELECT * FROM evaluation.{table}"
            rows = office.rows(login, sql)
            shown = json.dumps(rows, default=str, ensure_ascii=False) + office.get(login, f"/api/evaluation/tables/{table}").text
            assert SECRET not in shown and ASSESSMENT not in shown and CASE not in shown and "ev_anna" not in shown, table
            assert not [row for row in rows if row.get("organisation") not in ("shanghai", "", None)], table
        office.get(login, f"/api/evaluation/import/answers?into={ASSESSMENT}", 404)
        office.get(login, f"/api/evaluation/import/cash?into={CASE}", 404)

    # As another's, as one's own, with a guessed version and without: it stays as it is, and nothing of it is told.
    for body in [invested("shanghai"), invested("beijing")]:
        for after in [0, own["version"], own["version"] + 1]:
            seen = {"If-Match": f'"{after}"'} if after else {"If-None-Match": "*"}
            for login in ["ev_sam", "ev_rosa"]:
                headers = {"Authorization": f"Bearer {office.tokens[login]}"} | seen
                told = requests.put(f"{office.http}/api/evaluation/roi_case/{CASE}", headers=headers, json=body, timeout=60)
                assert 400 <= told.status_code < 500, (login, after, told.text)
                assert "ev_anna" not in told.text and SECRET not in told.text, told.text
    assert office.get("ev_anna", f"/api/evaluation/roi_case/{CASE}").json() == own
    office.put("ev_sam", "assessment_answer", f"{ASSESSMENT}/top_commitment/ev_sam", {"score": 1.0}, status=404)
    office.act("ev_rosa", "assessment", ASSESSMENT, "return", 1, status=404, reason="mine now")
    # The branch that does not exist is refused in the words of the one that may not be seen.
    words = {}
    for organisation in ["beijing", "nowhere"]:
        told = office.put("ev_rosa", "roi_case", "somebody-s", invested(organisation), status=400)
        words[organisation] = told.json()["detail"].replace(organisation, "X")
    assert words["beijing"] == words["nowhere"]
    # What one sees of oneself is all there.
    assert office.rows("ev_anna", f"SELECT case_id FROM evaluation.roi_case WHERE case_id = '{CASE}'") == [{"case_id": CASE}]


def test_a_branch_sees_the_bank_without_names(office):
    bank = office.rows("ev_sam", "SELECT * FROM evaluation.maturity_bank ORDER BY dimension NULLS FIRST")
    assert len(bank) == 1 + len(DIMENSIONS)
    assert bank == office.rows("ev_anna", "SELECT * FROM evaluation.maturity_bank ORDER BY dimension NULLS FIRST")


# -- (c) history


def test_the_history_of_a_changed_figure_is_complete(office):
    record = "beijing-history"
    office.put("ev_anna", "roi_case", record, invested(), reason="first estimate")
    steps = [("ev_anna", 25.0, "offer of May"), ("ev_rita", 27.5, "with the new rate"), ("ev_anna", 20.0, "=withdrawn")]
    for after, (login, amount, reason) in enumerate(steps, 1):
        office.put(login, "roi_case", record, invested(likely=(100.0, amount, 20.0, 20.0)), after=after, reason=reason)
    # Who saw an older one is told, and what stands there is not lost.
    office.put("ev_anna", "roi_case", record, invested(likely=(1.0, 1.0, 1.0, 1.0)), after=2, status=412)
    # The same again is no change.
    office.put("ev_anna", "roi_case", record, invested(), after=4)

    field = "lines.licences.likely.1"
    where = f"kind = 'roi_case' AND record = '{record}' AND field = '{field}'"
    rows = office.rows("ev_rita", f"SELECT * FROM evaluation.history WHERE {where} ORDER BY seq")
    found = [(row["version"], row["before"], row["after"], row["recorded_by"], row["reason"]) for row in rows]
    assert found == [
        (1, None, "20.0", "ev_anna", "first estimate"),
        (2, "20.0", "25.0", "ev_anna", "offer of May"),
        (3, "25.0", "27.5", "ev_rita", "with the new rate"),
        (4, "27.5", "20.0", "ev_anna", "=withdrawn"),
    ]
    assert all(row["recorded_at"] for row in rows)
    changes = office.get("ev_anna", f"/api/evaluation/roi_case/{record}?history=true").json()["changes"]
    own = [change for change in changes if change["field"] == field]
    assert [(change["version"], change["before"], change["after"]) for change in own] == [line[:3] for line in found]
    page = office.get("ev_anna", f"/evaluation/roi/{record}").text
    for word in [field, "27.5", "with the new rate", "ev_rita"]:
        assert word in page, word
    # A reason stays text in a file, whatever it begins with.
    lines = csv.DictReader(io.StringIO(office.get("ev_anna", "/api/evaluation/tables/history").content.decode("utf-8-sig")))
    assert "'=withdrawn" in [line["reason"] for line in lines]
    workbook = office.get("ev_anna", "/api/evaluation/tables/history?format=xlsx").content
    cells = [cell for sheet in openpyxl.load_workbook(io.BytesIO(workbook)) for row in sheet for cell in row]
    assert [cell.value for cell in cells if cell.data_type == "f"] == []
    assert "=withdrawn" in [cell.value for cell in cells]


# -- files


def test_a_filled_template_is_taken_in_whole_or_not_at_all(office, tmp_path):
    record = "beijing-import"
    office.put("ev_rita", "assessment", record, assessed())
    template = office.get("ev_anna", f"/api/evaluation/import/answers?into={record}").content
    book = openpyxl.load_workbook(io.BytesIO(template))
    sheet = book.active
    names = [cell.value for cell in sheet[1]]
    column = {name: at for at, name in enumerate(names, 1)}
    assert sheet.max_row == 41 and {"item", "score", "evidence"} <= set(names)

    def saved():
        out = io.BytesIO()
        book.save(out)
        return out.getvalue()

    for row in range(2, 42):
        sheet.cell(row, column["score"], 3 + row % 2 / 2)
        sheet.cell(row, column["evidence_kind"], "document")
        sheet.cell(row, column["evidence"], LINK.format(row))
    sheet.cell(7, column["score"], 6)
    sheet.cell(9, column["evidence_kind"], "rumour")
    path = f"/api/evaluation/import/answers?into={record}&reason=filled"
    told = office.ask("ev_anna", "POST", path, 400, data=saved()).json()["detail"]
    assert "row 7, score" in told and "row 9, evidence_kind" in told, told
    answers = f"SELECT count(*) AS n FROM evaluation.assessment_answer WHERE assessment = '{record}'"
    assert office.rows("ev_anna", answers) == [{"n": 0}]
    sheet.cell(7, column["score"], 4)
    sheet.cell(9, column["evidence_kind"], "survey")
    assert office.ask("ev_anna", "POST", path, data=saved()).json() == {"records": 40}
    assert office.ask("ev_anna", "POST", path, data=saved()).json() == {"records": 0}, "the same again changes nothing"
    assert office.rows("ev_anna", answers) == [{"n": 40}]

    # The command line, with CSV: one version of the case for all of it.
    flows = tmp_path / "flows.csv"
    flows.write_text("line;period;low;likely;high;actual\nlicences;1;;;;22,5\n")
    into = ["--into", CASE, "--file", flows, "--as", "ev_anna", "--reason", "invoices"]
    assert "row 2, actual" in office.run("evaluation", "import", "cash", *into, returncode=1)
    flows.write_text("line;period;low;likely;high;actual\nlicences;1;;;;22.5\nlicences;2;;;;21\n")
    version = office.get("ev_anna", f"/api/evaluation/roi_case/{CASE}").json()["version"]
    assert "wrote 1 records" in office.run("evaluation", "import", "cash", *into)
    case = office.get("ev_anna", f"/api/evaluation/roi_case/{CASE}").json()
    assert (case["version"], case["reason"]) == (version + 1, "invoices")
    assert case["document"]["lines"][0]["actual"] == [None, 22.5, 21.0, None]
    # Whose rights do not reach it is told nothing of it.
    into = ["--into", CASE, "--file", flows, "--as", "ev_sam", "--reason", "mine"]
    assert SECRET not in office.run("evaluation", "import", "cash", *into, returncode=1)

    out = tmp_path / "all.xlsx"
    office.run("evaluation", "export", "--all", "--out", out)
    book = openpyxl.load_workbook(out)
    assert {"assessment", "roi_cash", "kpi_target"} <= set(book.sheetnames)
    assert all(sheet.freeze_panes == "A2" for sheet in book)


# -- (d) tables


def test_every_table_is_read_over_adbc_and_joins_the_cubes(office):
    named = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'evaluation' ORDER BY 1"
    tables = [row["table_name"] for row in office.rows("ev_rita", named)]
    assert {"record", "history", "assessment", "assessment_score", "roi_case", "roi_cash", "kpi_value", "project"} <= set(tables)
    for table in tables:
        rows = office.rows("ev_rita", f"SELECT * FROM evaluation.{table}")
        (count,) = office.rows("ev_rita", f"SELECT count(*) AS n FROM evaluation.{table}")
        assert count["n"] == len(rows), table
    joined = f"""
      WITH kept AS (
        SELECT branch_code, month, MEASURE(balance) AS balance
        FROM deposits
        WHERE month BETWEEN DATE '2025-10-01' AND DATE '2025-12-01'
        GROUP BY branch_code, month
      )
      SELECT c.period_no, c.likely, k.balance
      FROM evaluation.roi_cash c
      JOIN kept k ON k.branch_code = c.organisation AND k.month = c.period_start
      WHERE c.case_id = '{CASE}' AND c.line = 'keep' AND c.period_no > 0
      ORDER BY c.period_no"""
    rows = office.rows("ev_rita", joined)
    assert [(row["period_no"], row["likely"]) for row in rows] == [(1, Decimal(60)), (2, Decimal(70)), (3, Decimal(80))]
    asked = "SELECT MEASURE(balance) AS balance FROM deposits WHERE month = DATE '2025-11-01' AND branch_code = 'beijing'"
    assert office.rows("ev_rita", asked) == [{"balance": rows[1]["balance"]}]
    # The branch's own analyst gets the same from its own schema.
    assert office.rows("ev_anna", joined) == rows


# -- every page, both languages


def pages(office, page):
    """Every page of the evaluation, with one of each kind of record."""
    lists = [f"/evaluation/{name}" for name in ["maturity", "roi", "outcome", "issues", "projects"]]
    found = ["/evaluation", *lists, f"/evaluation/maturity/{ASSESSMENT}", f"/evaluation/roi/{CASE}"]
    page.go(f"{office.http}/evaluation/projects?lang=en")
    first = "document.querySelector('main a[href^=\"/evaluation/projects/\"]')?.getAttribute('href')"
    project = page.evaluate(first)
    assert project, "the sample bank has a project"
    return [*found, project, "/evaluation/roi/bank_of_montreal"]


@pytest.mark.parametrize(("width", "scheme", "lang"), [(1280, "light", "zh-CN"), (390, "dark", "en")])
def test_pages_are_accessible(office, tool, width, scheme, lang):
    """No page has a fault that axe finds, and none is wider than the screen. What is folded is looked at unfolded."""
    if not AXE.is_file():
        pytest.skip("run `npm ci --prefix tests/clients/npm`")
    axe = AXE.read_text()
    open_form = f"beijing-form-{lang.lower()}"
    office.put("ev_rita", "assessment", open_form, assessed())
    faults = {}

    def look(page, path):
        mark = "&" if "?" in path else "?"
        assert page.go(f"{office.http}{path}{mark}lang={lang}") == 200, path
        page.evaluate("document.querySelectorAll('main details').forEach(fold => fold.open = true)")
        page.evaluate(axe)
        found = page.evaluate("axe.run(document)")
        assert len(found["passes"]) > 10, f"{path}: axe looked at nothing"
        broken = [f"{rule['id']}: {[node['html'][:120] for node in rule['nodes']]}" for rule in found["violations"]]
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            broken.append(f"{wide} px wide")
        # A message that has no words stands there as its key.
        if bare := [word for word in text_of(page).split() if word.startswith(("evaluation-", "roi-", "outcome-", "reason-"))]:
            broken.append(f"without words: {bare}")
        if broken:
            faults[path] = broken

    with tool.page() as page:
        log_in(office, page, "ev_rita")
        page.look(width, scheme=scheme)
        for path in pages(office, page):
            look(page, path)
    with tool.page() as page:
        log_in(office, page, "ev_anna")
        page.look(width, scheme=scheme)
        look(page, f"/evaluation/maturity/{open_form}?dimension=vision")
        # With faults on it.
        first, *_ = items_of(page)
        fill_in(page, first, score="3", evidence="javascript:x")
        assert press(page, "save") == 400
        page.evaluate(axe)
        found = page.evaluate("axe.run(document)")
        if found["violations"]:
            faults["a refused form"] = [rule["id"] for rule in found["violations"]]
    assert not faults, json.dumps(faults, indent=1, ensure_ascii=False)


def test_a_page_works_by_keyboard(office, tool):
    """Every control of the form is reached with Tab, in the order of the page, and has a name."""
    record = "beijing-keys"
    office.put("ev_rita", "assessment", record, assessed())
    with tool.page() as page:
        log_in(office, page, "ev_anna")
        page.go(f"{office.http}/evaluation/maturity/{record}?dimension=vision&lang=en")
        first, *_ = items_of(page)
        page.evaluate(f"document.querySelector('form.assessment [name=\"score-{first}\"]').focus()")
        reached = []
        for _ in range(6):
            for kind in ["rawKeyDown", "keyUp"]:
                page.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
            reached.append(page.evaluate("document.activeElement.name"))
        # A group of radios is one stop.
        expected = [f"{name}-{first}" for name in ["na", "evidence-kind", "evidence", "comment"]]
        assert reached[:4] == expected, reached
        nameless = """[...document.querySelectorAll('form.assessment :is(input:not([type=hidden]), select, textarea)')]
          .filter(control => control.labels.length === 0).length"""
        assert page.evaluate(nameless) == 0
