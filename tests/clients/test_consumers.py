"""What reads through the ADBC driver: pyarrow, pandas, polars and DuckDB. Types, values, and a dashboard's figures."""

import collections
import datetime
import decimal
import io
import json
import urllib.request

import adbc_driver_manager
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import Status

CUBE = "head_office.deposits"
BY_MONTH = f"SELECT month, SUM(balance) AS balance FROM {CUBE} GROUP BY month ORDER BY month"
BY_BRANCH = f"SELECT month, branch, SUM(balance) AS balance FROM {CUBE} GROUP BY month, branch ORDER BY month, branch"
EMPTY = BY_BRANCH.replace("GROUP BY", "WHERE branch = '没有' GROUP BY")
CENT = decimal.Decimal("0.01")

Type = collections.namedtuple("Type", "name sql arrow polars duckdb value")
NEW_YEAR = datetime.datetime(2025, 12, 31, 23, 59, 59, 123456)

# Every type that a result may have, at an end of its range where it has one.
TYPES = [
    Type("boolean", "TRUE", pa.bool_(), pl.Boolean, "BOOLEAN", True),
    Type("tinyint", "CAST(-128 AS TINYINT)", pa.int8(), pl.Int8, "TINYINT", -(2**7)),
    Type("smallint", "CAST(-32768 AS SMALLINT)", pa.int16(), pl.Int16, "SMALLINT", -(2**15)),
    Type("integer", "CAST(-2147483648 AS INTEGER)", pa.int32(), pl.Int32, "INTEGER", -(2**31)),
    Type("bigint", "CAST(9223372036854775807 AS BIGINT)", pa.int64(), pl.Int64, "BIGINT", 2**63 - 1),
    Type("unsigned_8", "CAST(255 AS TINYINT UNSIGNED)", pa.int32(), pl.Int32, "INTEGER", 2**8 - 1),
    Type("unsigned_16", "CAST(65535 AS SMALLINT UNSIGNED)", pa.int32(), pl.Int32, "INTEGER", 2**16 - 1),
    Type("unsigned_32", "CAST(4294967295 AS INTEGER UNSIGNED)", pa.int64(), pl.Int64, "BIGINT", 2**32 - 1),
    # More than a signed number holds is refused, not shown as another type: row_number() is of this type too.
    Type("unsigned_64", "CAST(9223372036854775807 AS BIGINT UNSIGNED)", pa.int64(), pl.Int64, "BIGINT", 2**63 - 1),
    Type("real", "CAST(1.5 AS REAL)", pa.float32(), pl.Float32, "FLOAT", 1.5),
    Type("double", "CAST(0.1 AS DOUBLE)", pa.float64(), pl.Float64, "DOUBLE", 0.1),
    Type(
        "money",
        "CAST('-9999999999999999.99' AS DECIMAL(18, 2))",
        pa.decimal128(18, 2),
        pl.Decimal(18, 2),
        "DECIMAL(18,2)",
        decimal.Decimal("-9999999999999999.99"),
    ),
    Type(
        "wide_decimal",
        "CAST('12345678901234567890123456789.123456789' AS DECIMAL(38, 9))",
        pa.decimal128(38, 9),
        pl.Decimal(38, 9),
        "DECIMAL(38,9)",
        decimal.Decimal("12345678901234567890123456789.123456789"),
    ),
    Type("date", "DATE '2024-02-29'", pa.date32(), pl.Date, "DATE", datetime.date(2024, 2, 29)),
    Type("early_date", "DATE '1949-10-01'", pa.date32(), pl.Date, "DATE", datetime.date(1949, 10, 1)),
    Type("time", "TIME '23:59:59.123456'", pa.time64("us"), pl.Time, "TIME", datetime.time(23, 59, 59, 123456)),
    Type("timestamp", f"TIMESTAMP '{NEW_YEAR}'", pa.timestamp("us"), pl.Datetime("us"), "TIMESTAMP", NEW_YEAR),
    Type(
        "moment",
        f"TIMESTAMP '{NEW_YEAR}' AT TIME ZONE 'UTC'",
        pa.timestamp("us", "UTC"),
        pl.Datetime("us", "UTC"),
        "TIMESTAMP WITH TIME ZONE",
        NEW_YEAR.replace(tzinfo=datetime.UTC),
    ),
    Type(
        "duration",
        f"TIMESTAMP '{NEW_YEAR}' - TIMESTAMP '2025-12-31 00:00:00'",
        pa.duration("ns"),
        pl.Duration("ns"),
        "INTERVAL",
        NEW_YEAR - datetime.datetime(2025, 12, 31),
    ),
    Type("text", "'存款余额 ¥ 😀 𠮷'", pa.string(), pl.String, "VARCHAR", "存款余额 ¥ 😀 𠮷"),
    Type("empty_text", "''", pa.string(), pl.String, "VARCHAR", ""),
    Type("binary", "X'00ff10'", pa.binary(), pl.Binary, "BLOB", b"\x00\xff\x10"),
    # These three are no parameters' types.
    Type("untyped_null", "NULL", pa.string(), pl.String, "VARCHAR", None),
    Type("list", "make_array('甲', NULL, '乙')", pa.list_(pa.string()), pl.List(pl.String), "VARCHAR[]", ["甲", None, "乙"]),
    Type(
        "struct",
        "named_struct('a', 1, 'b', '乙')",
        pa.struct([("a", pa.int64()), ("b", pa.string())]),
        pl.Struct({"a": pl.Int64, "b": pl.String}),
        "STRUCT(a BIGINT, b VARCHAR)",
        {"a": 1, "b": "乙"},
    ),
]
each_type = pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)


