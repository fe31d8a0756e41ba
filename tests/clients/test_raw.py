"""The wire itself, with pyarrow.flight: what clients send that ADBC does not."""

import concurrent.futures
import json
import time

import pyarrow as pa
import pyarrow.flight as fl
import pytest
from wire import (
    Headers, act, basic, bind, children, client, command, field, handshake, parse, prepare, query, read, run, varint,
)

BY_BRANCH = "SELECT branch, SUM(balance) AS balance FROM head_office.deposits GROUP BY branch ORDER BY branch"


@pytest.fixture
def raw(server):
    """A client with the head office analyst's API token."""
    connected, _ = client(server, f"Bearer {server.logins['head_office'].token}")
    with connected:
        yield connected


# -- handshake


def token_of(pair):
    name, value = pair
    assert name == b"authorization"
    assert value.startswith(b"Bearer cts_")
    return value.decode()


def test_h1_h3_basic_handshake_without_a_message(server):
    who = server.logins["head_office"]
    with fl.connect(server.flight) as connected:
        bearer = token_of(connected.authenticate_basic_token(who.name, who.password))
    with client(server, bearer)[0] as session:
        assert read(session, "SELECT 1 AS one").to_pylist() == [{"one": 1}]


@pytest.mark.parametrize("padding", [True, False], ids=["padded", "unpadded"])
def test_h1_base64_with_and_without_padding(server, padding):
    # Of the three logins, names differ in length, so that at least one needs padding.
    for name in ["admin", "head_office", "beijing"]:
        who = server.logins[name]
        connected, headers = client(server, basic(who.name, who.password, padding))
        with connected:
            handshake(connected)
        assert headers.received["authorization"][0].startswith("Bearer cts_")


@pytest.mark.parametrize("messages", [0, 1])
def test_h3_with_an_empty_message_or_none(server, messages):
    who = server.logins["head_office"]
    connected, headers = client(server, basic(who.name, who.password))
    with connected:
        handshake(connected, messages)
    assert headers.received["authorization"][0].startswith("Bearer cts_")


def test_h2_a_token_handshake_gives_a_fresh_session(server):
    who = server.logins["beijing"]
    tokens = []
    for _ in range(2):
        connected, headers = client(server, f"Bearer {who.token}")
        with connected:
            handshake(connected)
        tokens.append(headers.received["authorization"][0])
    assert len({*tokens, f"Bearer {who.token}"}) == 3
    connected, headers = client(server, tokens[0])
    with connected:
        handshake(connected)
        assert headers.received["authorization"][0] not in tokens


def test_h5_every_wrong_login_reads_the_same(server):
    who, texts = server.logins["head_office"], set()
    for wrong in [None, "Bearer None", "Bearer ", "Basic !!", "Nonsense x", basic(who.name, "wrong"), basic("who", "x"),
                  f"Bearer {who.token[:-1]}", f"Bearer {who.token}x", "Bearer cts_" + "0" * 64]:
        for call in [handshake, lambda c: list(c.list_actions()), lambda c: list(c.list_flights())]:
            connected, _ = client(server, wrong)
            with connected, pytest.raises(fl.FlightUnauthenticatedError) as caught:
                call(connected)
            texts.add(str(caught.value).split(" (id ")[0])
    assert len(texts) == 1, texts


def test_h5_no_call_answers_without_a_login(server):
    with fl.connect(server.flight) as connected:
        descriptor = fl.FlightDescriptor.for_command(command("CommandGetCatalogs"))
        for call in [
            lambda: connected.get_flight_info(descriptor),
            lambda: connected.get_schema(descriptor),
            lambda: connected.do_get(fl.Ticket(command("CommandGetCatalogs"))).read_all(),
            lambda: list(connected.do_action(fl.Action("BeginTransaction", b""))),
            lambda: connected.do_put(descriptor, pa.schema([]))[0].close(),
            lambda: connected.do_exchange(descriptor)[1].read_all(),
        ]:
            # GetSchema's errors have no class of their own in this client.
            with pytest.raises((fl.FlightUnauthenticatedError, OSError), match="Log in with a user"):
                call()


def test_a_reader_is_denied_after_logging_in(server):
    with client(server, f"Bearer {server.logins['executive'].token}")[0] as connected:
        with pytest.raises(fl.FlightUnauthorizedError):
            list(connected.list_actions())


