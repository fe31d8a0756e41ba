"""Apache Superset over flightsql-dbapi, asked through its own REST API, and charts seen in a browser.

Every figure is compared with what `/api/sql` gives for the same question, written here by hand and answered without rollups.
Superset, its metadata (SQLite) and its secret key are made for the run and gone after it.
"""

import contextlib
import datetime
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.parse

import pytest
import requests
import serving
from playwright import sync_api as playwright

FOLDER = pathlib.Path(__file__).resolve().parent
PROGRAM = pathlib.Path(sys.executable).parent / "superset"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
SECONDS = 600
# The last quarter of the sample bank, as Superset writes a time range: the end is not in it.
RANGE = "2025-10-01 : 2026-01-01"
WHEN = "month >= DATE '2025-10-01' AND month < DATE '2026-01-01'"
IN_RANGE = {"col": "month", "op": "TEMPORAL_RANGE", "val": RANGE}
# Metrics as the chart builder makes them: one picked, one written as SQL.
BALANCE = {"expressionType": "SIMPLE", "column": {"column_name": "balance"}, "aggregate": "SUM", "label": "SUM(balance)"}
CUSTOMERS = {"expressionType": "SQL", "sqlExpression": "MEASURE(customers)", "label": "customers"}
BOTH = 'SUM(balance) AS "SUM(balance)", MEASURE(customers) AS customers'
USERS = ["head_office", "beijing"]


