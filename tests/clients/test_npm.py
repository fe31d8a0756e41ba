"""Two clients for Node: @lakehouse-rs/flight-sql-client (Rust inside) and @gizmodata/gizmosql-client (grpc-js inside).

The scripts in `npm` make the calls and print what they got; it is compared with what HTTP answers to the same statement.
"""

import json
import pathlib
import re
import shutil
import subprocess

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from wire import over_http

FOLDER = pathlib.Path(__file__).resolve().parent / "npm"
SECONDS = 300
CUBE = "head_office.deposits"
BY_BRANCH = (
    f"SELECT branch, month, SUM(balance) AS balance, SUM(accounts) AS accounts FROM {CUBE}"
    " GROUP BY branch, month ORDER BY branch, month"
)
OF_BRANCH = (
    f"SELECT month, SUM(balance) AS balance FROM {CUBE} WHERE branch = ? AND month >= ? GROUP BY month ORDER BY month"
)
VALUES = (
    "SELECT * FROM (VALUES (1, '存款余额 ¥ 😀', CAST(-0.05 AS DECIMAL(18, 2)), DATE '1969-12-31'),"
    " (2, NULL, NULL, NULL)) AS t (n, words, amount, day) ORDER BY n"
)
LARGE = (
    "SELECT f.account_sk, f.end_balance, repeat('余额', 20) AS words, copy FROM warehouse.fact_balance_monthly f"
    " CROSS JOIN (VALUES (1), (2), (3), (4)) AS c (copy)"
)
TYPES = {pa.string(): "Utf8", pa.date32(): "Date32<DAY>", pa.decimal128(18, 2): "Decimal[18e+2]", pa.int64(): "Int64"}


@pytest.fixture(scope="module", autouse=True)
def installed():
    if not shutil.which("node"):
        pytest.skip("there is no node: Node.js 20 runs these clients")
    if not (FOLDER / "node_modules").is_dir():
        pytest.skip("tests/clients/npm/node_modules is missing: `npm ci --prefix tests/clients/npm` installs the clients")


def node(server, script, *calls, login="head_office", by="password", **wrong):
    """What each call answered."""
    who = server.logins[login]
    host, port = server.flight.removeprefix("grpc://").split(":")
    credentials = {"username": who.name, "password": who.password} if by == "password" else {"token": who.token}
    request = {"host": host, "port": int(port), **credentials, **wrong, "calls": calls}
    command = ["node", FOLDER / f"{script}.mjs"]
    done = subprocess.run(command, input=json.dumps(request), capture_output=True, encoding="utf-8", timeout=SECONDS)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    answers = json.loads(done.stdout)
    assert len(answers) == len(calls)
    return answers


def texts(table):
    """A table as the scripts print it."""
    rows = [[None if value is None else str(value) for value in row.values()] for row in table.to_pylist()]
    return {"columns": [[column.name, TYPES[column.type]] for column in table.schema], "rows": rows}


QUERY = {"lakehouse": "query", "gizmosql": "execute"}


@pytest.mark.parametrize("by", ["password", "token"])
@pytest.mark.parametrize("script", QUERY)
def test_h1_h2_q1_rows_are_those_of_http(server, script, by):
    # The first client prepares each statement, the second asks for its flight at once.
    got = node(server, script, *([QUERY[script], sql] for sql in [BY_BRANCH, VALUES]), by=by)
    expected = [texts(over_http(server, sql)) for sql in [BY_BRANCH, VALUES]]
    assert len(expected[0]["rows"]) > 24 and expected[1]["rows"][0][2] == "-0.05"
    assert got == expected


@pytest.mark.parametrize("script", QUERY)
def test_q8_an_empty_result_has_its_columns(server, script):
    sql = BY_BRANCH.replace("GROUP BY", "WHERE branch = 'nowhere' GROUP BY")
    (got,) = node(server, script, [QUERY[script], sql])
    assert got == texts(over_http(server, sql))
    assert got["rows"] == [] and len(got["columns"]) == 4


def test_m1_m2_m3_m7_metadata(server):
    four = {"dbSchemaFilterPattern": "head\\_office", "tableNameFilterPattern": "deposits%"}
    catalogs, schemas, tables, views = node(
        server,
        "lakehouse",
        ["getCatalogs"],
        ["getDbSchemas", {"dbSchemaFilterPattern": "head%"}],
        ["getTables", four],
        ["getTables", four | {"tableTypes": ["view"]}],
    )
    assert catalogs == {"columns": [["catalog_name", "Utf8"]], "rows": [["countinghouse"]]}
    assert schemas["rows"] == [["countinghouse", "head_office"]]
    names = ["catalog_name", "db_schema_name", "table_name", "table_type"]
    assert tables["columns"] == [[name, "Utf8"] for name in names]
    cube = ["countinghouse", "head_office", "deposits", "TABLE"]
    detail = ["countinghouse", "head_office", "deposits_detail", "VIEW"]
    assert (tables["rows"], views["rows"]) == ([cube, detail], [detail])

    mine = ["catalog", "schema", "tableName", "tableType"]
    assert node(
        server, "gizmosql", ["getCatalogs"], ["getTableTypes"], ["getTables", "countinghouse", "head_office", "deposits%"]
    ) == [["countinghouse"], ["SYSTEM TABLE", "TABLE", "VIEW"], [dict(zip(mine, cube)), dict(zip(mine, detail))]]


