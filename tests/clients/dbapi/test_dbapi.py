"""flightsql-dbapi, by which Apache Superset connects: DB-API, metadata calls, and a dialect for SQLAlchemy 1.4."""

import datetime
import decimal

import flightsql
import flightsql.flightsql_pb2 as messages
import flightsql.sqlalchemy  # registers the dialect
import pandas as pd
import pyarrow as pa
import pyarrow.flight as flight
import pytest
import serving
import sqlalchemy as sa
from flightsql.client import flight_descriptor
from flightsql.dbapi import ParameterRecordBuilder

CUBES = ["campaigns", "complaints", "credit", "deposits", "profit", "service", "transactions", "wealth"]
BY_MONTH = "SELECT month, SUM(balance) AS balance FROM head_office.deposits GROUP BY month ORDER BY month"


@pytest.fixture(scope="session")
def server():
    try:
        with serving.running() as server:
            yield server
    except serving.NotNamed as missing:
        pytest.exit(str(missing), 2)


def address(server):
    host, port = server.flight.removeprefix("grpc://").rsplit(":", 1)
    return {"host": host, "port": int(port)}


def client(server, login="head_office"):
    who = server.logins[login]
    return flightsql.FlightSQLClient(**address(server), insecure=True, user=who.name, password=who.password)


@pytest.fixture(scope="module")
def connection(server):
    with flightsql.connect(client(server)) as connection:
        yield connection


def engine(server, login="head_office", **query):
    """A value of `insecure` means no TLS, whatever it is. Further words become headers, or switches of the client."""
    who = server.logins[login]
    query = {"insecure": "true", **query}
    credentials = {} if "token" in query else {"username": who.name, "password": who.password}
    created = sa.create_engine(sa.engine.URL.create("datafusion+flightsql", **address(server), **credentials, query=query))
    # The client gives decimals; the dialect does not say so, and SQLAlchemy would make them from floating-point numbers.
    created.dialect.supports_native_decimal = True
    return created


@pytest.fixture(scope="module")
def bank(server):
    return engine(server, **{"feature-sqlalchemy-primary-keys": "on"})


def months(run, sql=BY_MONTH, *parameters):
    """The client gives dates as timestamps."""
    return [(month.date(), balance) for month, balance in run(sql, *parameters).fetchall()]


# -- logging in


def test_h1_h4_password_and_token(server, connection):
    who = server.logins["head_office"]
    by_token = flightsql.FlightSQLClient(**address(server), insecure=True, token=who.token)
    with flightsql.connect(by_token) as other:
        assert months(other.execute) == months(connection.execute)


def test_h5_wrong_login(server):
    with pytest.raises(flight.FlightUnauthenticatedError):
        flightsql.FlightSQLClient(**address(server), insecure=True, user="head_office", password="wrong")
    # Without a login it sends the token `None`.
    with flightsql.connect(flightsql.FlightSQLClient(**address(server), insecure=True)) as nobody:
        with pytest.raises(flight.FlightUnauthenticatedError):
            nobody.execute("SELECT 1 AS one")


# -- what there is


def test_i1_sql_info(connection):
    info = connection.flightsql_get_sql_info([0, 2, 3, 504])
    assert info[0] == "Countinghouse"
    assert info[2][0].isdigit()
    assert info[3] is True
    assert info[504] == '"'
    assert set(info) == {0, 2, 3, 504}


def test_m2_m3_schemas_and_tables(connection):
    schemas = connection.flightsql_get_schema_names()
    assert {"head_office", "beijing", "shanghai", "system", "warehouse"} <= set(schemas)
    assert schemas == sorted(schemas)
    tables = connection.flightsql_get_table_names("head_office")
    assert tables == sorted(CUBES + [f"{cube}_detail" for cube in CUBES])
    assert connection.flightsql_get_table_names("no_such_schema") == []


def test_m4_m5_columns(connection):
    """The client passes a bare name as a pattern and takes the first table that comes."""
    for cube in CUBES:
        columns = {column["name"]: column["type"] for column in connection.flightsql_get_columns(cube, "head_office")}
        assert columns["month"] is sa.types.DATE
        detail = connection.flightsql_get_columns(f"{cube}_detail", "head_office")
        assert {column["name"] for column in detail} != set(columns)
    columns = {column["name"]: column["type"] for column in connection.flightsql_get_columns("deposits", "head_office")}
    assert columns["branch"] is sa.types.TEXT
    assert columns["balance"] is sa.types.DECIMAL
    assert columns["customers"] is sa.types.BIGINT


def test_m8_a_cube_has_no_keys(connection):
    assert connection.flightsql_get_primary_keys("deposits", "head_office") == []
    assert connection.flightsql_get_foreign_keys("deposits", "head_office") == []


# -- statements


def test_q1_rows_are_exact(connection):
    cursor = connection.execute(BY_MONTH)
    assert cursor.description == [("month", sa.types.DATE), ("balance", sa.types.DECIMAL)]
    rows = cursor.fetchall()
    assert len(rows) >= 12
    assert all(type(balance) is decimal.Decimal and balance.as_tuple().exponent == -2 for _, balance in rows)
    by_branch = BY_MONTH.replace("month,", "month, branch,").replace("BY month", "BY month, branch")
    sums = {}
    for month, _, balance in connection.execute(by_branch).fetchall():
        sums[month] = sums.get(month, 0) + balance
    assert sums == dict(map(tuple, rows))


