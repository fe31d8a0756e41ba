"""Q and T: statements, prepared ones, what is refused, transactions."""

import datetime
import decimal
import itertools

import grpc
import pyarrow as pa
from conformance.contract import Refusal, Wrong, check, equal, holds, refuses
from conformance.metadata import columns, is_text
from conformance.rpc import alike, descriptor, first, schema_of, signed, statement
from conformance.servers import ROWS
from wire import command, field, parse

INVALID = grpc.StatusCode.INVALID_ARGUMENT
UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED
NUMBER = itertools.count(1)


def read_only(server, error, what):
    """Ours gives the reason for programs."""
    if server.ours:
        details = dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")
        holds(b"READ_ONLY" in details, f"{what}: the reason is not READ_ONLY")


def denied(wire, number):
    """SqlInfo says that there is no such thing, as the refusals before did."""
    said = wire.claim(number)
    if said is None:
        raise Refusal(f"refused, but SqlInfo {number} is silent about it")
    equal(f"SqlInfo {number}", said, False)


@check("Q1")
def query(server):
    with server.wire() as wire:
        info = wire.query(server.select)
        columns(server, info.schema)
        result = wire.fetch(info)
        equal("rows", result.rows, ROWS)
        sums = f"SELECT COUNT(*) AS n, SUM(margin_rate) AS s FROM {server.source} AS p WHERE risk_level_code IS NULL"
        some = [row["margin_rate"] for row in ROWS if row["risk_level_code"] is None]
        equal("aggregate", wire.read(sums).rows, [{"n": len(some), "s": sum(some, decimal.Decimal())}])
        if server.ours:
            holds(all(column.nullable for column in info.schema), "a column is not nullable")
            # Planned at once, though it would run for hours.
            wire.query(server.endless, seconds=5)


@check("Q2")
def prepare(server):
    with server.wire() as wire:
        prepared = wire.prepare(server.select)
        holds(prepared.handle, "no handle")
        alike("dataset_schema", schema_of(prepared.dataset, "dataset_schema"), wire.query(server.select).schema)
        equal("parameters", schema_of(prepared.parameters, "parameter_schema").names, [])
        holds(not prepared.is_update, "is_update is true")
        if server.ours:
            equal("is_update", prepared.is_update, 0)
            asked = wire.prepare(f"SELECT margin_rate FROM {server.source} AS p WHERE product_id = ?")
            equal("types of the result", schema_of(asked.dataset).types, [pa.decimal128(9, 6)])


def marked(server, sql):
    """The statement with its `{}` written as the server knows parameters. That `?` is not known counts in Q4 alone."""
    marks = [f"${number}" if server.mark == "$" else "?" for number in range(1, sql.count("{}") + 1)]
    return sql.format(*marks)


@check("Q3")
def types_of_parameters(server):
    sql = f"SELECT product_id FROM {server.source} AS p "
    sql += "WHERE product_id = {} AND launched_on >= {} AND margin_rate < {}"
    with server.wire() as wire:
        asked = schema_of(wire.prepare(marked(server, sql)).parameters, "parameter_schema")
        equal("parameters", len(asked), 3)
        holds(is_text(asked.field(0).type), f"a text is announced as {asked.field(0).type}")
        equal("type of a date", asked.field(1).type, pa.date32())
        holds(pa.types.is_decimal(asked.field(2).type), f"a decimal is announced as {asked.field(2).type}")
        holds(all(parameter.nullable for parameter in asked), "a parameter is not nullable")
        unknown = schema_of(wire.prepare(marked(server, "SELECT {} AS a")).parameters, "parameter_schema")
        equal("parameters", len(unknown), 1)
        holds(is_text(unknown.field(0).type) and unknown.field(0).nullable, f"an unknown type is {unknown.field(0).type}")


@check("Q4")
def forms_of_parameters(server):
    with server.wire() as wire:
        by_mark = f"SELECT product_name FROM {server.source} AS p WHERE product_id = ? AND launched_on = ?"
        row = ROWS[-1]
        values = [pa.array([row["product_id"]]), pa.array([row["launched_on"]])]
        wanted = [{"product_name": row["product_name"]}]
        equal("rows with `?`", wire.bound(by_mark, *values), wanted)
        q = server.quote
        text = f"SELECT '?' AS a, product_id AS {q}b?{q}, /* ? */ 1 AS c -- ?\n"
        text += f" FROM {server.source} AS p WHERE product_id = ?"
        equal("rows with `?` in texts", wire.bound(text, values[0]), [{"a": "?", "b?": row["product_id"], "c": 1}])
        if server.ours:
            numbered = by_mark.replace("= ?", "= $2", 1).replace("= ?", "= $1")
            equal("rows with `$1`", wire.bound(numbered, *values[::-1]), wanted)
            named = by_mark.replace("= ?", "= $id", 1).replace("= ?", "= $day")
            equal("rows with `$name`", wire.bound(named, *values[::-1], names=["day", "id"]), wanted)
            refuses(lambda: wire.prepare("SELECT ? AS a, $1 AS b"), INVALID, what="`?` and `$1` in one statement")