# -- metadata


def test_i2_sql_info_is_complete_and_exact(raw):
    table = run(raw, "CommandGetSqlInfo").combine_chunks()
    ids = table["info_name"].to_pylist()
    kinds = table["value"].chunk(0).type_codes.to_pylist()
    assert len(ids) == 91
    assert dict(zip(ids, kinds)) == children()
    assert not table.schema.field("info_name").nullable
    values = dict(zip(ids, table["value"].to_pylist()))
    assert (values[0], values[3], values[504], values[557], values[6]) == ("Countinghouse", True, '"', 65536, None)


CALLS = {
    "abs": "abs(-1)", "ceil": "ceil(1.5)", "exp": "exp(1)", "floor": "floor(1.5)", "ln": "ln(2)", "log10": "log10(10)",
    "power": "power(2, 3)", "round": "round(1.5)", "signum": "signum(-2)", "sqrt": "sqrt(4)", "trunc": "trunc(1.5)",
    "ascii": "ascii('a')", "btrim": "btrim(' a ')", "character_length": "character_length('余额')", "chr": "chr(65)",
    "concat": "concat('a', 'b')", "concat_ws": "concat_ws('-', 'a', 'b')", "ends_with": "ends_with('ab', 'b')",
    "left": "left('ab', 1)", "lower": "lower('A')", "lpad": "lpad('a', 3, 'x')", "ltrim": "ltrim(' a')",
    "octet_length": "octet_length('余')", "repeat": "repeat('a', 2)", "replace": "replace('ab', 'a', 'c')",
    "reverse": "reverse('ab')", "right": "right('ab', 1)", "rpad": "rpad('a', 3, 'x')", "rtrim": "rtrim('a ')",
    "split_part": "split_part('a-b', '-', 2)", "starts_with": "starts_with('ab', 'a')", "strpos": "strpos('ab', 'b')",
    "substr": "substr('abc', 2)", "translate": "translate('abc', 'a', 'x')", "upper": "upper('a')",
    "coalesce": "coalesce(NULL, 1)", "nullif": "nullif(1, 2)",
    "date_bin": "date_bin(INTERVAL '1 day', TIMESTAMP '2025-01-01 10:00:00')",
    "date_part": "date_part('year', DATE '2025-01-01')", "date_trunc": "date_trunc('month', DATE '2025-01-05')",
    "make_date": "make_date(2025, 1, 1)", "to_char": "to_char(DATE '2025-01-01', '%Y')",
    "to_date": "to_date('2025-01-01')", "to_timestamp": "to_timestamp('2025-01-01')",
}


def test_i2_every_function_that_sql_info_names_can_be_called(raw):
    named = run(raw, "CommandGetSqlInfo", field(1, b"".join(varint(number) for number in range(509, 513))))
    functions = [name for names in named["value"].to_pylist() for name in names]
    assert sorted(functions) == sorted(CALLS)
    (row,) = read(raw, "SELECT " + ", ".join(f"{CALLS[name]} AS {name}_" for name in functions)).to_pylist()
    assert all(value is not None for value in row.values())


PRODUCT = "warehouse.dim_product"
PAIRS = "(VALUES (1, 1), (2, 1), (3, 2)) AS {} (a, b)"
T, U = PAIRS.format("t"), PAIRS.format("u")

