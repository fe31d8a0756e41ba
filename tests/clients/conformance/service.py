"""E: endpoints, sizes, encodings, and the rest of the service."""

import concurrent.futures

import grpc
import pyarrow as pa
from conformance.contract import check, equal, holds, refuses
from conformance.rpc import Result, alike, statement
from conformance.servers import LARGE_ROWS, LARGE_TEXT, ROWS
from wire import command, field

CODE = grpc.StatusCode
LIMIT = 4 << 20
FACT = "warehouse.fact_balance_monthly"
FACTS = f"SELECT account_sk, business_date, branch_code, end_balance FROM {FACT}"

ACTIONS = [
    "BeginSavepoint", "BeginTransaction", "CancelFlightInfo", "CancelQuery", "ClosePreparedStatement", "CloseSession",
    "CreatePreparedStatement", "CreatePreparedSubstraitPlan", "EndSavepoint", "EndTransaction", "GetSessionOptions",
    "RenewFlightEndpoint", "SetSessionOptions",
]


def counted(table):
    """Rows as a bag: endpoints come in no order."""
    keys = [(name, "ascending") for name in table.schema.names]
    return table.replace_schema_metadata().combine_chunks().sort_by(keys)


@check("E1")
def endpoints(server):
    with server.wire() as wire:
        metadata = [command("CommandGetTables"), command("CommandGetSqlInfo")] if server.ours else []
        for body in [statement(server.select), *metadata]:
            info = wire.info(body)
            equal("endpoints", len(info.endpoints), 1)
            equal("locations", info.endpoints[0].locations, [])
        equal("rows of the one endpoint", wire.read(server.select).rows, ROWS)
    if not server.ours:
        return
    with server.session() as wire:
        whole = counted(wire.read(FACTS).table)
        holds(whole.num_rows > 20_000, "the large table is small")
        for number in (8, 4, 3, 2, 1):
            equal("errors of an option", wire.assign(endpoints=str(number)), {})
            info = wire.query(FACTS)
            count = len(info.endpoints)
            holds(count == 1 if number == 1 else 1 < count <= number, f"{count} endpoints where {number} were asked for")
            holds(not info.ordered, "several endpoints and an order")
            for endpoint in info.endpoints:
                equal("locations", endpoint.locations, [])
            equal("different tickets", len({endpoint.ticket for endpoint in info.endpoints}), count)

            def get(endpoint):
                with server.bare(wire.sent["authorization"]) as own:
                    return own.get(endpoint.ticket).table

            # JDBC reads all at once, each over a connection of its own.
            with concurrent.futures.ThreadPoolExecutor(count) as pool:
                tables = list(pool.map(get, info.endpoints))
            for table in tables:
                alike("schema of an endpoint", table.schema, info.schema)
            holds(counted(pa.concat_tables(tables)).equals(whole), f"the rows of {count} endpoints are not those of one")
            ordered = wire.query(FACTS + " ORDER BY account_sk, business_date")
            equal("endpoints of an ordered result", len(ordered.endpoints), 1)
        wire.assign(endpoints="4")
        equal("rows of a small result", counted(read_all(wire, server.select)).to_pylist(), ROWS)
        sql = f"SELECT branch_code, COUNT(*) AS n, SUM(end_balance) AS s FROM {FACT} GROUP BY branch_code"
        several = counted(read_all(wire, sql))
        wire.assign(endpoints="1")
        holds(several.equals(counted(wire.read(sql).table)), "a total differs by the number of endpoints")


def read_all(wire, sql):
    return pa.concat_tables([wire.get(endpoint.ticket).table for endpoint in wire.query(sql).endpoints])


def many(expression, count):
    return ", ".join(f"{expression} AS column_{number}" for number in range(count))