@check("Q5")
def bind(server):
    with server.wire() as wire:
        sql = f"SELECT product_id, product_name FROM {server.source} AS p WHERE product_id = {{}}"
        prepared = wire.prepare(marked(server, sql))
        ids = [ROWS[5], ROWS[0], ROWS[3]]
        wanted = [{name: row[name] for name in ("product_id", "product_name")} for row in ids]
        batch = pa.record_batch([pa.array([row["product_id"] for row in ids])], ["1"])
        one = wire.bind(prepared.handle, batch.slice(0, 1))
        equal("rows of one parameter", wire.execute(one).rows, wanted[:1])
        many = wire.bind(prepared.handle, batch)
        equal("rows of three parameters", wire.execute(many).rows, wanted)
        children = [batch.column(0).slice(0, 1), pa.array([7])]
        union = pa.UnionArray.from_dense(pa.array([0], pa.int8()), pa.array([0], pa.int32()), children, ["text", "number"])
        dense = wire.bind(prepared.handle, pa.record_batch([union], ["1"]))
        equal("rows of a union", wire.execute(dense).rows, wanted[:1])
        if server.ours:
            holds(len({prepared.handle, one, many, dense}) == 4, "the handle of bound parameters is not a new one")
            short = wire.prepare("SELECT ? AS a").handle
            thousand = [str(number) for number in range(1000)]
            bound = wire.bind(short, pa.record_batch([pa.array(thousand)], ["1"]))
            # A thousand statements: a debug build on a busy machine takes its time, and goes on sending.
            equal("rows of 1,000", wire.execute(bound, 120).table["a"].to_pylist(), thousand)
            more = pa.record_batch([pa.array([*thousand, "more"])], ["1"])
            refuses(lambda: wire.bind(short, more), grpc.StatusCode.RESOURCE_EXHAUSTED, what="1,001 rows")
            exactly(server, wire)
            unbound = command("CommandPreparedStatementQuery", field(1, prepared.handle))
            refuses(lambda: wire.info(unbound), INVALID, what="a statement without its parameters")


def exactly(server, wire):
    """A value is taken as it is, or refused: never rounded to the column's digits or cut to its precision."""
    row = ROWS[-1]
    day = datetime.datetime.combine(row["launched_on"], datetime.time())
    counts = f"SELECT COUNT(*) AS n FROM {server.source} AS p WHERE product_id = '{row['product_id']}' AND "
    rate, since = counts + "margin_rate = ?", counts + "launched_on = ?"
    margin, wide, nanos = row["margin_rate"], pa.decimal128(30, 12), pa.timestamp("ns")
    for sql, fits, other in [
        (rate, pa.array([margin], wide), pa.array([margin + decimal.Decimal("1e-9")], wide)),
        (rate, pa.array([float(margin)]), pa.array([float(margin) + 1e-9])),
        (since, pa.array([day], nanos), pa.array([day + datetime.timedelta(hours=12)], nanos)),
    ]:
        equal(f"rows of {fits.type} for `{sql}`", wire.bound(sql, fits), [{"n": 1}])
        handle = wire.prepare(sql).handle
        error = refuses(lambda: wire.bind(handle, pa.record_batch([other], ["1"])), INVALID, what=f"an inexact {other.type}")
        holds("`$1`" in error.details(), f"the refusal names no parameter: {error.details()}")


@check("Q6")
def run_again(server):
    with server.wire() as wire:
        handle = wire.prepare(server.select).handle
        for time in ("first", "second"):
            equal(f"rows of the {time} run", wire.execute(handle).rows, ROWS)
    with server.adbc() as connection, connection.cursor() as cursor:
        cursor.adbc_prepare(server.select)
        for time in ("first", "second"):
            cursor.execute(server.select)
            equal(f"rows of the {time} run by ADBC", cursor.fetch_arrow_table().to_pylist(), ROWS)