# What SqlInfo claims, by id: statements with their rows.
CLAIMED = {
    4: [("SELECT 1 AS a", [(1,)])],
    503: [("SELECT PRODUCT_ID FROM warehouse.DIM_PRODUCT WHERE product_id = 'D1'", [("D1",)])],
    507: [("SELECT a FROM (VALUES (1), (NULL), (2)) AS t (a) ORDER BY a", [(1,), (2,), (None,)]),
          ("SELECT a FROM (VALUES (1), (NULL), (2)) AS t (a) ORDER BY a DESC", [(None,), (2,), (1,)])],
    515: [(f"SELECT p FROM (SELECT product_id AS p FROM {PRODUCT}) AS q WHERE p = 'D1'", [("D1",)])],
    516: [("SELECT 'a' || NULL AS a, 1 + NULL AS b", [(None, None)])],
    518: [(f"SELECT d.product_id FROM {PRODUCT} AS d WHERE d.product_id = 'D1'", [("D1",)])],
    520: [("SELECT a FROM (VALUES (1), (2), (3)) AS t (a) ORDER BY a % 2, a", [(2,), (1,), (3,)])],
    521: [("SELECT a FROM (VALUES (1, 3), (2, 1)) AS t (a, b) ORDER BY b", [(2,), (1,)])],
    522: [(f"SELECT COUNT(*) AS n FROM {T} GROUP BY b ORDER BY n", [(1,), (2,)]),
          (f"SELECT b, COUNT(*) AS n FROM {T} GROUP BY a, b ORDER BY a", [(1, 1), (1, 1), (2, 1)])],
    523: [(r"SELECT 'a_b' LIKE 'a\_b' ESCAPE '\' AS a, 'axb' LIKE 'a\_b' ESCAPE '\' AS b", [(True, False)])],
    532: [(f"SELECT product_id FROM countinghouse.{PRODUCT} WHERE product_id = 'D1'", [("D1",)])],
    538: [(f"SELECT a FROM {T} WHERE a > (SELECT MIN(a) FROM {U}) ORDER BY a", [(2,), (3,)]),
          (f"SELECT a FROM {T} WHERE EXISTS (SELECT 1 FROM {U} WHERE u.a = t.b) ORDER BY a", [(1,), (2,), (3,)]),
          (f"SELECT a FROM {T} WHERE a IN (SELECT b FROM {U}) ORDER BY a", [(1,), (2,)])],
    539: [(f"SELECT a FROM {T} WHERE a = (SELECT MAX(u.a) FROM {U} WHERE u.b = t.b) ORDER BY a", [(2,), (3,)])],
    540: [("SELECT 1 AS a UNION SELECT 1", [(1,)]), ("SELECT 1 AS a UNION ALL SELECT 1", [(1,), (1,)])],
}

# What it denies, by id: statements that are refused.
DENIED = {
    3: [f"INSERT INTO {PRODUCT} (product_id) VALUES ('Z')", f"UPDATE {PRODUCT} SET product_id = 'Z'"],
    500: ["CREATE DATABASE d", "DROP DATABASE d"],
    501: ["CREATE SCHEMA s", "DROP SCHEMA beijing"],
    502: ["CREATE TABLE t (a INT)", f"ALTER TABLE {PRODUCT} ADD COLUMN a INT", f"DROP TABLE {PRODUCT}"],
    527: ["CREATE TABLE t (a INT PRIMARY KEY)"],
    536: [f"SELECT product_id FROM {PRODUCT} FOR UPDATE"],
    537: ["CALL f()"],
    574: ["CALL f(a => 1)"],
    576: ["{? = call f()}", "{call f()}"],
}
# Of 556, 565, 566 and 575 there is nothing to ask: no limit of a row, no definition in a transaction, no locator.
SILENT = {556, 565, 566, 575}


def test_i2_every_claim_is_true(server, raw):
    table = run(raw, "CommandGetSqlInfo")
    told = dict(zip(table["info_name"].to_pylist(), table["value"].to_pylist()))
    for number, statements in CLAIMED.items():
        assert told[number] is not False, number
        for sql, rows in statements:
            assert [tuple(row.values()) for row in read(raw, sql).to_pylist()] == rows, (number, sql)
    for number, statements in DENIED.items():
        assert told[number] is (number == 3), number
        for sql in statements:
            with pytest.raises(pa.ArrowInvalid):
                query(raw, sql)
    # Calls, and what tables show.
    for number, name, body in [
        (5, "CommandStatementSubstraitPlan", b""), (10, "CommandStatementIngest", b""),
        (11, "CommandStatementIngest", field(6, b"transaction")),
    ]:
        assert told[number] is False
        with pytest.raises(pa.ArrowNotImplementedError):
            put(raw, name, body)
    with pytest.raises(pa.ArrowInvalid):
        put(raw, "CommandStatementUpdate", field(1, "DELETE FROM t"))
    with pytest.raises(pa.ArrowNotImplementedError):
        act(raw, "BeginSavepoint")
    assert told[572] is False and told[573] is False
    assert act(raw, "CancelFlightInfo", field(1, query(raw, "SELECT 1 AS a").serialize())) and told[9] is True
    assert act(raw, "BeginTransaction", command("ActionBeginTransactionRequest")) and told[563] is True and told[8] == 1
    # Correlation names need not differ from the names of tables, and no column is shown as required.
    assert read(raw, f"SELECT COUNT(*) > 0 AS a FROM {PRODUCT} AS dim_product").to_pylist() == [{"a": True}]
    connected, _ = client(server, f"Bearer {server.logins['beijing'].token}")
    with connected:
        for row in run(connected, "CommandGetTables", field(5, True)).to_pylist():
            assert all(column.nullable for column in pa.ipc.read_schema(pa.py_buffer(row["table_schema"])))
            # All tables can be selected from.
            assert len(query(connected, f"SELECT * FROM {row['db_schema_name']}.{row['table_name']} LIMIT 1").schema) > 0
    assert told[519] is False and told[524] is False and told[506] is True
    # A statement may be so long, and no longer.
    fits = "SELECT '" + "x" * (told[557] - len("SELECT '' AS a")) + "' AS a"
    assert len(fits) == told[557] and read(raw, fits).num_rows == 1
    with pytest.raises(pa.ArrowException):
        query(raw, fits + " ")
    # And nothing is claimed or denied besides.
    asked = {*CLAIMED, *DENIED, *SILENT, 5, 9, 10, 11, 506, 519, 524, 563, 572, 573}
    assert {number for number, value in told.items() if isinstance(value, bool)} <= asked