@check("E2")
def sizes(server):
    with server.wire() as wire:
        result = wire.read(server.large)
        equal("rows", result.table.num_rows, LARGE_ROWS)
        length = pa.compute.sum(pa.compute.utf8_length(result.table["text"].cast(pa.string()))).as_py()
        equal("characters", length, LARGE_TEXT)
        holds(max(result.sizes) <= LIMIT, f"a message of {max(result.sizes) / 2**20:.1f} MiB")
        if server.ours:
            middle = sorted(result.sizes)[len(result.sizes) // 2]
            holds(middle >= 512 << 10, f"half of the messages have less than {middle} bytes")
        # Few rows, each of some 250 KB.
        result = wire.read(server.crossed(many("repeat(a.product_name, 3000)", 5), 2))
        equal("wide rows", result.table.num_rows, len(ROWS) ** 2)
        holds(max(result.sizes) <= LIMIT, f"a message of {max(result.sizes) / 2**20:.1f} MiB with wide rows")
        if server.ours:
            # One row of 3.6 MB among small ones.
            skewed = many("repeat('余', CASE WHEN a.product_id = 'L1' THEN 20000 ELSE 1 END)", 60)
            result = wire.read(server.crossed(skewed, 1))
            equal("skewed rows", result.table.num_rows, len(ROWS))
            holds(max(result.sizes) <= LIMIT, f"a message of {max(result.sizes) / 2**20:.1f} MiB with skewed rows")
            too_wide = "SELECT " + many("repeat('余', 20000)", 80)
            error = refuses(lambda: wire.read(too_wide), CODE.RESOURCE_EXHAUSTED, what="a row of 4.8 MB")
            holds("column_" in error.details(), f"the refusal names no column: {error.details()}")


@check("E3")
def compression(server):
    with server.wire() as wire:
        for sql in (server.select, server.large):
            equal("codecs", wire.read(sql).codecs, {None})
    if not server.ours:
        return
    with server.session() as wire:
        plain = wire.read(server.large)
        for codec in ("lz4", "zstd"):
            equal("errors of an option", wire.assign(compression=codec), {})
            packed = wire.read(server.large)
            equal("codecs", packed.codecs, {codec})
            holds(packed.table.equals(plain.table), f"rows with {codec} differ")
            holds(sum(packed.sizes) < sum(plain.sizes) / 2, f"{codec} makes {sum(packed.sizes)} bytes of {sum(plain.sizes)}")
        equal("errors of an option", wire.assign(compression="none"), {})
        equal("codecs", wire.read(server.large).codecs, {None})
        # Dictionaries likewise.
        equal("errors of an option", wire.assign(dictionaries="true"), {})
        info = wire.query(server.large)
        result = wire.fetch(info)
        kinds = {name: result.schema.field(name).type for name in ("one", "text")}
        for name, kind in kinds.items():
            holds(pa.types.is_dictionary(kind), f"with dictionaries {name} is {kind}")
            plainly = pa.chunked_array([chunk.dictionary_decode() for chunk in result.table[name].chunks])
            holds(plainly.equals(plain.table[name]), f"values of {name} differ with dictionaries")
        holds(sum(result.sizes) < sum(plain.sizes) / 2, "dictionaries save nothing")


@check("E4")
def totals(server):
    with server.wire() as wire:
        info = wire.query(server.select)
        holds(info.total_records in (-1, len(ROWS)), f"total_records is {info.total_records}")
        size = sum(wire.fetch(info).sizes)
        holds(info.total_bytes == -1 or 0 < info.total_bytes <= 4 * size, f"total_bytes is {info.total_bytes}, not {size}")
        empty = wire.query(server.select.replace(" ORDER BY", " WHERE product_id = 'none' ORDER BY"))
        holds(empty.total_records in (-1, 0), f"total_records of no rows is {empty.total_records}")
        if server.ours:
            equal("ordered of ORDER BY", info.ordered, True)
            for sql in ("SELECT 1 AS one", f"SELECT * FROM ({server.select}) AS q", "SELECT 'order by' AS text"):
                equal(f"ordered of `{sql}`", wire.query(sql).ordered, False)


@check("E5")
def actions(server):
    with server.wire() as wire:
        names = wire.actions()
    missing = sorted(set(ACTIONS) - set(names))
    holds(not missing, f"{len(missing)} of {len(ACTIONS)} actions are missing: {', '.join(missing)}")
    equal("actions", sorted(names), ACTIONS)


@check("E6")
def without_use(server):
    with server.wire() as wire:
        equal("flights", wire.flights(), [])
        refuses(lambda: wire.info_of_path(*server.place[1:]), CODE.INVALID_ARGUMENT, what="a PATH descriptor")
        try:
            wire.exchange()
        except grpc.RpcError as error:
            equal("code of DoExchange", error.code(), CODE.UNIMPLEMENTED)
        else:
            holds(False, "DoExchange is answered")


@check("E7")
def resets(server):
    some = ("L1", "L2", "L3")
    sql = server.crossed("a.product_id AS one, repeat(a.product_name, 60) AS text", 4, f" WHERE d.product_id IN {some}")
    with server.wire() as wire:
        # A stream that stays open shows that the connection does.
        witness = wire.open("DoGet", field(1, wire.query(sql).ticket), 60)
        seen = [next(witness), next(witness)]
        tickets = [wire.query(sql).ticket for _ in range(100)]
        calls = [wire.open("DoGet", field(1, ticket)) for ticket in tickets]
        for call in calls:
            next(call)
        for call in calls:
            call.cancel()
        seen += list(witness)
        equal("rows of the stream that stayed open", Result(seen).table.num_rows, 12**3 * len(some))
        equal("rows of another statement", wire.read(server.select).rows, ROWS)