class Superset:
    """Its address, and a session of its administrator."""

    def __init__(self, url, password):
        self.url, self.password = url, password
        self.http = requests.Session()
        login = {"username": "admin", "password": password, "provider": "db"}
        token = self.call("POST", "security/login", json=login)["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        self.http.headers["X-CSRFToken"] = self.call("GET", "security/csrf_token/")["result"]
        self.http.headers["Referer"] = url

    def answer(self, method, path, **more):
        return self.http.request(method, f"{self.url}/api/v1/{path}", timeout=SECONDS, **more)

    def call(self, method, path, **more):
        answer = self.answer(method, path, **more)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()


def address(process):
    """What the process says that it listens on; it must be read on, or it would wait for a full pipe."""
    said = []
    timer = threading.Timer(SECONDS, process.kill)
    timer.start()
    try:
        for line in process.stdout:
            said.append(line)
            if found := re.search(r"Running on (http://127\.0\.0\.1:\d+)", line):
                threading.Thread(target=process.stdout.read, daemon=True).start()
                return found[1]
    finally:
        timer.cancel()
    raise RuntimeError("Superset did not start:\n" + "".join(said[-50:]))


@pytest.fixture(scope="session")
def server():
    try:
        with serving.running() as server:
            yield server
    except serving.NotNamed as missing:
        pytest.exit(str(missing), 2)


@pytest.fixture(scope="session")
def superset():
    with tempfile.TemporaryDirectory() as home:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("FLASK_", "SUPERSET_"))}
        environment |= {"FLASK_APP": "superset", "SUPERSET_HOME": home, "SUPERSET_SECRET_KEY": secrets.token_hex(32)}
        environment["SUPERSET_CONFIG_PATH"] = str(FOLDER / "superset_config.py")
        how = {"env": environment, "cwd": home, "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        password = secrets.token_hex(8)
        person = ["--username", "admin", "--firstname", "A", "--lastname", "B", "--email", "admin@example.com"]
        for command in [["db", "upgrade"], ["fab", "create-admin", *person, "--password", password], ["init"]]:
            done = subprocess.run([PROGRAM, *command], timeout=SECONDS, **how)
            assert done.returncode == 0, done.stdout[-5000:]
        command = [PROGRAM, "run", "--host", "127.0.0.1", "--port", "0", "--with-threads", "--no-reload", "--no-debugger"]
        process = subprocess.Popen(command, start_new_session=True, **how)
        try:
            yield Superset(address(process), password)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def uri(server, user, *, token=False):
    """A value of `insecure` means no TLS, whatever it is."""
    who, where = server.logins[user], server.flight.removeprefix("grpc://")
    if token:
        return f"datafusion+flightsql://{where}?insecure=true&token={who.token}"
    return f"datafusion+flightsql://{who.name}:{urllib.parse.quote(who.password, safe='')}@{where}?insecure=true"


@pytest.fixture(scope="session")
def databases(server, superset):
    """One database of Superset for each user of ours: {name: id}. Superset itself keeps no statement back."""
    ids = {}
    for user in USERS:
        body = {"database_name": user, "sqlalchemy_uri": uri(server, user), "expose_in_sqllab": True, "allow_dml": True}
        ids[user] = superset.call("POST", "database/", json=body)["id"]
    return ids


@pytest.fixture
def dataset(superset, databases):
    """Makes a dataset in a user's own schema, on the cube of deposits if nothing else is said, and gives its id.

    It is gone after the test: Superset's tables in SQLite take only one dataset of a name, whatever its database.
    """
    made = []

    def make(user, **more):
        body = {"database": databases[user], "schema": user, "table_name": "deposits", **more}
        made.append(superset.call("POST", "dataset/", json=body)["id"])
        return made[-1]

    yield make
    for number in made:
        superset.call("DELETE", f"dataset/{number}")


def ask(server, user, sql):
    """The rows of `/api/sql`, from the facts; decimals as floating-point numbers, which is what Superset makes of them."""
    headers = {"Authorization": f"Bearer {server.logins[user].token}"}
    answer = requests.post(f"{server.http}/api/sql", json={"sql": sql, "rollups": "off"}, headers=headers, timeout=SECONDS)
    assert answer.ok, answer.text
    rows = answer.json()["rows"]
    for name in [column["name"] for column in answer.json()["columns"] if column["type"] == "decimal"]:
        for row in rows:
            row[name] = None if row[name] is None else float(row[name])
    return rows


def send(superset, dataset, *queries, **more):
    """`/api/v1/chart/data`: one answer for each query, each in the last quarter unless it has filters of its own."""
    everything = [{"filters": [IN_RANGE], "row_limit": 10000, **query} for query in queries]
    body = {"datasource": {"id": dataset, "type": "table"}, "queries": everything, "force": True, "result_type": "full"}
    return superset.answer("POST", "chart/data", json=body | more)


def chart(superset, dataset, *queries, **more):
    answer = send(superset, dataset, *queries, **more)
    assert answer.ok, answer.text
    return [result["data"] for result in answer.json()["result"]]


def lab(superset, database, sql):
    """SQL Lab, with the number of rows that it has chosen at first; it asks for one more, to know whether there are more."""
    body = {"database_id": database, "sql": sql, "runAsync": False, "queryLimit": 1000, "client_id": secrets.token_hex(5)}
    return superset.answer("POST", "sqllab/execute/", json=body)


def by(*names):
    return lambda row: [row[name] for name in names]


def month(grain="P1M"):
    """The time axis of a chart."""
    axis = {"columnType": "BASE_AXIS", "timeGrain": grain}
    return axis | {"expressionType": "SQL", "sqlExpression": "month", "label": "month"}


def moment(text):
    """One of our dates as Superset's JSON has it: milliseconds since 1970."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC).timestamp() * 1000


# -- what there is


def test_a_token_is_a_login(server, superset):
    body = {"database_name": "token", "sqlalchemy_uri": uri(server, "head_office", token=True)}
    assert superset.call("POST", "database/test_connection/", json=body) == {"message": "OK"}


def test_schemas_are_those_of_the_user(superset, databases):
    schemas = {user: superset.call("GET", f"database/{databases[user]}/schemas/?q=(force:!t)")["result"] for user in USERS}
    assert {"head_office", "beijing", "shanghai", "system"} <= set(schemas["head_office"])
    assert "beijing" in schemas["beijing"]
    assert not set(schemas["beijing"]) & {"head_office", "shanghai", "warehouse"}


def test_tables_are_the_cubes(superset, databases):
    def tables(user, schema):
        listed = superset.call("GET", f"database/{databases[user]}/tables/?q=(schema_name:{schema},force:!t)")
        return {table["value"] for table in listed["result"]}

    for user in USERS:
        assert {"deposits", "credit"} <= tables(user, user)
    assert tables("beijing", "shanghai") == set()


def test_a_dataset_knows_the_types(superset, dataset):
    listed = superset.call("GET", f"dataset/{dataset('head_office')}")["result"]["columns"]
    columns = {column["column_name"]: column for column in listed}
    assert columns["month"]["is_dttm"] and columns["month"]["type"] == "DATE"
    assert columns["branch"]["type_generic"] == 1  # text
    assert columns["balance"]["type_generic"] == 0  # a number


def test_a_dataset_on_another_branch_is_refused(superset, databases):
    """With the answer that a schema gets which is nowhere."""
    answers = []
    for schema in ["shanghai", "nowhere"]:
        body = {"database": databases["beijing"], "schema": schema, "table_name": "deposits"}
        answers.append(superset.answer("POST", "dataset/", json=body))
    forbidden, missing = answers
    assert not forbidden.ok and (forbidden.status_code, forbidden.text) == (missing.status_code, missing.text)
    assert superset.call("GET", "dataset/")["count"] == 0


# -- charts


@pytest.mark.parametrize("user", USERS)
def test_a_table_by_branch_with_totals(server, superset, dataset, user):
    """Its queries: the rows, the totals, the number of rows. Different customers do not add up over branches."""
    rows = {"columns": ["branch"], "metrics": [BALANCE, CUSTOMERS]}
    got, total, count = chart(superset, dataset(user), rows, rows | {"columns": []}, rows | {"is_rowcount": True})

    expected = ask(server, user, f"SELECT branch, {BOTH} FROM deposits WHERE {WHEN} GROUP BY branch ORDER BY branch")
    assert sorted(got, key=by("branch")) == expected
    assert total == ask(server, user, f"SELECT {BOTH} FROM deposits WHERE {WHEN}")
    assert count == [{"rowcount": len(expected)}]
    if user == "beijing":
        assert len(expected) == 1
    else:
        assert len(expected) == 28
        assert 0 < total[0]["customers"] < sum(row["customers"] for row in got)


def test_filters_and_an_order(server, superset, dataset):
    five = ask(server, "head_office", "SELECT DISTINCT branch FROM deposits ORDER BY branch LIMIT 5")
    names = [row["branch"] for row in five]
    query = {"columns": ["branch"], "metrics": [BALANCE], "orderby": [[BALANCE, False]], "row_limit": 2}
    query |= {"filters": [IN_RANGE, {"col": "branch", "op": "IN", "val": names}]}
    query |= {"extras": {"having": "SUM(balance) > 1000000"}}
    (got,) = chart(superset, dataset("head_office"), query)
    sql = f"SELECT branch, SUM(balance) AS b FROM deposits WHERE {WHEN} AND branch IN ({str(names)[1:-1]}) GROUP BY branch"
    sql += " HAVING SUM(balance) > 1000000 ORDER BY b DESC LIMIT 2"
    assert len(got) == 2
    assert got == [{"branch": row["branch"], "SUM(balance)": row["b"]} for row in ask(server, "head_office", sql)]


@pytest.mark.parametrize("grain, unit", [("P1M", "month"), ("P3M", "quarter"), ("P1Y", "year")])
def test_time_grains(server, superset, dataset, grain, unit):
    query = {"columns": [month(grain)], "metrics": [BALANCE, CUSTOMERS], "filters": []}
    (got,) = chart(superset, dataset("head_office"), query)
    sql = f"SELECT date_trunc('{unit}', month) AS month, {BOTH} FROM deposits GROUP BY 1 ORDER BY 1"
    expected = [row | {"month": moment(row["month"])} for row in ask(server, "head_office", sql)]
    assert len(expected) == {"month": 24, "quarter": 8, "year": 2}[unit]
    assert sorted(got, key=by("month")) == expected


def test_a_comparison_with_a_year_ago(server, superset, dataset):
    query = {"columns": [month()], "metrics": [BALANCE], "granularity": "month", "time_range": RANGE}
    (got,) = chart(superset, dataset("head_office"), query | {"time_offsets": ["1 year ago"]})
    sql = "SELECT month, SUM(balance) AS b FROM deposits WHERE month >= DATE '2024-10-01' GROUP BY month ORDER BY month"
    balances = [row["b"] for row in ask(server, "head_office", sql)]
    assert len(balances) == 15
    both = [(row["SUM(balance)"], row["SUM(balance)__1 year ago"]) for row in sorted(got, key=by("month"))]
    assert both == list(zip(balances[12:], balances[:3]))


def test_the_largest_series_only(server, superset, dataset):
    """The chart's series limit: Superset joins the cube with a query of its largest branches."""
    query = {"columns": [month(), "branch"], "metrics": [BALANCE]}
    limit = {"series_columns": ["branch"], "series_limit": 3, "series_limit_metric": BALANCE}
    (got,) = chart(superset, dataset("head_office"), query | limit)
    largest = f"SELECT branch, SUM(balance) AS b FROM deposits WHERE {WHEN} GROUP BY branch ORDER BY b DESC LIMIT 3"
    names = str([row["branch"] for row in ask(server, "head_office", largest)])[1:-1]
    sql = f'SELECT month, branch, SUM(balance) AS "SUM(balance)" FROM deposits WHERE {WHEN} AND branch IN ({names})'
    sql += " GROUP BY month, branch"
    expected = [row | {"month": moment(row["month"])} for row in ask(server, "head_office", sql)]
    assert len(expected) == 9
    assert sorted(got, key=by("month", "branch")) == sorted(expected, key=by("month", "branch"))


def test_a_chart_on_a_query(server, superset, dataset):
    """A virtual dataset: the measures are still those of the cube."""
    number = dataset("head_office", table_name="everything", sql="SELECT * FROM deposits")
    (got,) = chart(superset, number, {"columns": ["branch"], "metrics": [BALANCE, CUSTOMERS]})
    sql = f"SELECT branch, {BOTH} FROM deposits WHERE {WHEN} GROUP BY branch ORDER BY branch"
    assert sorted(got, key=by("branch")) == ask(server, "head_office", sql)


def test_samples_and_the_values_of_a_filter(server, superset, dataset):
    number = dataset("head_office")
    branches = {row["branch"] for row in ask(server, "head_office", "SELECT DISTINCT branch FROM deposits")}
    assert set(superset.call("GET", f"datasource/table/{number}/column/branch/values/")["result"]) == branches
    (rows,) = chart(superset, number, {"columns": [], "filters": [], "row_limit": 1000}, result_type="samples")
    (preview,) = ask(server, "head_office", "SELECT * FROM deposits LIMIT 1")
    assert len(rows) == 1000 and set(rows[0]) == set(preview)
    assert {row["branch"] for row in rows} <= branches


def test_a_chart_is_answered_from_a_rollup(server, superset, dataset):
    name = f"balance_{secrets.token_hex(5)}"
    query = {"columns": ["branch"], "metrics": [BALANCE | {"label": name}]}
    (got,) = chart(superset, dataset("head_office"), query)
    assert len(got) == 28
    sql = f"SELECT face, status, rollup FROM system.queries WHERE sql LIKE '%SUM(balance) AS {name}%GROUP BY%'"
    assert ask(server, "head_office", sql) == [{"face": "flight", "status": "ok", "rollup": "deposits_by_branch_month"}]


def test_a_wrong_aggregate_is_refused_with_the_right_one_named(superset, dataset):
    answer = send(superset, dataset("head_office"), {"columns": ["branch"], "metrics": [BALANCE | {"aggregate": "AVG"}]})
    assert answer.status_code == 400 and "write `SUM(balance)` or `MEASURE(balance)`" in answer.text


# -- SQL Lab


@pytest.mark.parametrize("user", USERS)
def test_sql_lab(server, superset, databases, user):
    sql = f"SELECT branch, {BOTH} FROM {user}.deposits WHERE {WHEN} GROUP BY branch ORDER BY branch"
    answer = lab(superset, databases[user], sql)
    assert answer.ok, answer.text
    expected = ask(server, user, sql)
    assert answer.json()["data"] == expected
    assert len(expected) == (1 if user == "beijing" else 28)


def test_sql_lab_of_a_branch_sees_itself_only(superset, databases):
    for table in ["head_office.deposits", "shanghai.deposits"]:
        answer = lab(superset, databases["beijing"], f"SELECT SUM(balance) AS balance FROM {table}")
        assert not answer.ok and f"there is no table `{table}` that you can see" in answer.text


def test_sql_lab_shows_rows_of_a_cube(server, superset, databases):
    answer = lab(superset, databases["head_office"], "SELECT * FROM deposits")
    assert answer.ok, answer.text
    (preview,) = ask(server, "head_office", "SELECT * FROM deposits LIMIT 1")
    rows = answer.json()["data"]
    assert len(rows) == 1000 and set(rows[0]) == set(preview)


def test_sql_lab_writes_nothing(superset, databases):
    answer = lab(superset, databases["head_office"], "DELETE FROM head_office.deposits")
    assert not answer.ok and "`DELETE` is not a query" in answer.text


# -- the page


@pytest.fixture
def page(superset):
    """A browser that reaches this machine only, with the administrator logged in."""
    arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    arguments += ["--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    with playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=BROWSER, args=arguments)
        try:
            page = browser.new_page(viewport={"width": 1600, "height": 900})
            page.set_default_timeout(300_000)
            page.goto(f"{superset.url}/login/")
            page.fill("#username", "admin")
            page.fill("#password", superset.password)
            page.press("#password", "Enter")
            page.wait_for_url(lambda url: "/login" not in url)
            yield page
        finally:
            browser.close()


def opened(superset, page, dataset, metric):
    """Makes a bar chart by branch, the largest first, and opens it; the answer of `/api/v1/chart/data` to the page."""
    during = {"clause": "WHERE", "expressionType": "SIMPLE"}
    during |= {"subject": "month", "operator": "TEMPORAL_RANGE", "comparator": RANGE}
    form = {"viz_type": "echarts_timeseries_bar", "datasource": f"{dataset}__table", "row_limit": 10000}
    form |= {"x_axis": "branch", "metrics": [metric], "adhoc_filters": [during]}
    form |= {"x_axis_sort": metric["label"], "x_axis_sort_asc": False}
    body = {"slice_name": "Balance by branch", "viz_type": form["viz_type"], "params": json.dumps(form)}
    number = superset.call("POST", "chart/", json=body | {"datasource_id": dataset, "datasource_type": "table"})["id"]
    with page.expect_response(lambda response: "/api/v1/chart/data" in response.url) as sent:
        page.goto(f"{superset.url}/explore/?slice_id={number}")
    return sent.value.json()


# Whether the canvas has not changed since this was asked last: a chart is drawn in steps.
STANDS_STILL = """() => {
  const before = window.drawnBefore;
  window.drawnBefore = document.querySelector('.chart-container canvas').toDataURL();
  return before === window.drawnBefore;
}"""
# How many points of the canvas have the same colour, if it is neither white nor grey: the most of one.
COLOURED = """() => {
  const canvas = document.querySelector('.chart-container canvas');
  const points = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  const counts = {};
  for (let at = 0; at < points.length; at += 4) {
    const colour = points.slice(at, at + 3);
    if (Math.max(...colour) - Math.min(...colour) > 60) counts[colour] = (counts[colour] ?? 0) + 1;
  }
  return Math.max(0, ...Object.values(counts));
}"""
ERROR = ".ant-alert-error"


@pytest.mark.skipif(not BROWSER, reason="no Chromium here")
def test_a_chart_is_drawn(server, superset, dataset, page, tmp_path):
    """The screenshot goes to the file of COUNTINGHOUSE_SUPERSET_SCREENSHOT."""
    failed = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    (result,) = opened(superset, page, dataset("head_office"), BALANCE)["result"]
    page.wait_for_selector(".chart-container canvas")
    page.wait_for_function(STANDS_STILL, polling=1000)
    page.screenshot(path=os.environ.get("COUNTINGHOUSE_SUPERSET_SCREENSHOT") or tmp_path / "superset.png")

    sql = f'SELECT branch, SUM(balance) AS "SUM(balance)" FROM deposits WHERE {WHEN} GROUP BY branch ORDER BY 2 DESC'
    assert result["data"] == ask(server, "head_office", sql)
    assert page.evaluate(COLOURED) > 20_000  # bars, not axes and letters alone
    assert page.locator(ERROR).count() == 0 and failed == []


@pytest.mark.skipif(not BROWSER, reason="no Chromium here")
def test_a_refused_chart_says_why(superset, dataset, page):
    opened(superset, page, dataset("head_office"), BALANCE | {"aggregate": "AVG", "label": "AVG(balance)"})
    page.wait_for_selector(ERROR)
    assert "write SUM(balance) or MEASURE(balance)" in page.locator(ERROR).first.inner_text().replace("`", "")
    assert page.locator(".chart-container canvas").count() == 0