def test_i1_sql_info_by_id(raw):
    asked = field(1, b"".join(varint(number) for number in [8, 9999, 0]))
    table = run(raw, "CommandGetSqlInfo", asked)
    assert table["info_name"].to_pylist() == [0, 8]
    assert table["value"].to_pylist() == ["Countinghouse", 1]


def strings(names, not_null=()):
    return pa.schema([pa.field(name, pa.string(), name not in not_null) for name in names])


def test_m1_m2_m7_schemas_are_exact(raw):
    catalogs = run(raw, "CommandGetCatalogs")
    assert catalogs.schema == strings(["catalog_name"], ["catalog_name"])
    assert catalogs.to_pylist() == [{"catalog_name": "countinghouse"}]
    assert run(raw, "CommandGetDbSchemas").schema == strings(["catalog_name", "db_schema_name"], ["db_schema_name"])
    types = run(raw, "CommandGetTableTypes")
    assert types["table_type"].to_pylist() == ["SYSTEM TABLE", "TABLE", "VIEW"]


def test_m3_m4_tables(raw):
    four = strings(["catalog_name", "db_schema_name", "table_name", "table_type"], ["table_name", "table_type"])
    assert run(raw, "CommandGetTables").schema == four
    five = run(raw, "CommandGetTables", field(5, True))
    assert five.schema == four.append(pa.field("table_schema", pa.binary(), False))
    for row in five.to_pylist():
        schema = pa.ipc.read_schema(pa.py_buffer(row["table_schema"]))
        assert len(schema) > 0
        for column in schema:
            assert column.metadata[b"ARROW:FLIGHT:SQL:TABLE_NAME"].decode() == row["table_name"]


@pytest.mark.parametrize(
    "pattern, names",
    [("deposits", ["deposits"]), ("depo%", None), ("d_posits", ["deposits"]), ("deposits\\_detail", ["deposits_detail"]),
     ("deposits_detail", ["deposits_detail"]), ("nothing", [])],
)
def test_m5_patterns(raw, pattern, names):
    table = run(raw, "CommandGetTables", field(2, "head_office") + field(3, pattern))
    found = table["table_name"].to_pylist()
    assert found[: len(names)] == names if names is not None else {"deposits", "deposits_detail"} <= set(found)
    if names == []:
        assert found == []


def test_m6_types(raw):
    for kind in ["TABLE", "table", "BASE TABLE", "base table"]:
        found = run(raw, "CommandGetTables", field(4, kind))
        assert set(found["table_type"].to_pylist()) == {"TABLE"}
    assert run(raw, "CommandGetTables", field(4, "ALIAS")).num_rows == 0


@pytest.mark.parametrize(
    "name, body, columns",
    [
        ("CommandGetPrimaryKeys", field(3, "deposits"), 6),
        ("CommandGetImportedKeys", field(3, "deposits"), 13),
        ("CommandGetExportedKeys", field(3, "deposits"), 13),
        ("CommandGetCrossReference", field(3, "a") + field(6, "b"), 13),
    ],
)
def test_m8_keys_have_a_schema(raw, name, body, columns):
    table = run(raw, name, body)
    assert (table.num_rows, table.num_columns) == (0, columns)