def test_m10_a_branch_sees_itself_only(server):
    (schemas,) = node(server, "gizmosql", ["getSchemas"], login="beijing")
    names = {row["schema"] for row in schemas}
    assert "beijing" in names and not names & {"head_office", "shanghai", "warehouse"}
    (tables,) = node(server, "lakehouse", ["getTables", {}], login="beijing")
    assert {row[1] for row in tables["rows"]} == names


def test_i1_sql_info_of_every_type_that_the_client_reads(server):
    (info,) = node(server, "gizmosql", ["getSqlInfo", [0, 3, 6, 8, 504, 557]])
    assert info == {"0": "Countinghouse", "3": True, "6": None, "8": 1, "504": '"', "557": 65536}


def test_q2_q5_q6_q7_a_prepared_query_with_parameters(server):
    rows = [["北京分行", "2025-10-01"], ["上海分行", "2025-12-01"]]
    (got,) = node(server, "gizmosql", ["prepared", OF_BRANCH, ["text", "date"], rows])
    literal = OF_BRANCH.replace("?", "'{}'", 1).replace("?", "DATE '{}'", 1)
    expected = [texts(over_http(server, literal.format(*row))) for row in rows]
    assert [len(table["rows"]) for table in expected] == [3, 1]
    # Nothing comes back of closing.
    assert got == {"tables": expected, "closed": 0}


def test_q5_a_wrong_parameter_is_refused(server):
    (got,) = node(server, "gizmosql", ["prepared", OF_BRANCH, ["text", "text"], [["北京分行", "no date"]]])
    assert "A value of the parameter `$2` is not a DATE" in got["error"]


def test_h1_h2_the_handshake_gives_a_session_token_and_closing_ends_it(server):
    # A close that failed would say so on standard error, which must be empty.
    for by in ["password", "token"]:
        assert node(server, "gizmosql", ["authorization"], by=by) == ["Bearer cts"]


def test_e2_wide_rows_fit_into_messages_of_4_mib(server):
    """One row of 3.8 MB a message: this client refuses longer messages, and no value is longer than 64 KiB."""
    words = ", ".join(f"repeat(chr(19968 + n * 64 + {at}), 20000) AS c{at}" for at in range(64))
    sql = f"SELECT n, {words} FROM (VALUES (1), (2), (3)) AS t (n) ORDER BY n"
    expected = over_http(server, sql)
    assert expected.nbytes > 11_000_000
    (got,) = node(server, "lakehouse", ["query", sql])
    # The script prints of a long text its first sign and its length.
    rows = [[str(n), *(f"{chr(19968 + n * 64 + at)} 20000" for at in range(64))] for n in [1, 2, 3]]
    assert got["rows"] == rows
    assert [[value[0] for value in list(row.values())[1:]] for row in expected.to_pylist()] == [
        [value[0] for value in row[1:]] for row in rows
    ]


def test_e2_a_row_that_fits_into_no_message_is_refused_by_its_column(server):
    words = ", ".join(f"repeat('x', 60000) AS c{at}" for at in range(75))
    (got,) = node(server, "gizmosql", ["execute", f"SELECT {words}"])
    assert re.search("A row .* is larger than 4 MiB, most of it in the column `c[0-9]+`", got["error"])


@pytest.mark.parametrize("script", QUERY)
def test_e2_a_large_result_arrives_whole(server, script):
    expected = over_http(server, LARGE)
    assert expected.nbytes > 16 << 20
    (got,) = node(server, script, ["sums", LARGE])
    sums = {name: str(pc.sum(expected[name]).as_py()) for name in ["account_sk", "end_balance", "copy"]}
    assert got == {"rows": expected.num_rows, "sums": sums | {"words": str(40 * expected.num_rows)}}


def test_h5_a_wrong_login_is_refused(server):
    # The first client tells nothing but that it failed, and panics when a password is wrong.
    (got,) = node(server, "lakehouse", ["query", "SELECT 1 AS one"], by="token", token="cth_0000000000000000_" + "0" * 64)
    assert got == {"error": "failed to prepare statement"}
    (got,) = node(server, "gizmosql", ["authorization"], password="wrong")
    assert "Log in with a user and password, or send a valid token (id " in got["error"]


def test_errors_tell_what_is_wrong(server):
    said = {
        "SELEC 1": "the statement cannot be read",
        "DELETE FROM head_office.deposits": "`DELETE` is not a query: this server only reads",
        "SELECT a FROM no_such_table": "there is no table `head_office.no_such_table` that you can see",
    }
    got = node(server, "gizmosql", *(["execute", sql] for sql in said))
    for answer, text in zip(got, said.values()):
        assert text in answer["error"] and "(id " in answer["error"]
    # This client keeps to itself what it was told.
    got = node(server, "lakehouse", *(["query", sql] for sql in said))
    assert got == [{"error": "failed to prepare statement"}] * 3