def test_values(connection):
    sql = (
        "SELECT '存款余额 ¥ 😀' AS text, CAST('-9999999999999999.99' AS DECIMAL(18, 2)) AS money, TRUE AS yes, 7 AS n,"
        " 0.5 AS half, TIMESTAMP '2025-12-31 23:59:59.123456' AS at, CAST(NULL AS VARCHAR) AS nothing"
    )
    (row,) = connection.execute(sql).fetchall()
    at = datetime.datetime(2025, 12, 31, 23, 59, 59, 123456)
    assert row == ["存款余额 ¥ 😀", decimal.Decimal("-9999999999999999.99"), True, 7, 0.5, at, None]


def test_q8_an_empty_result(connection):
    cursor = connection.execute(BY_MONTH.replace("GROUP", "WHERE branch = '没有' GROUP"))
    assert cursor.fetchall() == [] and [name for name, _ in cursor.description] == ["month", "balance"]


def test_errors_name_the_reason(connection):
    with pytest.raises(pa.ArrowKeyError, match=r"nothing.*\(id "):
        connection.execute("SELECT nothing FROM head_office.deposits")
    with pytest.raises(pa.ArrowInvalid, match=r"\(id "):
        connection.execute("DELETE FROM head_office.deposits")


def test_q5_dense_unions(connection):
    """The rows that the client builds of parameters: one column for each, a union of the types that it knows."""
    sql = "SELECT $1 AS text, CAST($2 AS BIGINT) AS n, CAST($3 AS DOUBLE) AS d, CAST($4 AS BOOLEAN) AS b"
    values = ("北京", 7, 0.5, True)
    prepared = connection.client.prepare(sql)
    record = ParameterRecordBuilder(values).build_record()
    assert all(pa.types.is_union(field.type) for field in record.schema)
    command = messages.CommandPreparedStatementQuery(prepared_statement_handle=prepared.handle)
    writer, reader = connection.client.client.do_put(flight_descriptor(command), record.schema, prepared.options)
    writer.write(record)
    writer.done_writing()
    prepared.handle = handle_of(reader.read().to_pybytes())
    info = prepared.execute(None)
    assert connection.client.do_get(info.endpoints[0].ticket).read_all().to_pylist() == [
        {"text": "北京", "n": 7, "d": 0.5, "b": True}
    ]
    prepared.close()


def handle_of(answer):
    """The handle in a DoPutPreparedStatementResult, a message that the client does not have."""
    result = messages.ActionClosePreparedStatementRequest()  # the same single field
    result.ParseFromString(answer)
    return result.prepared_statement_handle


# -- SQLAlchemy 1.4


def test_an_engine_reads_what_the_cursor_reads(server, bank, connection):
    asked = months(connection.execute)
    with bank.connect() as session:
        assert months(session.execute) == asked
    with engine(server, token=server.logins["head_office"].token).connect() as session:
        assert months(session.execute) == asked


def test_the_inspector(bank):
    inspector = sa.inspect(bank)
    assert {"head_office", "beijing", "warehouse"} <= set(inspector.get_schema_names())
    assert set(CUBES) <= set(inspector.get_table_names("head_office"))
    columns = {column["name"]: column["type"] for column in inspector.get_columns("deposits", "head_office")}
    assert isinstance(columns["balance"], sa.types.DECIMAL) and isinstance(columns["month"], sa.types.DATE)
    assert inspector.get_pk_constraint("deposits", "head_office") == {"constrained_columns": [], "name": None}
    assert inspector.has_table("deposits", "head_office")
    assert not inspector.has_table("no_such_table", "head_office")


def test_expressions_over_a_reflected_cube(bank, connection):
    """Values stand in the text as literals, unless a switch asks for parameters."""
    deposits = sa.Table("deposits", sa.MetaData(), schema="head_office", autoload_with=bank)
    balance = sa.func.sum(deposits.c.balance).label("balance")
    by_branch = sa.select(deposits.c.branch, balance).group_by(deposits.c.branch).order_by(deposits.c.branch)
    with bank.connect() as session:
        everything = session.execute(by_branch).fetchall()
        assert len(everything) == 28
        asked = "SELECT branch, SUM(balance) AS balance FROM head_office.deposits GROUP BY branch ORDER BY branch"
        assert [list(row) for row in everything] == connection.execute(asked).fetchall()
        name = next(row.branch for row in everything if not row.branch.isascii())
        chosen = session.execute(by_branch.where(deposits.c.branch == name)).fetchall()
        assert chosen == [row for row in everything if row.branch == name]
        above = by_branch.having(balance > decimal.Decimal("0.01"))
        assert session.execute(above.limit(3)).fetchall() == everything[:3]


def test_text_with_parameters(bank):
    """They are part of the text: what is given to `execute` comes too late and is NULL."""
    sql = BY_MONTH.replace("GROUP", "WHERE month >= :since GROUP")
    with bank.connect() as session:
        everything = months(session.execute)
        since = everything[3][0].isoformat()
        assert months(session.execute, sa.text(sql).bindparams(since=since)) == everything[3:]
        assert months(session.execute, sa.text(sql), {"since": since}) == []


def test_pandas(bank, connection):
    frame = pd.read_sql(BY_MONTH, bank, coerce_float=False)
    assert [(month.date(), balance) for month, balance in frame.itertuples(index=False)] == months(connection.execute)


def test_m10_a_branch_sees_itself_only(server):
    branch = engine(server, "beijing")
    inspector = sa.inspect(branch)
    schemas = inspector.get_schema_names()
    assert "beijing" in schemas
    assert not set(schemas) & {"head_office", "shanghai", "warehouse"}
    assert inspector.get_table_names("shanghai") == []
    with branch.connect() as session:
        assert len(session.execute("SELECT branch, SUM(balance) AS b FROM deposits GROUP BY branch").fetchall()) == 1
        with pytest.raises(pa.ArrowKeyError):
            session.execute("SELECT SUM(balance) AS b FROM shanghai.deposits")
