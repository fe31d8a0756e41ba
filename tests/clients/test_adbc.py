"""The Python ADBC driver, as pandas, polars, DuckDB and notebooks use it."""

import datetime
import decimal

import adbc_driver_flightsql
import adbc_driver_flightsql.dbapi as flightsql
import adbc_driver_manager
import pyarrow as pa
import pytest
from conftest import Status, refused

CUBE = "head_office.deposits"
BY_BRANCH = f"SELECT month, branch, SUM(balance) AS balance FROM {CUBE} GROUP BY month, branch ORDER BY month, branch"


def rows(connection, sql, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetch_arrow_table()


# -- logging in


@pytest.mark.parametrize("token", [False, True], ids=["password", "token"])
def test_h1_h4_password_and_token(server, token):
    with server.connect(token=token) as connection:
        assert rows(connection, "SELECT 1 AS one").to_pylist() == [{"one": 1}]


@pytest.mark.parametrize(
    "options",
    [
        {"username": "head_office", "password": "wrong"},
        {"username": "nobody", "password": "wrong"},
        {"adbc.flight.sql.authorization_header": "Bearer cth_0000000000000000_" + "0" * 64},
        {"adbc.flight.sql.authorization_header": "Bearer None"},
        {},
    ],
    ids=["wrong password", "unknown user", "wrong token", "literal None", "nothing"],
)
def test_h5_wrong_login_is_unauthenticated_with_one_text(server, options):
    with pytest.raises(adbc_driver_manager.Error) as caught:
        with flightsql.connect(server.flight, db_kwargs=options, autocommit=True) as connection:
            rows(connection, "SELECT 1")
    assert caught.value.status_code == Status.UNAUTHENTICATED
    assert "Log in with a user and password, or send a valid token" in str(caught.value)


def test_h5_a_reader_of_reports_is_refused(server):
    with pytest.raises(adbc_driver_manager.Error) as caught:
        with server.connect("executive") as connection:
            rows(connection, "SELECT 1")
    assert caught.value.status_code == Status.UNAUTHORIZED


def test_h8_unknown_headers_are_ignored_and_ours_set_options(server):
    with server.connect("head_office", headers={"x-tool": "test", "countinghouse-lang": "en"}) as connection:
        schema = connection.adbc_get_table_schema("deposits", db_schema_filter="head_office")
        assert schema.field("balance").metadata[b"ARROW:FLIGHT:SQL:REMARKS"].startswith(b"Balance")


# -- what there is


def test_i1_get_info(connection):
    info = connection.adbc_get_info()
    assert info["vendor_name"] == "Countinghouse"
    assert info["vendor_version"]


def objects(connection, depth, **filters):
    return connection.adbc_get_objects(depth=depth, **filters).read_all().to_pylist()


def test_m1_get_objects_at_each_depth(connection):
    (catalog,) = objects(connection, "catalogs")
    assert catalog["catalog_name"] == "countinghouse"
    assert catalog["catalog_db_schemas"] is None

    (catalog,) = objects(connection, "db_schemas")
    names = [schema["db_schema_name"] for schema in catalog["catalog_db_schemas"]]
    assert {"head_office", "beijing", "shanghai", "system"} <= set(names)
    assert names == sorted(names)

    (catalog,) = objects(connection, "tables")
    tables = {
        (schema["db_schema_name"], table["table_name"]): table["table_type"]
        for schema in catalog["catalog_db_schemas"]
        for table in schema["db_schema_tables"]
    }
    assert tables["head_office", "deposits"] == "TABLE"
    assert tables["beijing", "deposits"] == "TABLE"
    assert tables["head_office", "deposits_detail"] == "VIEW"
    assert tables["system", "queries"] == "SYSTEM TABLE"

    (catalog,) = objects(connection, "all", db_schema_filter="head_office", table_name_filter="deposits")
    (schema,) = catalog["catalog_db_schemas"]
    (table,) = schema["db_schema_tables"]
    columns = {column["column_name"]: column for column in table["table_columns"]}
    assert {"month", "branch", "balance"} <= set(columns)
    assert columns["balance"]["xdbc_type_name"] == "DECIMAL"


def test_m6_get_objects_by_type(connection):
    for kind in ["VIEW", "view"]:
        (catalog,) = objects(connection, "tables", table_types_filter=[kind])
        found = {table["table_type"] for schema in catalog["catalog_db_schemas"] for table in schema["db_schema_tables"]}
        assert found == {"VIEW"}


def test_m7_table_types(connection):
    assert connection.adbc_get_table_types() == ["SYSTEM TABLE", "TABLE", "VIEW"]


def test_m4_table_schema_has_types_and_business_words(connection):
    schema = connection.adbc_get_table_schema("deposits", db_schema_filter="head_office")
    assert schema.field("month").type == pa.date32()
    assert schema.field("branch").type == pa.string()
    assert schema.field("balance").type == pa.decimal128(18, 2)
    keys = {key.decode(): value.decode() for key, value in schema.field("balance").metadata.items()}
    assert keys["ARROW:FLIGHT:SQL:TYPE_NAME"] == "DECIMAL"
    assert keys["ARROW:FLIGHT:SQL:IS_SEARCHABLE"] == "0"
    assert keys["countinghouse:unit"] == "CNY"
    assert "余额" in keys["ARROW:FLIGHT:SQL:REMARKS"]


def test_m5_a_bare_name_is_found_first(connection):
    # `_` is a pattern letter: other names match too, the literal one comes first.
    schema = connection.adbc_get_table_schema("deposits_detail", db_schema_filter="head_office")
    assert "month" in schema.names


def test_m10_a_branch_sees_itself_only(server):
    with server.connect("beijing") as connection:
        (catalog,) = objects(connection, "tables")
        names = {schema["db_schema_name"] for schema in catalog["catalog_db_schemas"]}
        assert "beijing" in names
        assert not names & {"head_office", "shanghai", "warehouse"}
        own = rows(connection, "SELECT branch, SUM(balance) AS b FROM deposits GROUP BY branch")
        assert own.num_rows == 1
        with pytest.raises(adbc_driver_manager.Error) as forbidden:
            rows(connection, "SELECT SUM(balance) FROM shanghai.deposits")
        with pytest.raises(adbc_driver_manager.Error) as missing:
            rows(connection, "SELECT SUM(balance) FROM no_such_schema.deposits")
        assert forbidden.value.status_code == missing.value.status_code == Status.NOT_FOUND


# -- statements


def test_q1_q2_group_by(connection):
    table = rows(connection, BY_BRANCH)
    assert table.num_rows > 0
    assert table.schema.field("balance").type == pa.decimal128(18, 2)
    assert all(field.nullable for field in table.schema)
    listed = table.to_pylist()
    assert listed == sorted(listed, key=lambda row: (row["month"], row["branch"]))
    assert isinstance(listed[0]["month"], datetime.date)


def test_decimals_are_exact(connection):
    by_branch = rows(connection, BY_BRANCH).to_pylist()
    total = rows(connection, f"SELECT month, SUM(balance) AS balance FROM {CUBE} GROUP BY month").to_pylist()
    sums = {}
    for row in by_branch:
        assert isinstance(row["balance"], decimal.Decimal)
        assert row["balance"].as_tuple().exponent == -2
        sums[row["month"]] = sums.get(row["month"], 0) + row["balance"]
    assert sums == {row["month"]: row["balance"] for row in total}


def test_chinese_text_round_trip(connection):
    names = rows(connection, f"SELECT product_name, SUM(balance) AS b FROM {CUBE} GROUP BY product_name").to_pylist()
    name = next(row["product_name"] for row in names if row["product_name"] and not row["product_name"].isascii())
    back = rows(connection, f"SELECT product_name, SUM(balance) AS b FROM {CUBE} WHERE product_name = ? GROUP BY product_name", (name,))
    assert back.to_pylist() == [row for row in names if row["product_name"] == name]
    literal = rows(connection, "SELECT '存款余额 ¥ 😀' AS text")
    assert literal.to_pylist() == [{"text": "存款余额 ¥ 😀"}]


@pytest.mark.parametrize("form", ["?", "$1"])
def test_q4_parameters(connection, form):
    everything = rows(connection, BY_BRANCH).to_pylist()
    branch = everything[0]["branch"]
    sql = f"SELECT month, SUM(balance) AS balance FROM {CUBE} WHERE branch = {form} GROUP BY month ORDER BY month"
    got = rows(connection, sql, (branch,)).to_pylist()
    assert got == [{"month": row["month"], "balance": row["balance"]} for row in everything if row["branch"] == branch]


def test_q4_question_marks_in_text_are_text(connection):
    got = rows(connection, "SELECT '?' AS a, ? AS b, /* ? */ \"branch\" -- ?\n FROM head_office.deposits GROUP BY branch LIMIT 1", ("x",))
    assert got.to_pylist()[0] | {"branch": None} == {"a": "?", "b": "x", "branch": None}


def test_q4_the_two_forms_do_not_mix(connection):
    with pytest.raises(adbc_driver_manager.Error) as caught:
        rows(connection, "SELECT ? AS a, $1 AS b", ("x", "y"))
    assert caught.value.status_code == Status.INVALID_ARGUMENT


def test_q5_rows_of_parameters_are_run_in_order(connection):
    everything = rows(connection, BY_BRANCH).to_pylist()
    branches = sorted({row["branch"] for row in everything}, reverse=True)[:3]
    with connection.cursor() as cursor:
        sql = f"SELECT branch, SUM(balance) AS balance FROM {CUBE} WHERE branch = ? AND month = ? GROUP BY branch"
        month = everything[0]["month"]
        cursor.adbc_statement.set_sql_query(sql)
        cursor.adbc_statement.prepare()
        bound = pa.record_batch([pa.array(branches), pa.array([month] * len(branches))], ["a", "b"])
        cursor.adbc_statement.bind(bound)
        stream, _ = cursor.adbc_statement.execute_query()
        got = pa.RecordBatchReader._import_from_c(stream.address).read_all().to_pylist()
    assert [row["branch"] for row in got] == branches


def test_q5_wrong_parameters_are_the_callers_fault(connection):
    sql = f"SELECT SUM(balance) FROM {CUBE} WHERE month = ?"
    for wrong in [("no date",), ("2025-01-01", "more"), None]:
        with pytest.raises(adbc_driver_manager.Error) as caught:
            rows(connection, sql, wrong)
        assert caught.value.status_code == Status.INVALID_ARGUMENT, wrong


def test_q6_a_prepared_statement_runs_again(connection):
    with connection.cursor() as cursor:
        cursor.adbc_prepare(BY_BRANCH)
        cursor.execute(BY_BRANCH)
        first = cursor.fetch_arrow_table()
        cursor.execute(BY_BRANCH)
        assert cursor.fetch_arrow_table() == first


def test_q3_parameter_schema(connection):
    with connection.cursor() as cursor:
        schema = cursor.adbc_prepare(f"SELECT SUM(balance) FROM {CUBE} WHERE branch = ? AND month > ?")
    assert schema.types == [pa.string(), pa.date32()]
    assert all(field.nullable for field in schema)


def test_q8_an_empty_result_has_its_schema(connection):
    table = rows(connection, BY_BRANCH.replace("GROUP BY", "WHERE branch = 'nowhere' GROUP BY"))
    assert table.num_rows == 0
    assert table.schema.names == ["month", "branch", "balance"]
    assert table.schema.types == [pa.date32(), pa.string(), pa.decimal128(18, 2)]


STATEMENTS = [
    "SELECT 1 AS a, 'x' AS b, NULL AS c, DATE '2025-01-01' AS d, CAST(1.5 AS DECIMAL(18,2)) AS e",
    BY_BRANCH,
    f"SELECT MIN(month) AS a, MAX(month) AS b, COUNT(DISTINCT branch) AS c FROM {CUBE}_detail",
    "SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS t (n, s)",
    "SELECT * FROM system.queries",
]


@pytest.mark.parametrize("sql", STATEMENTS)
def test_q9_execute_schema_equals_the_result(connection, sql):
    with connection.cursor() as cursor:
        advertised = cursor.adbc_execute_schema(sql)
        table = rows(connection, sql)
        assert table.schema.equals(advertised, check_metadata=False)
        for sent, said in zip(table.schema, advertised):
            assert sent.equals(said, check_metadata=True)


# -- refusals


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO head_office.deposits VALUES (1)",
        "CREATE TABLE t (a INT)",
        "COPY head_office.deposits TO 'x.csv'",
        "SET datafusion.execution.batch_size = 1",
        "DROP TABLE head_office.deposits",
        "DELETE FROM head_office.deposits",
    ],
)
def test_q10_what_is_not_a_query_is_refused(connection, sql):
    with pytest.raises(adbc_driver_manager.Error) as caught:
        rows(connection, sql)
    code, _, reason = refused(caught.value)
    assert code == Status.INVALID_ARGUMENT
    assert b"READ_ONLY" in reason