@pytest.fixture(scope="module")
def connection(server):
    """One for all: nothing here leaves a trace in it."""
    with server.connect() as connection:
        yield connection


def statement(kind, rows=2):
    """The value in row 1 and NULL in row 2; with no rows, only the type."""
    value = f"CASE WHEN n = 1 THEN {kind.sql} END"
    return f"SELECT {value} AS v FROM (VALUES (1), (2)) AS t (n) WHERE n <= {rows} ORDER BY n"


def arrow(connection, sql, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetch_arrow_table()


def scan(connection, sql, over="SELECT * FROM reader"):
    """Types and rows of a DuckDB statement over the driver's stream, which is read once and never held as a whole."""
    with connection.cursor() as cursor, duckdb.connect() as database:
        cursor.execute(sql)
        reader = cursor.fetch_record_batch()
        database.execute("SET TimeZone = 'UTC'")
        relation = database.sql(over)
        return [str(kind) for kind in relation.types], relation.fetchall()


def over_http(server, sql, kind, login="head_office"):
    """The bytes that `/api/sql` gives."""
    headers = {"Authorization": f"Bearer {server.logins[login].token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{server.http}/api/sql", json.dumps({"sql": sql, "format": kind}).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


# -- types


@each_type
def test_types_in_pyarrow(connection, kind):
    table = arrow(connection, statement(kind))
    assert table.schema.field("v").type == kind.arrow
    assert table["v"].to_pylist() == [kind.value, None]
    empty = arrow(connection, statement(kind, rows=0))
    assert (empty.num_rows, empty.schema.field("v").type) == (0, kind.arrow)


@each_type
def test_types_in_pandas(connection, kind):
    frame = pd.read_sql(statement(kind), connection, dtype_backend="pyarrow")
    assert frame["v"].dtype == pd.ArrowDtype(kind.arrow)
    value, nothing = frame["v"].to_list()
    assert (value == kind.value or value is pd.NA is not kind.value) and nothing is pd.NA
    empty = pd.read_sql(statement(kind, rows=0), connection, dtype_backend="pyarrow")
    assert (len(empty), empty["v"].dtype) == (0, pd.ArrowDtype(kind.arrow))


@each_type
def test_types_in_polars(connection, kind):
    frame = pl.read_database(statement(kind), connection)
    assert frame.schema == {"v": kind.polars}
    assert frame["v"].to_list() == [kind.value, None]
    empty = pl.read_database(statement(kind, rows=0), connection)
    assert (empty.height, empty.schema) == (0, {"v": kind.polars})


@each_type
def test_types_in_duckdb(connection, kind):
    assert scan(connection, statement(kind)) == ([kind.duckdb], [(kind.value,), (None,)])
    assert scan(connection, statement(kind, rows=0)) == ([kind.duckdb], [])


def test_intervals(connection):
    """pandas and polars have no such type, and polars panics over it."""
    sql = "SELECT INTERVAL '1 month 2 days 3 hours' AS v"
    nanoseconds = 3 * 3600 * 10**9
    assert arrow(connection, sql)["v"].to_pylist() == [pa.MonthDayNano([1, 2, nanoseconds])]
    assert scan(connection, sql, "SELECT v = INTERVAL '1 month 2 days 3 hours' FROM reader") == (["BOOLEAN"], [(True,)])
    text = pl.read_database(f"SELECT CAST(v AS VARCHAR) AS v FROM ({sql}) AS t", connection)
    assert text["v"].to_list() == ["1 mons 2 days 3 hours"]


def test_a_moment_with_an_offset_keeps_its_zone(connection):
    """Without one, readers take it for local time and show another instant."""
    table = arrow(connection, "SELECT CAST('2025-12-31T23:59:59+08:00' AS TIMESTAMP WITH TIME ZONE) AS v")
    assert table["v"].to_pylist() == [datetime.datetime(2025, 12, 31, 15, 59, 59, tzinfo=datetime.UTC)]


def test_pandas_without_arrow_types(connection):
    """The default frame holds Python's own decimals, dates and texts."""
    kinds = [kind for kind in TYPES if kind.name in ("bigint", "money", "date", "timestamp", "moment", "text", "boolean")]
    sql = "SELECT " + ", ".join(f"{kind.sql} AS {kind.name}" for kind in kinds)
    frame = pd.read_sql(sql, connection)
    assert [row._asdict() for row in frame.itertuples(index=False)] == [{kind.name: kind.value for kind in kinds}]
    assert type(frame["money"][0]) is decimal.Decimal
    assert type(frame["date"][0]) is datetime.date
    assert str(frame["timestamp"].dtype) == "datetime64[us]"
    frame = pd.read_sql(statement(next(kind for kind in kinds if kind.name == "money")), connection)
    assert frame["v"].to_list() == [decimal.Decimal("-9999999999999999.99"), None]


# -- a dashboard's figures


def test_months_in_pandas_are_those_of_http_and_of_the_other_readers(server, connection):
    frame = pd.read_sql(BY_MONTH, connection)
    assert frame["month"].is_monotonic_increasing and frame["month"].is_unique and len(frame) >= 12
    assert all(type(value) is decimal.Decimal and value.as_tuple().exponent == -2 for value in frame["balance"])
    months = list(frame.itertuples(index=False, name=None))

    stream = pa.ipc.open_stream(over_http(server, BY_MONTH, "arrow")).read_all()
    assert list(zip(*(column.to_pylist() for column in stream.columns))) == months
    assert pl.read_database(BY_MONTH, connection).rows() == months
    assert scan(connection, BY_MONTH)[1] == months

    branches = pd.read_sql(BY_BRANCH, connection)
    assert branches["branch"].nunique() == 28
    assert [tuple(row) for row in branches.groupby("month")["balance"].sum().items()] == months


def test_months_by_branch_as_a_pivot(connection):
    frame = pd.read_sql(BY_BRANCH, connection)
    wide = frame.pivot(index="month", columns="branch", values="balance")
    for month, branch, balance in arrow(connection, BY_BRANCH).to_pandas().itertuples(index=False, name=None):
        assert wide.at[month, branch] == balance
    # Sums in Arrow's decimals, too, are exact.
    exact = pd.read_sql(BY_BRANCH, connection, dtype_backend="pyarrow")
    assert exact["balance"].dtype == pd.ArrowDtype(pa.decimal128(18, 2))
    assert exact["balance"].sum() == sum(frame["balance"])


def test_http_csv_reads_the_same(server, connection):
    text = over_http(server, BY_BRANCH, "csv").decode("utf-8-sig")
    convert = {"month": datetime.date.fromisoformat, "balance": decimal.Decimal}
    read = pd.read_csv(io.StringIO(text), converters=convert)
    asked = pd.read_sql(BY_BRANCH, connection)
    assert list(read.itertuples(index=False, name=None)) == list(asked.itertuples(index=False, name=None))


def test_duckdb_joins_the_stream_with_its_own_rows(connection):
    wanted = arrow(connection, BY_BRANCH).to_pylist()
    names = sorted({row["branch"] for row in wanted})[:2]
    own = f"(VALUES ('{names[0]}', 1), ('{names[1]}', 2)) AS target (name, rank)"
    types, rows = scan(
        connection,
        BY_BRANCH,
        f"SELECT rank, COUNT(*), SUM(balance) FROM reader JOIN {own} ON branch = name GROUP BY rank ORDER BY rank",
    )
    for rank, count, balance in rows:
        of_branch = [row["balance"] for row in wanted if row["branch"] == names[rank - 1]]
        assert (count, balance) == (len(of_branch), sum(of_branch))
    assert len(rows) == 2 and types[2] == "DECIMAL(38,2)"


def test_streams_of_many_rows(connection):
    """Rows arrive in several batches, in pyarrow, polars and DuckDB."""
    columns = "month, branch, product_name, end_balance"
    sql = f"SELECT {columns} FROM {CUBE}_detail ORDER BY {columns}"
    with connection.cursor() as cursor:
        cursor.execute(sql)
        reader = cursor.fetch_record_batch()
        schema = reader.schema
        batches = list(reader)
    table = pa.Table.from_batches(batches, schema)
    assert len(batches) > 1 and table.num_rows == sum(batch.num_rows for batch in batches) > 10_000
    total = sum(table["end_balance"].to_pylist())
    parts = list(pl.read_database(sql, connection, iter_batches=True))
    assert len(parts) > 1
    assert pl.concat(parts).equals(pl.from_arrow(table))
    assert scan(connection, sql, "SELECT COUNT(*), SUM(end_balance) FROM reader")[1] == [(table.num_rows, total)]


# -- parameters, empty results, tables by name


def test_parameters(connection):
    everything = arrow(connection, BY_BRANCH).to_pylist()
    row = next(row for row in everything if not row["branch"].isascii())
    values = [row["branch"], row["month"], row["balance"] - CENT]
    sql = BY_BRANCH.replace("GROUP BY", "WHERE branch = ? AND month = ? GROUP BY")
    sql = sql.replace("ORDER BY", "HAVING SUM(balance) > ? ORDER BY")
    assert pl.read_database(sql, connection, execute_options={"parameters": values}).to_dicts() == [row]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        frame = cursor.fetch_df()
    assert frame.to_dict("records") == [row]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*values[:2], row["balance"]])
        assert cursor.fetch_df().empty