@check("Q7")
def close(server):
    with server.wire() as wire:
        handle = wire.prepare(server.select).handle
        equal("rows before", wire.execute(handle).rows, ROWS)
        for body in (handle, handle, b"unknown"):
            wire.act("ClosePreparedStatement", command("ActionClosePreparedStatementRequest", field(1, body)))
        equal("rows of another after", wire.execute(wire.prepare(server.select).handle).rows, ROWS)


@check("Q8")
def no_rows(server):
    sql = server.select.replace(" ORDER BY", " WHERE product_id = 'none' ORDER BY")
    with server.wire() as wire:
        results = [wire.read(sql)]
        if server.ours:
            results.append(wire.execute(wire.prepare(sql).handle))
        for result in results:
            columns(server, result.schema)
            equal("rows", result.rows, [])


@check("Q9")
def get_schema(server):
    with server.wire() as wire:
        prepared = lambda: command("CommandPreparedStatementQuery", field(1, wire.prepare(server.select).handle))
        whole = command("CommandGetTables", field(5, True))
        for body in (lambda: statement(server.select), prepared, lambda: whole, lambda: command("CommandGetSqlInfo")):
            asked = body()
            alike("schema by GetSchema", wire.schema(asked), wire.info(asked).schema)
    with server.adbc() as connection, connection.cursor() as cursor:
        columns(server, cursor.adbc_execute_schema(server.select))


@check("Q10")
def one_query_only(server):
    two = ["SELECT 1; SELECT 2", f"SELECT product_id FROM {server.source} AS p; SELECT 2 AS two"]
    writes = [
        "INSERT INTO dim_product VALUES ('Z')", "UPDATE dim_product SET product_id = 'Z'", "DELETE FROM dim_product",
        "CREATE TABLE t (a INT)", "DROP TABLE dim_product", "COPY dim_product TO 'x.csv'", "SET a = 1",
    ]
    if server.ours:
        writes += [sql.replace("dim_product", "warehouse.dim_product") for sql in writes]
    with server.wire() as wire:
        for sql in two if server.writes else two + writes:
            body = statement(sql)
            paths = {"GetFlightInfo": lambda: wire.info(body)}
            if server.ours:
                paths |= {
                    "CreatePreparedStatement": lambda: wire.prepare(sql),
                    "GetSchema": lambda: wire.schema(body),
                    "PollFlightInfo": lambda: wire.poll(descriptor(body)),
                    "DoGet": lambda: wire.get(body),
                }
            for path, call in paths.items():
                error = refuses(call, INVALID, what=f"`{sql}` by {path}")
                read_only(server, error, f"`{sql}` by {path}")
        equal("rows afterwards", wire.read(server.select).rows, ROWS)


def updated(answers):
    """record_count of a DoPutUpdateResult."""
    holds(answers, "no DoPutUpdateResult")
    return signed(first(parse(answers[-1]), 1, 0))


NOTHING = pa.record_batch([pa.array([], pa.int64())], ["a"])


@check("Q11")
def update(server):
    with server.wire() as wire:
        if server.writes:
            return update_takes_place(server, wire)
        prepared = command("CommandPreparedStatementUpdate", field(1, b"x"))
        for sql in ("DELETE FROM dim_product", "INSERT INTO dim_product (product_id) VALUES ('Z')"):
            for body in (command("CommandStatementUpdate", field(1, sql)), prepared):
                try:
                    answers = wire.put(body, NOTHING)
                except grpc.RpcError as error:
                    if error.code() != INVALID:
                        raise
                    read_only(server, error, f"`{sql}`")
                else:
                    raise Wrong(f"`{sql}` is said to have changed {updated(answers)} rows, and changes none")
        equal("rows afterwards", wire.read(server.select).rows, ROWS)


def update_takes_place(server, wire):
    table = server.made(f"updated_{next(NUMBER)}")
    put = lambda sql: updated(wire.put(command("CommandStatementUpdate", field(1, sql)), NOTHING))
    put(f"CREATE TABLE {table} (id INT, name VARCHAR)")
    equal("rows inserted", put(f"INSERT INTO {table} VALUES (1, 'a'), (2, 'b')"), 2)
    rows = wire.read(f"SELECT id, name FROM {table} ORDER BY id").rows
    equal("rows afterwards", rows, [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}])