def test_q11_updates_are_refused(cursor):
    cursor.adbc_statement.set_sql_query("DELETE FROM head_office.deposits")
    with pytest.raises(adbc_driver_manager.Error) as caught:
        cursor.adbc_statement.execute_update()
    assert caught.value.status_code == Status.INVALID_ARGUMENT
    assert b"READ_ONLY" in refused(caught.value)[2]
    with pytest.raises(adbc_driver_manager.Error) as caught:
        cursor.executescript("DELETE FROM head_office.deposits")
    assert b"READ_ONLY" in refused(caught.value)[2]


def test_q12_ingest_is_not_here(cursor):
    with pytest.raises(adbc_driver_manager.Error) as caught:
        cursor.adbc_ingest("t", pa.table({"a": [1]}))
    assert caught.value.status_code == Status.NOT_IMPLEMENTED


def test_q13_substrait_is_not_here(cursor):
    with pytest.raises(adbc_driver_manager.Error) as caught:
        cursor.execute(b"plan")
    assert caught.value.status_code == Status.NOT_IMPLEMENTED


def test_errors_carry_one_sentence_and_an_id(connection):
    with pytest.raises(adbc_driver_manager.Error) as caught:
        rows(connection, "SELECT no_such_column FROM head_office.deposits")
    code, text, reason = refused(caught.value)
    assert code == Status.NOT_FOUND
    assert "(id " in text
    assert b"NO_SUCH_OBJECT" in reason
    assert b"countinghouse" in reason
    with pytest.raises(adbc_driver_manager.Error) as caught:
        rows(connection, "SELEC 1")
    assert caught.value.status_code == Status.INVALID_ARGUMENT


