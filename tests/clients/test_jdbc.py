"""The calls of the Flight SQL JDBC driver in its order, over raw messages: the driver itself is not part of the tests.

One connection for each way of logging in is led from the handshake to the end, as the driver does it. What the driver
answers by itself, such as `commit()`, `isValid()` and `setReadOnly()`, sends nothing: no transaction is ever begun.
"""

import datetime
import json

import pyarrow as pa
import pyarrow.flight as fl
import pytest
from wire import Headers, act, basic, bind, children, command, field, handshake, over_http, parse, prepare, run

CUBE = "head_office.deposits"
BY_MONTH = (
    f"SELECT branch, month, SUM(balance) AS balance FROM {CUBE} WHERE branch = ? AND month >= ?"
    " GROUP BY branch, month ORDER BY month"
)
BY_BRANCH = (
    f"SELECT branch, SUM(balance) AS balance FROM {CUBE} WHERE month = DATE '2025-12-01' GROUP BY branch ORDER BY branch"
)


class Driver:
    """A connection: credentials, a cookie jar, and as headers the properties of the URL that the driver does not know."""

    def __init__(self, server, by, properties):
        who = server.logins["head_office"]
        credentials = basic(who.name, who.password) if by == "password" else f"Bearer {who.token}"
        self.headers = Headers({**properties, "authorization": credentials})
        self.client = fl.connect(server.flight, middleware=[self.headers])
        handshake(self.client)
        self.answered = self.headers.received["authorization"][0]
        if by == "password":
            # With `token=` the driver shakes hands too, and goes on with its own token.
            self.headers.headers["authorization"] = self.answered
        if cookies := self.headers.received.get("set-cookie"):
            self.headers.headers["cookie"] = "; ".join(cookie.split(";")[0] for cookie in cookies)

    def info(self, handle):
        body = command("CommandPreparedStatementQuery", field(1, handle))
        return self.client.get_flight_info(fl.FlightDescriptor.for_command(body))

    def fetch(self, info):
        """All endpoints, each on this connection: one with a location would be dialled anew."""
        assert [endpoint.locations for endpoint in info.endpoints] == [[]]
        return pa.concat_tables([self.client.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints])

    def close(self, handle):
        return act(self.client, "ClosePreparedStatement", command("ActionClosePreparedStatementRequest", field(1, handle)))

    def execute(self, sql):
        """Statement.executeQuery: the driver has no other path than a prepared statement."""
        prepared = prepare(self.client, sql)
        handle = prepared[1][0]
        assert len(schema_of(prepared[2][0])) > 0, "without a schema the driver runs the statement as an update"
        info = self.info(handle)
        table = self.fetch(info)
        assert table.schema.equals(info.schema) and table.schema.equals(schema_of(prepared[2][0]))
        assert self.close(handle) == []
        return table


def schema_of(message):
    return pa.ipc.read_schema(pa.py_buffer(message))


@pytest.fixture(scope="module", params=["password", "token"])
def driver(server, request):
    driver = Driver(server, request.param, {"applicationname": "a tool", "countinghouse-lang": "en"})
    with driver.client:
        yield driver