@pytest.mark.parametrize("kind", TYPES[:-3], ids=lambda kind: kind.name)
def test_parameters_of_every_type(connection, kind):
    """A value that came out goes in again, as the type that the statement gives its parameter."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) AS n FROM (SELECT {kind.sql} AS v) AS t WHERE v = ?", [kind.value])
        assert cursor.fetchone() == (1,)
        cursor.execute(f"SELECT COUNT(*) AS n FROM (SELECT {kind.sql} AS v) AS t WHERE v = ?", [None])
        assert cursor.fetchone() == (0,)


def test_empty_results(connection):
    frame = pd.read_sql(EMPTY, connection)
    assert list(frame.columns) == ["month", "branch", "balance"] and frame.empty
    kinds = {"month": pl.Date, "branch": pl.String, "balance": pl.Decimal(18, 2)}
    assert pl.read_database(EMPTY, connection).schema == kinds
    assert scan(connection, EMPTY) == (["DATE", "VARCHAR", "DECIMAL(18,2)"], [])


def test_pandas_reads_a_table_by_name(server):
    """Of the session's default schema: pandas does not hand its argument `schema` to this driver."""
    with server.connect(headers={"countinghouse-schema": "warehouse"}) as connection:
        offices = pd.read_sql_table("dim_org", connection)
        assert len(offices) == arrow(connection, "SELECT COUNT(*) AS n FROM dim_org")["n"][0].as_py() > 28
    assert {"org_id", "org_name", "valid_from"} <= set(offices.columns)


def test_a_column_says_where_it_is_from(connection):
    (catalog,) = connection.adbc_get_objects(table_name_filter="deposits", db_schema_filter="beijing").read_all().to_pylist()
    (schema,) = catalog["catalog_db_schemas"]
    (table,) = schema["db_schema_tables"]
    for column in table["table_columns"]:
        place = [column[f"xdbc_scope_{part}"] for part in ("catalog", "schema", "table")]
        assert place == ["countinghouse", "beijing", "deposits"]


# -- refusals


def test_pandas_cannot_write(connection):
    with pytest.raises(pd.errors.DatabaseError) as caught:
        pd.DataFrame({"a": [1]}).to_sql("t", connection, index=False)
    assert caught.value.__cause__.status_code == Status.NOT_IMPLEMENTED


def test_errors_reach_the_reader(connection):
    sql = f"SELECT nothing FROM {CUBE}"
    with pytest.raises(pd.errors.DatabaseError, match="nothing") as caught:
        pd.read_sql(sql, connection)
    assert caught.value.__cause__.status_code == Status.NOT_FOUND
    with pytest.raises(adbc_driver_manager.Error, match="nothing") as caught:
        pl.read_database(sql, connection)
    assert caught.value.status_code == Status.NOT_FOUND