def test_m9_types(raw):
    everything = run(raw, "CommandGetXdbcTypeInfo")
    codes = everything["data_type"].to_pylist()
    assert codes == sorted(codes)
    assert {"DECIMAL", "VARCHAR", "DATE", "TIMESTAMP", "BIGINT", "BOOLEAN"} <= set(everything["type_name"].to_pylist())
    one = run(raw, "CommandGetXdbcTypeInfo", field(1, 12))
    assert one["type_name"].to_pylist() == ["VARCHAR"]


# -- statements


def test_q1_plan_then_read(raw):
    info = query(raw, BY_BRANCH)
    assert (info.total_records, info.total_bytes) == (-1, -1)
    (endpoint,) = info.endpoints
    assert endpoint.locations == []
    assert info.ordered
    assert not query(raw, "SELECT 1").ordered
    left = endpoint.expiration_time.as_py().timestamp() - time.time()
    assert 14 * 60 < left < 16 * 60
    provenance = json.loads(info.app_metadata)
    assert provenance["v"] == 1
    assert provenance["snapshot"] > 0
    assert provenance["completeness"]["of"] >= provenance["completeness"]["closed"]
    assert provenance["rollups"]["used"] == ["deposits_by_branch_month"]
    (route,) = provenance["rollups"]["routes"]
    assert (route["cube"], route["fact_rows"], route["stale"]) == ("deposits", 0, [])
    assert [refusal["code"] for refusal in route["refused"]] == ["MORE_ROWS"]
    table = raw.do_get(endpoint.ticket).read_all()
    assert table.schema.equals(info.schema, check_metadata=False)
    assert table.schema.metadata[b"countinghouse.snapshot"] == str(provenance["snapshot"]).encode()
    # A ticket may be redeemed again until it expires.
    assert raw.do_get(endpoint.ticket).read_all() == table


def test_q9_get_schema_of_any_command(raw):
    for name, body in [("CommandStatementQuery", field(1, BY_BRANCH)), ("CommandGetTables", field(5, True)),
                       ("CommandGetSqlInfo", b""), ("CommandGetXdbcTypeInfo", b"")]:
        descriptor = fl.FlightDescriptor.for_command(command(name, body))
        schema = raw.get_schema(descriptor).schema
        assert schema.equals(raw.get_flight_info(descriptor).schema, check_metadata=True)


def test_q2_prepared_statements_say_everything(raw):
    prepared = prepare(raw, "SELECT SUM(balance) AS b FROM head_office.deposits WHERE branch = ? AND month >= ?")
    assert prepared[4] == [0], "is_update must be present and false"
    dataset = pa.ipc.read_schema(pa.py_buffer(prepared[2][0]))
    assert dataset.types == [pa.decimal128(18, 2)]
    parameters = pa.ipc.read_schema(pa.py_buffer(prepared[3][0]))
    assert parameters.types == [pa.string(), pa.date32()]
    none = prepare(raw, "SELECT 1 AS one")
    assert len(pa.ipc.read_schema(pa.py_buffer(none[3][0]))) == 0


def test_q5_q6_bind_gives_a_new_handle(raw):
    handle = prepare(raw, "SELECT ? AS a, CAST(? AS INT) AS b")[1][0]
    batch = pa.record_batch([pa.array(["x", "y"]), pa.array(["1", "2"])], ["0", "1"])
    bound = bind(raw, handle, batch)
    assert bound != handle
    for _ in range(2):
        table = run(raw, "CommandPreparedStatementQuery", field(1, bound))
        assert table.to_pylist() == [{"a": "x", "b": 1}, {"a": "y", "b": 2}]
    # Unbound, there is nothing to run.
    with pytest.raises(pa.ArrowInvalid, match="2 parameters, and none are bound"):
        run(raw, "CommandPreparedStatementQuery", field(1, handle))


