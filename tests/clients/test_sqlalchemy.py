"""SQLAlchemy 2 over the ADBC driver: sqlalchemy-adbc."""

import datetime
import decimal

import adbc_driver_manager
import pandas as pd
import pytest
import sqlalchemy as sa
from conftest import Status
from sqlalchemy import func

TOKEN_OPTION = "adbc.flight.sql.authorization_header"
CUBES = ["campaigns", "complaints", "credit", "deposits", "profit", "service", "transactions", "wealth"]
TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = :schema ORDER BY table_name"
# Type names of the server and what the dialect makes of them: it drops the precision of decimals and the zone of moments.
TYPES = {
    "BOOLEAN": sa.Boolean,
    "TINYINT": sa.SmallInteger,
    "SMALLINT": sa.SmallInteger,
    "INTEGER": sa.Integer,
    "BIGINT": sa.BigInteger,
    "REAL": sa.Float,
    "DOUBLE": sa.Float,
    "DECIMAL": sa.Numeric,
    "DATE": sa.Date,
    "TIMESTAMP": sa.DateTime,
    "TIMESTAMP WITH TIME ZONE": sa.DateTime,
    "VARCHAR": sa.String,
}


def url(server, **query):
    host, port = server.flight.removeprefix("grpc://").rsplit(":", 1)
    return sa.URL.create("adbc+flightsql", host=host, port=int(port), query={"tls": "false", **query})


def engine(server, login="head_office"):
    """By user and password: what the dialect does not know it hands to the driver."""
    who = server.logins[login]
    created = sa.create_engine(url(server, username=who.name, password=who.password))
    # The driver gives decimals; the dialect does not say so, and SQLAlchemy would make them from floating-point numbers.
    created.dialect.supports_native_decimal = True
    return created


@pytest.fixture(scope="module")
def bank(server):
    created = engine(server)
    yield created
    created.dispose()


@pytest.fixture
def session(bank):
    with bank.connect() as connected:
        yield connected


def status(error):
    """The ADBC error below SQLAlchemy's."""
    assert isinstance(error.orig, adbc_driver_manager.Error)
    return error.orig.status_code


# -- logging in


def test_the_ways_to_log_in(server):
    who = server.logins["head_office"]
    plain = url(server)
    ways = [
        sa.create_engine(url(server, username=who.name, password=who.password)),
        # A password of the address itself is a token.
        sa.create_engine(plain.set(username=who.name, password=who.token)),
        sa.create_engine(url(server, authorization=f"Bearer {who.token}")),
        sa.create_engine(plain, connect_args={"db_kwargs": {"username": who.name, "password": who.password}}),
        sa.create_engine(plain, connect_args={"db_kwargs": {TOKEN_OPTION: f"Bearer {who.token}"}}),
    ]
    for way in ways:
        with way.connect() as connected:
            assert connected.execute(sa.text("SELECT 1 AS one")).scalar_one() == 1
        way.dispose()


@pytest.mark.filterwarnings("ignore:Cannot disable autocommit")
@pytest.mark.parametrize("query", [{"username": "head_office", "password": "wrong"}, {}], ids=["wrong password", "nothing"])
def test_h5_wrong_login(server, query):
    with pytest.raises(sa.exc.DBAPIError) as caught:
        with sa.create_engine(url(server, **query)).connect() as connected:
            connected.execute(sa.text("SELECT 1 AS one"))
    assert status(caught.value) == Status.UNAUTHENTICATED


# -- what there is


def test_m2_schemas(bank):
    names = sa.inspect(bank).get_schema_names()
    assert {"head_office", "beijing", "shanghai", "system", "warehouse"} <= set(names)
    assert names == sorted(names)


def test_m3_tables_are_found_and_named(bank):
    inspector = sa.inspect(bank)
    for cube in CUBES:
        assert inspector.has_table(cube, schema="head_office")
    assert not inspector.has_table("no_such_table", schema="head_office")
    # The dialect looks for the type `table` in lower case only, so that its own lists are empty.
    assert inspector.get_table_names(schema="head_office") == inspector.get_view_names(schema="head_office") == []
    with bank.connect() as connected:
        names = connected.execute(sa.text(TABLES), {"schema": "head_office"}).scalars().all()
    assert names == sorted(CUBES + [f"{cube}_detail" for cube in CUBES])


def test_m4_every_cube_is_reflected_with_its_types(server, bank):
    found = sa.MetaData()
    with server.connect() as adbc:
        for name in [*CUBES, "deposits_detail"]:
            table = sa.Table(name, found, schema="head_office", autoload_with=bank)
            declared = adbc.adbc_get_table_schema(name, db_schema_filter="head_office")
            names = {field.name: field.metadata[b"ARROW:FLIGHT:SQL:TYPE_NAME"].decode() for field in declared}
            assert [column.name for column in table.columns] == declared.names
            for column in table.columns:
                assert type(column.type) is TYPES[names[column.name]], f"{name}.{column.name}"
            assert not table.primary_key.columns and not table.foreign_keys
    assert len(found.tables) == len(CUBES) + 1


def test_a_missing_table_is_none(bank):
    with pytest.raises(sa.exc.NoSuchTableError):
        sa.Table("no_such_table", sa.MetaData(), schema="head_office", autoload_with=bank)


# -- statements


def months(session, where="", **values):
    sql = f"SELECT month, SUM(balance) AS balance FROM deposits {where} GROUP BY month ORDER BY month"
    return session.execute(sa.text(sql), values).all()