def test_h1_h2_the_handshake_answers_with_a_session_token(driver):
    assert driver.answered.startswith("Bearer cts_")
    assert driver.execute("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_h7_the_handshake_sets_a_cookie(driver):
    names = [cookie.split("=")[0] for cookie in driver.headers.received.get("set-cookie", [])]
    assert names == ["arrow_flight_session_id"]


def test_h7_an_unknown_cookie_is_no_hindrance(server):
    who = server.logins["head_office"]
    headers = Headers({"authorization": f"Bearer {who.token}", "cookie": "arrow_flight_session_id=unknown; other=1"})
    with fl.connect(server.flight, middleware=[headers]) as connected:
        assert run(connected, "CommandGetCatalogs").num_rows == 1


@pytest.mark.parametrize("catalog, errors", [("countinghouse", {}), ("other", {"catalog": 2})])
def test_o1_the_urls_catalog_becomes_a_session_option(driver, catalog, errors):
    entry = field(1, "catalog") + field(2, field(1, catalog))
    (result,) = act(driver.client, "SetSessionOptions", field(1, entry))
    told = [parse(error) for error in parse(result).get(1, [])]
    # The driver refuses to connect when there is one.
    assert {error[1][0].decode(): parse(error[2][0])[1][0] for error in told} == errors


JAVA = {0: str, 1: bool, 2: int, 3: int, 4: list, 5: list}


def test_i2_all_of_sql_info_is_read_once(driver):
    table = run(driver.client, "CommandGetSqlInfo").combine_chunks()
    names, values = table["info_name"].to_pylist(), table["value"].to_pylist()
    assert dict(zip(names, table["value"].chunk(0).type_codes.to_pylist())) == children()
    for name, value in zip(names, values):
        assert type(value) is JAVA[children()[name]] or (name in (6, 7) and value is None), name
    told = dict(zip(names, values))
    # getDatabaseProductName, isReadOnly, getIdentifierQuoteString, getSearchStringEscape, getSchemaTerm, getCatalogTerm
    assert [told[name] for name in [0, 3, 504, 513, 529, 531]] == ["Countinghouse", True, '"', "\\", "schema", "catalog"]
    # supportsTransactions, getDefaultTransactionIsolation, supportsBatchUpdates, supportsSavepoints
    assert [told[name] for name in [8, 562, 572, 573]] == [1, 2, False, False]
    # supportsConvert: from INTEGER to BIGINT, from VARCHAR to DATE; never from DATE to BIT
    converts = dict(told[517])
    assert 0 in converts[7] and 4 in converts[19] and 2 not in converts[4]


def test_i2_conversions_have_the_names_that_java_reads_by(driver):
    """Java's map reader goes by `key` and `value`. pyarrow shows these whatever was sent, so the message is searched."""
    descriptor = fl.FlightDescriptor.for_command(command("CommandGetSqlInfo"))
    schema = parse(driver.client.get_flight_info(descriptor).serialize())[1][0]
    sent = {name for name in ["key", "keys", "values"] if len(name).to_bytes(4, "little") + name.encode() + b"\0" in schema}
    assert sent == {"key"}


def test_m4_get_columns(driver):
    asked = field(1, "countinghouse") + field(2, "head_office") + field(3, "deposits") + field(5, True)
    (table,) = run(driver.client, "CommandGetTables", asked).to_pylist()
    assert (table["db_schema_name"], table["table_name"]) == ("head_office", "deposits")
    columns = {column.name: column for column in schema_of(table["table_schema"])}
    balance = columns["balance"]
    assert balance.type == pa.decimal128(18, 2)
    keys = {key.decode().removeprefix("ARROW:FLIGHT:SQL:"): value.decode() for key, value in balance.metadata.items()}
    assert (keys["TYPE_NAME"], keys["PRECISION"], keys["SCALE"], keys["IS_AUTO_INCREMENT"]) == ("DECIMAL", "18", "2", "0")
    # In the language that a property of the URL asks for.
    assert keys["REMARKS"].startswith("Balance; Balance on the last day of the period.")
    # What getColumns lists can be selected, in these types.
    names = ["branch", "month", "product_name"]
    selected = prepare(driver.client, f"SELECT {', '.join(names)} FROM {CUBE} GROUP BY {', '.join(names)}")
    assert schema_of(selected[2][0]).types == [columns[name].type for name in names]


def test_m8_the_keys_of_a_diagram_join_the_star(driver):
    fact = "fact_balance_monthly"
    asked = field(1, "countinghouse") + field(2, "warehouse")
    references = run(driver.client, "CommandGetImportedKeys", asked + field(3, fact)).to_pylist()
    assert [(row["fk_column_name"], row["pk_table_name"], row["pk_column_name"]) for row in references] == [
        ("account_sk", "dim_account", "account_sk"),
        ("customer_sk", "dim_customer", "customer_sk"),
        ("owner_employee_sk", "dim_employee", "employee_sk"),
        ("org_sk", "dim_org", "org_sk"),
        ("product_sk", "dim_product", "product_sk"),
    ]
    joins = ""
    for at, row in enumerate(references):
        (key,) = run(driver.client, "CommandGetPrimaryKeys", asked + field(3, row["pk_table_name"])).to_pylist()
        assert (key["column_name"], key["key_sequence"], key["key_name"]) == (row["pk_column_name"], 1, row["pk_key_name"])
        exported = run(driver.client, "CommandGetExportedKeys", asked + field(3, row["pk_table_name"])).to_pylist()
        assert [other for other in exported if other["fk_table_name"] == fact] == [row]
        both = asked + field(3, row["pk_table_name"]) + field(4, "countinghouse") + field(5, "warehouse") + field(6, fact)
        assert run(driver.client, "CommandGetCrossReference", both).to_pylist() == [row]
        on = f"f.{row['fk_column_name']} = d{at}.{row['pk_column_name']}"
        joins += f" JOIN warehouse.{row['pk_table_name']} AS d{at} ON {on}"
    # They are keys: joined along all of them, each fact is there once.
    (facts,) = driver.execute(f"SELECT COUNT(*) AS n FROM warehouse.{fact}").to_pylist()
    assert driver.execute(f"SELECT COUNT(*) AS n FROM warehouse.{fact} AS f{joins}").to_pylist() == [facts]


def test_q2_q5_q6_q7_a_prepared_statement_is_bound_again_and_again(server, driver):
    prepared = prepare(driver.client, BY_MONTH)
    handle = prepared[1][0]
    assert prepared[4] == [0]
    parameters = schema_of(prepared[3][0])
    assert parameters.types == [pa.string(), pa.date32()] and all(parameter.nullable for parameter in parameters)
    seen = set()
    for branch, since in [("北京分行", datetime.date(2025, 10, 1)), ("上海分行", datetime.date(2025, 12, 1))]:
        # The driver binds to the handle that it holds, which is the bound one from the second time on.
        handle = bind(driver.client, handle, pa.record_batch([pa.array([branch]), pa.array([since])], schema=parameters))
        seen.add(handle)
        info = driver.info(handle)
        table = driver.fetch(info)
        assert table.schema.equals(schema_of(prepared[2][0])) and table.schema.equals(info.schema)
        literal = BY_MONTH.replace("?", f"'{branch}'", 1).replace("?", f"DATE '{since}'", 1)
        expected = over_http(server, literal).to_pylist()
        assert len(expected) == 13 - since.month
        assert table.to_pylist() == expected
    assert len(seen) == 2 and prepared[1][0] not in seen
    assert driver.close(handle) == []


def test_q5_a_batch_of_parameters(server, driver):
    """PreparedStatement.addBatch: one row for each set, and the results one after the other."""
    prepared = prepare(driver.client, f"SELECT branch, SUM(balance) AS balance FROM {CUBE} WHERE branch = ? GROUP BY branch")
    branches = ["上海分行", "北京分行"]
    handle = bind(driver.client, prepared[1][0], pa.record_batch([pa.array(branches)], schema=schema_of(prepared[3][0])))
    got = driver.fetch(driver.info(handle)).to_pylist()
    everything = over_http(server, f"SELECT branch, SUM(balance) AS balance FROM {CUBE} GROUP BY branch").to_pylist()
    by_branch = {row["branch"]: row for row in everything}
    assert got == [by_branch[branch] for branch in branches]
    driver.close(handle)


def test_q8_an_empty_result_has_its_schema(driver):
    table = driver.execute(BY_BRANCH.replace("2025-12-01", "1900-01-01"))
    assert table.num_rows == 0
    assert table.schema.names == ["branch", "balance"]
    assert table.schema.types == [pa.string(), pa.decimal128(18, 2)]


def test_q10_q11_updates_are_refused_before_they_are_prepared(driver):
    for sql in ["INSERT INTO head_office.deposits VALUES (1)", "CREATE TABLE t (a INT)", "SET a = 1"]:
        with pytest.raises(pa.ArrowInvalid):
            prepare(driver.client, sql)
        assert b"READ_ONLY" in driver.headers.received["grpc-status-details-bin"][0]
        driver.headers.received.clear()
    handle = prepare(driver.client, "SELECT 1 AS one")[1][0]
    descriptor = fl.FlightDescriptor.for_command(command("CommandPreparedStatementUpdate", field(1, handle)))
    with pytest.raises(pa.ArrowInvalid):
        writer, reader = driver.client.do_put(descriptor, pa.schema([]))
        writer.done_writing()
        reader.read()
        writer.close()
    assert b"READ_ONLY" in driver.headers.received["grpc-status-details-bin"][0]


@pytest.mark.parametrize(
    "sql, kind, reason",
    [
        ("SELEC 1", pa.ArrowInvalid, b"SQL_SYNTAX"),
        ("SELECT 1 + 'x' + DATE '2025-01-01'", pa.ArrowInvalid, b"SQL_PLAN"),
        ("SELECT a FROM no_such_table", KeyError, b"NO_SUCH_OBJECT"),
    ],
)
def test_errors_have_a_code_and_a_reason(driver, sql, kind, reason):
    driver.headers.received.clear()
    with pytest.raises(kind, match="\\(id [0-9a-f]{16}\\)"):
        prepare(driver.client, sql)
    assert reason in driver.headers.received["grpc-status-details-bin"][0]


def test_q6_statements_run_on_after_a_commit_that_stayed_in_the_client(server, driver):
    expected = over_http(server, BY_BRANCH).to_pylist()
    handle = prepare(driver.client, BY_BRANCH)[1][0]
    snapshots = []
    for _ in range(2):  # with autocommit off and commit() between: the driver tells the server neither
        info = driver.info(handle)
        snapshots.append(json.loads(info.app_metadata)["snapshot"])
        assert driver.fetch(info).to_pylist() == expected
    assert snapshots == sorted(snapshots) and snapshots[0] > 0
    driver.close(handle)


def test_o3_close_session_ends_the_connection_and_not_the_token(driver):
    for _ in range(2):
        (closed,) = act(driver.client, "CloseSession")
        assert parse(closed)[1] == [1]
    assert driver.execute("SELECT 1 AS one").to_pylist() == [{"one": 1}]