# -- transactions, sessions


def test_t1_autocommit_off_reads(server):
    with server.connect(autocommit=False) as connection:
        first = rows(connection, BY_BRANCH)
        assert rows(connection, BY_BRANCH) == first
        connection.commit()
        assert rows(connection, "SELECT 1 AS one").num_rows == 1
        connection.rollback()
        assert rows(connection, BY_BRANCH).num_rows == first.num_rows


def test_o1_o2_session_options(connection):
    database = connection.adbc_connection
    assert database.get_option("adbc.connection.catalog") == "countinghouse"
    assert connection.adbc_current_db_schema == "head_office"
    connection.adbc_connection.set_options(**{"adbc.connection.db_schema": "beijing"})
    assert connection.adbc_current_db_schema == "beijing"
    assert rows(connection, "SELECT SUM(balance) AS b FROM deposits WHERE month > DATE '2000-01-01'").num_rows == 1
    with pytest.raises(adbc_driver_manager.Error):
        connection.adbc_connection.set_options(**{"adbc.connection.db_schema": "no_such_schema"})
    with pytest.raises(adbc_driver_manager.Error):
        connection.adbc_connection.set_options(**{"adbc.flight.sql.session.option.no_such_option": "1"})
    assert connection.adbc_current_db_schema == "beijing"