def test_text(session):
    rows = months(session)
    assert len(rows) >= 12 and rows == sorted(rows)
    for row in rows:
        assert type(row.month) is datetime.date
        assert type(row.balance) is decimal.Decimal and row.balance.as_tuple().exponent == -2
    assert months(session, "WHERE branch = :branch", branch="没有") == []


def test_q4_parameters_of_text(session):
    everything = months(session)
    since = everything[3].month
    assert months(session, "WHERE month >= :since", since=since) == everything[3:]
    branches = session.execute(sa.text("SELECT branch FROM deposits GROUP BY branch ORDER BY branch")).scalars().all()
    name = next(branch for branch in branches if not branch.isascii())
    sums = {branch: dict(map(tuple, months(session, "WHERE branch = :branch", branch=branch))) for branch in branches}
    assert [(row.month, sum(sums[branch].get(row.month, 0) for branch in branches)) for row in everything] == everything
    echo = sa.text("SELECT :name AS name, CAST(:n AS BIGINT) AS n, :nothing AS nothing")
    assert session.execute(echo, {"name": name, "n": 7, "nothing": None}).all() == [(name, 7, None)]


def test_expressions_over_a_reflected_cube(bank, session):
    deposits = sa.Table("deposits", sa.MetaData(), schema="head_office", autoload_with=bank)
    balance = func.sum(deposits.c.balance).label("balance")
    by_branch = sa.select(deposits.c.branch, balance).group_by(deposits.c.branch)
    month = session.execute(sa.text("SELECT MAX(month) FROM deposits")).scalar_one()
    everything = session.execute(by_branch.where(deposits.c.month == month).order_by(balance.desc())).all()
    assert len(everything) == 28
    assert [row.balance for row in everything] == sorted((row.balance for row in everything), reverse=True)
    assert sum(row.balance for row in everything) == months(session)[-1].balance

    some = [row.branch for row in everything[:3]]
    chosen = by_branch.where(deposits.c.month == month, deposits.c.branch.in_(some)).order_by(balance.desc())
    assert session.execute(chosen).all() == everything[:3]
    above = by_branch.where(deposits.c.month == month).having(balance >= everything[4].balance)
    assert sorted(session.execute(above).all()) == sorted(everything[:5])
    named = by_branch.where(deposits.c.month == month, deposits.c.branch.startswith(some[0][0])).order_by(balance.desc())
    assert session.execute(named).all() == [row for row in everything if row.branch.startswith(some[0][0])]


def test_limit_and_offset_are_parameters(session):
    branches = session.execute(sa.text("SELECT branch FROM deposits GROUP BY branch ORDER BY branch")).scalars().all()
    deposits = sa.table("deposits", sa.column("branch"))
    by_branch = sa.select(deposits.c.branch).group_by(deposits.c.branch).order_by(deposits.c.branch)
    assert session.execute(by_branch.limit(2)).scalars().all() == branches[:2]
    assert session.execute(by_branch.limit(2).offset(3)).scalars().all() == branches[3:5]


def test_pandas_takes_an_engine(bank, session):
    since = datetime.date(2025, 7, 1)
    sql = sa.text("SELECT month, SUM(balance) AS balance FROM deposits WHERE month >= :since GROUP BY month ORDER BY month")
    frame = pd.read_sql(sql, bank, params={"since": since}, coerce_float=False)
    assert list(frame.itertuples(index=False, name=None)) == [row for row in months(session) if row.month >= since] != []


def test_t1_a_transaction_reads_one_snapshot(bank):
    with bank.begin() as connected:
        before = months(connected)
        assert months(connected) == before
    with bank.connect() as connected:
        assert months(connected) == before
        connected.rollback()
        assert months(connected) == before
        connected.commit()


# -- refusals, rights


@pytest.mark.parametrize(
    "sql,code",
    [
        ("SELECT nothing FROM deposits", Status.NOT_FOUND),
        ("SELECT 1 FROM head_office.no_such_table", Status.NOT_FOUND),
        ("SELEC 1", Status.INVALID_ARGUMENT),
        ("DELETE FROM deposits", Status.INVALID_ARGUMENT),
    ],
)
def test_errors(bank, sql, code):
    with bank.connect() as connected:
        with pytest.raises(sa.exc.DBAPIError) as caught:
            connected.execute(sa.text(sql))
        assert status(caught.value) == code
        assert "(id " in str(caught.value)
        connected.rollback()
        assert connected.execute(sa.text("SELECT 1 AS one")).scalar_one() == 1


def test_m10_a_branch_sees_itself_only(server):
    branch = engine(server, "beijing")
    inspector = sa.inspect(branch)
    schemas = inspector.get_schema_names()
    assert "beijing" in schemas
    assert not set(schemas) & {"head_office", "shanghai", "warehouse"}
    assert inspector.get_columns("deposits", schema="beijing")
    assert not inspector.has_table("deposits", schema="shanghai")
    with branch.connect() as connected:
        assert len(connected.execute(sa.text("SELECT branch, SUM(balance) AS b FROM deposits GROUP BY branch")).all()) == 1
        with pytest.raises(sa.exc.DBAPIError) as caught:
            connected.execute(sa.text("SELECT SUM(balance) FROM shanghai.deposits"))
        assert status(caught.value) == Status.NOT_FOUND
    branch.dispose()