def test_q5_dense_union_columns(raw):
    handle = prepare(raw, "SELECT ? AS a")[1][0]
    union = pa.UnionArray.from_dense(
        pa.array([0, 1], pa.int8()), pa.array([0, 0], pa.int32()), [pa.array(["x"]), pa.array([7])], ["text", "number"]
    )
    bound = bind(raw, handle, pa.record_batch([union], ["0"]))
    table = run(raw, "CommandPreparedStatementQuery", field(1, bound))
    assert table["a"].to_pylist() == ["x", "7"]


def test_q5_limits(raw):
    handle = prepare(raw, "SELECT ? AS a")[1][0]
    for rows in [pa.array(["x"] * 1001), pa.array(["x" * 300_000]), pa.array([], pa.string())]:
        with pytest.raises(pa.ArrowException):
            bind(raw, handle, pa.record_batch([rows], ["0"]))
    bound = bind(raw, handle, pa.record_batch([pa.array([str(n) for n in range(1000)])], ["0"]))
    table = run(raw, "CommandPreparedStatementQuery", field(1, bound))
    assert table["a"].to_pylist() == [str(n) for n in range(1000)]


def test_q7_closing_is_always_fine(raw):
    handle = prepare(raw, "SELECT 1")[1][0]
    for body in [handle, handle, b"unknown"]:
        assert act(raw, "ClosePreparedStatement", command("ActionClosePreparedStatementRequest", field(1, body))) == []


@pytest.mark.parametrize("sql", ["INSERT INTO t VALUES (1)", "SELECT 1; SELECT 2", "SET a = 1", "", "-- nothing"])
def test_q10_on_every_path(raw, sql):
    body = command("CommandStatementQuery", field(1, sql))
    descriptor = fl.FlightDescriptor.for_command(body)
    for call in [
        lambda: raw.get_flight_info(descriptor),
        lambda: raw.get_schema(descriptor),
        lambda: raw.do_get(fl.Ticket(body)).read_all(),
        lambda: prepare(raw, sql),
    ]:
        with pytest.raises(pa.ArrowInvalid):
            call()


def put(raw, name, body):
    """DoPut of a command with no rows."""
    writer, reader = raw.do_put(fl.FlightDescriptor.for_command(command(name, body)), pa.schema([("a", pa.int64())]))
    writer.done_writing()
    reader.read()
    writer.close()


def test_q11_q12_q13_puts(raw):
    for name, body, kind in [
        ("CommandStatementUpdate", field(1, "DELETE FROM t"), pa.ArrowInvalid),
        ("CommandStatementUpdate", field(1, "SELECT 1"), pa.ArrowInvalid),
        ("CommandPreparedStatementUpdate", field(1, b"x"), pa.ArrowInvalid),
        ("CommandStatementIngest", b"", pa.ArrowNotImplementedError),
        ("CommandStatementSubstraitPlan", b"", pa.ArrowNotImplementedError),
    ]:
        with pytest.raises(kind):
            put(raw, name, body)
    with pytest.raises(pa.ArrowNotImplementedError):
        act(raw, "CreatePreparedSubstraitPlan", command("ActionCreatePreparedSubstraitPlanRequest"))


# -- tickets


def test_tampered_tickets_all_read_the_same(server, raw):
    ticket = query(raw, BY_BRANCH).endpoints[0].ticket.ticket
    other = prepare(raw, "SELECT 1")[1][0]
    swapped = command("TicketStatementQuery", field(1, other))
    forged = [b"", b"nonsense", ticket[:-1], ticket[:-40], swapped]
    forged += [ticket[:at] + bytes([ticket[at] ^ 1]) + ticket[at + 1 :] for at in range(90, len(ticket), 17)]
    texts = set()
    for bad in forged:
        with pytest.raises((pa.ArrowKeyError, pa.ArrowException, KeyError)) as caught:
            raw.do_get(fl.Ticket(bad)).read_all()
        texts.add(str(caught.value).split(" (id ")[0])
    # Another principal's ticket is as unknown as a forged one.
    for name in ["beijing", "admin"]:
        with client(server, f"Bearer {server.logins[name].token}")[0] as connected:
            with pytest.raises((pa.ArrowKeyError, pa.ArrowException, KeyError)) as caught:
                connected.do_get(fl.Ticket(ticket)).read_all()
            texts.add(str(caught.value).split(" (id ")[0])
    assert len(texts) == 1, texts
    assert raw.do_get(fl.Ticket(ticket)).read_all().num_rows > 0


# -- transactions, cancelling, sessions