def test_members_are_read_as_asked(server):
    """An outlet of Beijing came directly under its branch on 2025-12-01 (`moved_outlet` in sample_data/bank.yaml)."""
    sql = (
        "SELECT COUNT(*) AS n FROM head_office.deposits WHERE month = DATE '2025-11-01' AND outlet = '北京国贸网点'"
        " AND sub_branch = '北京朝阳支行'"
    )
    for history, was_there in [("as_is", False), ("as_was", True), ("2025-11-30", True), ("2025-12-01", False)]:
        with server.connect(token=True, headers={"countinghouse-history": history}) as connection:
            assert (rows(connection, sql)["n"][0].as_py() > 0) == was_there, history
    with server.connect(token=True, headers={"countinghouse-history": "sometimes"}) as connection:
        with pytest.raises(adbc_driver_manager.Error, match="countinghouse-history"):
            rows(connection, sql)


def test_o3_closing_a_session_keeps_the_token(server):
    for _ in range(3):
        with server.connect(token=True) as connection:
            assert rows(connection, "SELECT 1 AS one").num_rows == 1


def test_partitions_are_redeemed_elsewhere(server, connection):
    with connection.cursor() as cursor:
        partitions, schema = cursor.adbc_execute_partitions(BY_BRANCH)
    assert len(partitions) == 1
    with server.connect() as other, other.cursor() as cursor:
        cursor.adbc_read_partition(partitions[0])
        table = cursor.fetch_arrow_table()
    assert table.schema.equals(schema, check_metadata=False)
    assert table == rows(connection, BY_BRANCH)


def test_e2_the_driver_takes_large_results(connection):
    sql = f"SELECT * FROM {CUBE}_detail LIMIT 1000"
    assert rows(connection, sql).num_rows > 0
