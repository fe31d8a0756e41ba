"""O: options of a session."""

import json

import grpc
from conformance.contract import check, equal, holds, refuses
from conformance.servers import ROWS

INVALID_NAME, INVALID_VALUE = 1, 2
CLOSED, CLOSING = 1, 2

# Every option of ours: its default, values that it takes and values that it does not.
OPTIONS = {
    "catalog": ("countinghouse", ["countinghouse"], ["other"]),
    "schema": ("head_office", ["beijing", "warehouse"], ["nowhere"]),
    "compression": ("none", ["lz4", "zstd", "none"], ["gzip"]),
    "dictionaries": ("false", ["true", "false"], ["perhaps"]),
    "endpoints": ("1", ["8", "2", "1"], ["0", "9", "-1", "many"]),
    "mode": ("bi", ["strict", "bi"], ["loose"]),
    "workload": ("interactive", ["batch", "interactive"], ["idle"]),
    "snapshot": ("latest", ["latest"], ["newest"]),
    "rollups": ("on", ["off", "on"], ["never"]),
    "lang": ("zh-CN", ["en", "zh-CN"], ["xx"]),
}


def text(value):
    """Values may come back in their own type."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@check("O1")
def set_options(server):
    catalog, schema, _ = server.place
    with server.session() as wire:
        equal("errors of the current catalog", wire.assign(catalog=catalog), {})
        equal("catalog afterwards", wire.options().get("catalog"), catalog)
        equal("errors of the common table's schema", wire.assign(schema=schema), {})
        equal("schema afterwards", wire.options().get("schema"), schema)
        equal("rows of an unqualified name", wire.read("SELECT product_id FROM dim_product WHERE product_id = 'D1'").rows,
              [{"product_id": "D1"}])
        equal("errors of an unknown option", wire.assign(no_such_option="1"), {"no_such_option": INVALID_NAME})
        equal("errors of an unknown catalog", wire.assign(catalog="no_such_catalog"), {"catalog": INVALID_VALUE})
        equal("catalog after all", wire.options().get("catalog"), catalog)
    if server.ours:
        every_option(server)
        modes(server)


def every_option(server):
    with server.session() as wire:
        for name, (default, good, bad) in OPTIONS.items():
            for value in good:
                equal(f"errors of {name} = {value}", wire.assign(**{name: value}), {})
                equal(f"{name} afterwards", text(wire.options()[name]), value)
            for value in bad:
                equal(f"errors of {name} = {value}", wire.assign(**{name: value}), {name: INVALID_VALUE})
                equal(f"{name} afterwards", text(wire.options()[name]), good[-1])
        snapshot = str(json.loads(wire.query("SELECT 1 AS one").note)["snapshot"])
        equal("errors of a kept snapshot", wire.assign(snapshot=snapshot), {})
        equal("snapshot afterwards", text(wire.options()["snapshot"]), snapshot)
        # The other types of values, and several options at once of which one is bad.
        equal("errors of typed values", wire.assign(dictionaries=True, endpoints=4), {})
        equal("typed values", [text(wire.options()[name]) for name in ("dictionaries", "endpoints")], ["true", "4"])
        equal("errors of a mixture", wire.assign(mode="strict", workload="idle", nonsense="1"),
              {"workload": INVALID_VALUE, "nonsense": INVALID_NAME})
        equal("mode of a mixture", wire.options()["mode"], "strict")


def modes(server):
    """Row previews of a cube: an error when strict, else few rows, no figure where adding makes no sense, and a notice."""
    preview = "SELECT * FROM head_office.deposits LIMIT 3"
    with server.session() as wire:
        info = wire.query(preview)
        table = wire.fetch(info).table
        holds(0 < table.num_rows <= 3, f"{table.num_rows} rows of a preview")
        equal("customers of a preview", set(table["customers"].to_pylist()), {None})
        holds(json.loads(info.note).get("notices"), "no notice that this is a preview")
        grouped = "SELECT branch, SUM(balance) AS balance FROM head_office.deposits GROUP BY branch ORDER BY branch"
        rows = wire.read(grouped).rows
        equal("errors of mode", wire.assign(mode="strict"), {})
        refuses(lambda: wire.query(preview), grpc.StatusCode.INVALID_ARGUMENT, what="a preview in mode strict")
        equal("figures in mode strict", wire.read(grouped).rows, rows)


@check("O2")
def get_options(server):
    with server.session() as wire:
        options = wire.options()
        for name in ("catalog", "schema"):
            holds(options.get(name), f"no {name}")
        equal("catalog", options["catalog"], server.place[0])
        if server.ours:
            defaults = {name: default for name, (default, _, _) in OPTIONS.items()}
            equal("options", {name: text(options.get(name)) for name in OPTIONS}, defaults)
    with server.adbc() as connection:
        equal("catalog by ADBC", connection.adbc_current_catalog, options["catalog"])
        equal("schema by ADBC", connection.adbc_current_db_schema, options["schema"])


@check("O3")
def close(server):
    with server.session() as wire:
        if server.ours:
            equal("errors of an option", wire.assign(schema="beijing", endpoints="4"), {})
            transaction = wire.begin()
            equal("rows in a transaction", wire.read(server.select, transaction).rows, ROWS)
        result = wire.single("CloseSession")
        holds(result and result[:1] == b"\x08" and result[1] in (CLOSED, CLOSING), f"status {result!r}")
        # The token lives on, options and transactions do not.
        equal("rows afterwards", wire.read(server.select).rows, ROWS)
        if server.ours:
            equal("status", result[1], CLOSED)
            options = wire.options()
            equal("options afterwards", (options["schema"], text(options["endpoints"])), ("head_office", "1"))
            code = grpc.StatusCode.FAILED_PRECONDITION
            refuses(lambda: wire.query(server.select, transaction), code, what="a transaction of the closed session")
    for _ in range(2):
        with server.adbc() as connection, connection.cursor() as cursor:
            cursor.execute(server.select)
            equal("rows by ADBC, which closes its session", cursor.fetch_arrow_table().to_pylist(), ROWS)