def begin(raw):
    (result,) = act(raw, "BeginTransaction", command("ActionBeginTransactionRequest"))
    return parse(parse(result)[2][0])[1][0]


def test_t1_transactions_pin_a_snapshot(raw):
    transaction = begin(raw)
    body = field(1, "SELECT 1 AS one") + field(2, transaction)
    first = run(raw, "CommandStatementQuery", body)
    time.sleep(0.5)
    again = run(raw, "CommandStatementQuery", body)
    assert first.schema.metadata[b"countinghouse.snapshot"] == again.schema.metadata[b"countinghouse.snapshot"]
    end = command("ActionEndTransactionRequest", field(1, transaction) + field(2, 1))
    assert act(raw, "EndTransaction", end) == []
    assert act(raw, "EndTransaction", end) == []
    with pytest.raises(pa.ArrowException, match="expired"):
        run(raw, "CommandStatementQuery", body)
    with pytest.raises((pa.ArrowException, KeyError)):
        run(raw, "CommandStatementQuery", field(1, "SELECT 1") + field(2, b"forged"))


def test_t2_savepoints_are_not_here(raw):
    for name in ["BeginSavepoint", "EndSavepoint", "NoSuchAction"]:
        with pytest.raises(pa.ArrowNotImplementedError):
            act(raw, name)


def test_x1_cancel(server, raw):
    info = query(raw, BY_BRANCH)
    (result,) = act(raw, "CancelFlightInfo", field(1, info.serialize()))
    assert parse(result)[1] == [3], "nothing runs yet"
    (result,) = act(raw, "CancelQuery", command("ActionCancelQueryRequest", field(1, info.serialize())))
    assert parse(parse(result)[2][0])[1] == [3]
    with client(server, f"Bearer {server.logins['beijing'].token}")[0] as other:
        with pytest.raises((pa.ArrowException, KeyError)):
            act(other, "CancelFlightInfo", field(1, info.serialize()))


def test_x1_cancel_a_running_statement(raw):
    info = query(raw, ENDLESS)
    reader = raw.do_get(info.endpoints[0].ticket)
    reader.read_chunk()
    (result,) = act(raw, "CancelFlightInfo", field(1, info.serialize()))
    assert parse(result)[1] == [1]
    with pytest.raises(fl.FlightCancelledError):
        while True:
            reader.read_chunk()
    assert status_of(raw, ENDLESS) == "cancelled"


def status_of(raw, sql):
    """What the server's own records say of the newest run of a statement; it is written when the statement has stopped."""
    asked = "SELECT status FROM system.queries WHERE sql = '{}' ORDER BY started_at DESC LIMIT 1".format(sql.replace("'", "''"))
    for _ in range(20):
        (row,) = read(raw, asked).to_pylist()
        if row["status"] != "running":
            break
        time.sleep(0.1)
    return row["status"]


def test_x5_renew(raw):
    info = query(raw, BY_BRANCH)
    endpoint = info.endpoints[0]
    (result,) = act(raw, "RenewFlightEndpoint", field(1, endpoint.serialize()))
    renewed = fl.FlightEndpoint.deserialize(result)
    assert renewed.expiration_time.as_py() >= endpoint.expiration_time.as_py()
    assert raw.do_get(renewed.ticket).read_all() == raw.do_get(endpoint.ticket).read_all()


def test_o1_o2_o3_session(server):
    who = server.logins["head_office"]
    with fl.connect(server.flight) as connected:
        bearer = token_of(connected.authenticate_basic_token(who.name, who.password))
    with client(server, bearer)[0] as session:
        def options():
            (result,) = act(session, "GetSessionOptions")
            entries = [parse(entry) for entry in parse(result)[1]]
            return {entry[1][0].decode(): parse(entry[2][0])[1][0].decode() for entry in entries}

        def assign(name, value):
            entry = field(1, name) + field(2, field(1, value))
            (result,) = act(session, "SetSessionOptions", field(1, entry))
            errors = [parse(error) for error in parse(result).get(1, [])]
            return {error[1][0].decode(): parse(error[2][0])[1][0] for error in errors}

        assert options()["catalog"] == "countinghouse"
        assert options()["schema"] == "head_office"
        assert assign("schema", "beijing") == {}
        assert options()["schema"] == "beijing"
        assert assign("schema", "nowhere") == {"schema": 2}
        assert assign("catalog", "other") == {"catalog": 2}
        assert assign("compression", "none") == {}
        assert assign("no_such_option", "1") == {"no_such_option": 1}
        assert options()["rollups"] == "on"
        with_rollups = session.do_get(query(session, BY_BRANCH).endpoints[0].ticket).read_all()
        assert assign("rollups", "never") == {"rollups": 2}
        assert assign("rollups", "off") == {}
        from_facts = query(session, BY_BRANCH)
        assert json.loads(from_facts.app_metadata)["rollups"]["used"] == []
        assert session.do_get(from_facts.endpoints[0].ticket).read_all() == with_rollups
        assert options()["schema"] == "beijing"
        (closed,) = act(session, "CloseSession")
        assert parse(closed)[1] == [1]
        # The token lives on, its options do not.
        assert options()["schema"] == "head_office"