@check("Q12")
def ingest(server):
    batch = pa.record_batch([pa.array([1, 2]), pa.array(["a", "b"])], ["id", "name"])
    with server.wire() as wire:
        if server.writes:
            name = f"ingested_{next(NUMBER)}"
            catalog, schema = server.scratch
            target = b"".join(field(tag, text) for tag, text in [(2, name), (3, schema), (4, catalog)] if text)
            # To be created, and not to be there.
            body = field(1, field(1, 1) + field(2, 1)) + target
            equal("rows ingested", updated(wire.put(command("CommandStatementIngest", body), batch)), 2)
            rows = wire.read(f"SELECT id, name FROM {server.made(name)} ORDER BY id").rows
            return equal("rows afterwards", rows, batch.to_pylist())
        call = lambda: wire.put(command("CommandStatementIngest", field(2, "t")), batch)
        error = refuses_here(call, "ingest")
        if server.ours:
            holds("load" in error.details() or "ingest" in error.details(), "the refusal does not say where data enter")
        denied(wire, 10)


def refuses_here(call, what):
    """The UNIMPLEMENTED that the contract wants: here it is the answer, not a refusal of the check."""
    try:
        call()
    except grpc.RpcError as error:
        if error.code() == UNIMPLEMENTED:
            return error
        raise
    raise Wrong(f"{what}: answered instead of UNIMPLEMENTED")


@check("Q13")
def substrait(server):
    plan = field(1, field(1, b"plan") + field(2, "0.50"))
    with server.wire() as wire:
        refuses_here(lambda: wire.info(command("CommandStatementSubstraitPlan", plan)), "a Substrait plan")
        request = command("ActionCreatePreparedSubstraitPlanRequest", plan)
        refuses_here(lambda: wire.act("CreatePreparedSubstraitPlan", request), "a prepared Substrait plan")
        denied(wire, 5)


@check("Q14")
def explain(server):
    with server.wire() as wire:
        sql = "SELECT branch, SUM(balance) AS balance FROM head_office.deposits GROUP BY branch"
        result = wire.read(f"EXPLAIN {sql}")
        text = "\n".join(str(value) for row in result.rows for value in row.values())
        for word in ("deposits_by_branch_month", "MORE_ROWS"):
            holds(word in text, f"EXPLAIN does not say {word}: {text[:200]}")
        snapshot = result.schema.metadata[b"countinghouse.snapshot"].decode()
        holds(snapshot in text, "EXPLAIN does not name its snapshot")
        for word in (".parquet", "file:", "/warehouse/", "branch_code="):
            holds(word not in text, f"EXPLAIN shows {word}")
        session = wire.prepare(f"EXPLAIN {sql}")
        equal("rows of a prepared EXPLAIN", len(wire.execute(session.handle).rows), len(result.rows))


@check("T1")
def transactions(server):
    with server.wire() as wire:
        for how in (1, 2):
            transaction = wire.begin()
            results = [wire.read(server.select, transaction) for _ in range(2)]
            for result in results:
                equal("rows in a transaction", result.rows, ROWS)
            prepared = wire.prepare(server.select, transaction)
            equal("rows of a prepared statement in a transaction", wire.execute(prepared.handle).rows, ROWS)
            wire.end(transaction, how)
            if server.ours:
                seen = {result.schema.metadata[b"countinghouse.snapshot"] for result in results}
                equal("snapshots in one transaction", len(seen), 1)
                wire.end(transaction, how)
                codes = [grpc.StatusCode.FAILED_PRECONDITION]
            else:
                codes = [grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND, INVALID]
            refuses(lambda: wire.query(server.select, transaction), *codes, what="a statement of an ended transaction")
        codes = [grpc.StatusCode.NOT_FOUND] if server.ours else [grpc.StatusCode.NOT_FOUND, INVALID]
        refuses(lambda: wire.query(server.select, b"forged"), *codes, what="a statement in a forged transaction")
    with server.adbc(autocommit=False) as connection:
        for end in (connection.commit, connection.rollback, connection.commit):
            with connection.cursor() as cursor:
                cursor.execute(server.select)
                equal("rows without autocommit", cursor.fetch_arrow_table().to_pylist(), ROWS)
            end()


@check("T2")
def savepoints(server):
    with server.wire() as wire:
        begin = command("ActionBeginSavepointRequest", field(1, b"x") + field(2, "a"))
        refuses_here(lambda: wire.act("BeginSavepoint", begin), "BeginSavepoint")
        end = command("ActionEndSavepointRequest", field(1, b"x") + field(2, 1))
        refuses_here(lambda: wire.act("EndSavepoint", end), "EndSavepoint")
        denied(wire, 573)