# -- the rest of the service


def test_e5_all_actions_are_listed(raw):
    assert sorted(action.type for action in raw.list_actions()) == [
        "BeginSavepoint", "BeginTransaction", "CancelFlightInfo", "CancelQuery", "ClosePreparedStatement", "CloseSession",
        "CreatePreparedStatement", "CreatePreparedSubstraitPlan", "EndSavepoint", "EndTransaction", "GetSessionOptions",
        "RenewFlightEndpoint", "SetSessionOptions",
    ]


def test_e6_what_has_no_use(raw):
    assert list(raw.list_flights()) == []
    with pytest.raises(pa.ArrowInvalid):
        raw.get_flight_info(fl.FlightDescriptor.for_path("head_office", "deposits"))
    with pytest.raises(pa.ArrowNotImplementedError):
        raw.do_exchange(fl.FlightDescriptor.for_command(b"x"))[1].read_all()
    for bad in [b"", b"\xff\xff", command("NoSuchCommand"), command("CommandStatementQuery", b"\xff")]:
        with pytest.raises(pa.ArrowInvalid):
            raw.get_flight_info(fl.FlightDescriptor.for_command(bad))


FACT = "warehouse.fact_balance_monthly"
COPIES = "(VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)) AS c (copy)"
LARGE = f"SELECT f.*, repeat('余额', 20) AS text, copy FROM {FACT} f CROSS JOIN {COPIES}"
ENDLESS = f"SELECT a.*, b.account_sk AS other, 'a wide column of text' AS text FROM {FACT} a CROSS JOIN {FACT} b"


def test_e2_messages_stay_small(server, raw):
    """A client that refuses messages above 4 MiB reads a large result, and batches are neither tiny nor huge."""
    count = read(raw, f"SELECT 10 * COUNT(*) AS n FROM {FACT}").to_pylist()[0]["n"]
    options = [("GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH", 4 << 20)]
    headers = Headers({"authorization": f"Bearer {server.logins['head_office'].token}"})
    with fl.connect(server.flight, middleware=[headers], generic_options=options) as connected:
        reader = connected.do_get(query(connected, LARGE).endpoints[0].ticket)
        rows, sizes = 0, []
        for chunk in reader:
            rows += chunk.data.num_rows
            sizes.append(chunk.data.nbytes)
        assert rows == count
        assert max(sizes) <= 4 << 20
        # A batch is sent before it is full when nothing follows within 100 ms: on a busy machine some are smaller.
        assert sorted(sizes)[len(sizes) // 2] >= 512 << 10


def test_x3_e7_dropped_streams_stop_and_leave_the_connection_up(raw):
    ticket = query(raw, ENDLESS).endpoints[0].ticket
    for _ in range(20):
        reader = raw.do_get(ticket)
        reader.read_chunk()
        reader.cancel()
    assert status_of(raw, ENDLESS) == "cancelled"
    running = f"SELECT COUNT(*) AS n FROM system.queries WHERE status = 'running' AND sql = '{ENDLESS.replace(chr(39), chr(39) * 2)}'"
    for _ in range(20):
        (row,) = read(raw, running).to_pylist()
        if row["n"] == 0:
            break
        time.sleep(0.1)
    assert row["n"] == 0


def test_many_readers_at_once(raw):
    expected = read(raw, BY_BRANCH)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for table in pool.map(lambda _: read(raw, BY_BRANCH), range(24)):
            assert table == expected
