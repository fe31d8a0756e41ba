"""I and M: what the server says of itself and of its tables."""

import re

import grpc
import pyarrow as pa
import serving
from conformance.contract import check, equal, holds, refuses
from conformance.rpc import alike, numbers, schema_of, statement
from conformance.servers import SCHEMA
from wire import children, command, field

NOT_FOUND = grpc.StatusCode.NOT_FOUND


def texts(*names, required=()):
    return pa.schema([pa.field(name, pa.string(), name not in required) for name in names])


def number(name, kind=pa.int32()):
    return pa.field(name, kind, False)


CATALOGS = texts("catalog_name", required=["catalog_name"])
SCHEMAS = texts("catalog_name", "db_schema_name", required=["db_schema_name"])
TABLES = texts("catalog_name", "db_schema_name", "table_name", "table_type", required=["table_name", "table_type"])
TYPES = texts("table_type", required=["table_type"])
PRIMARY = texts(
    "catalog_name", "db_schema_name", "table_name", "column_name", "key_name", required=["table_name", "column_name"]
).append(number("key_sequence"))
PAIR = ["catalog_name", "db_schema_name", "table_name", "column_name"]
FOREIGN = pa.schema(
    [pa.field(f"{side}_{name}", pa.string(), name in PAIR[:2]) for side in ("pk", "fk") for name in PAIR]
    + [number("key_sequence"), pa.field("fk_key_name", pa.string()), pa.field("pk_key_name", pa.string())]
    + [number("update_rule", pa.uint8()), number("delete_rule", pa.uint8())]
)


def info(wire, *ids):
    """GetSqlInfo: union child and value by id."""
    table = wire.run("CommandGetSqlInfo", numbers(1, ids) if ids else b"").combine_chunks()
    equal("columns", table.schema.names, ["info_name", "value"])
    equal("type of info_name", table.schema.field("info_name").type, pa.uint32())
    holds(not table.schema.field("info_name").nullable, "info_name is nullable")
    kinds = [kind for chunk in table["value"].chunks for kind in chunk.type_codes.to_pylist()]
    return dict(zip(table["info_name"].to_pylist(), zip(kinds, table["value"].to_pylist())))


@check("I1")
def sql_info_by_id(server):
    with server.wire() as wire:
        everything = info(wire)
        holds(isinstance(everything.get(0, (0, None))[1], str) and everything[0][1], "no name of the server")
        for asked in [[0], [8], [0, 2, 3, 504], [0, 1, 9999, 100_000]]:
            wanted = {key: value for key, value in everything.items() if key in asked}
            equal(f"answer to {asked}", info(wire, *asked), wanted)
    with server.adbc() as connection:
        equal("vendor by ADBC", connection.adbc_get_info().get("vendor_name"), everything[0][1])


@check("I2")
def sql_info_whole(server):
    with server.wire() as wire:
        everything = info(wire)
    missing = sorted(set(children()) - set(everything))
    holds(not missing, f"{len(missing)} of {len(children())} ids are missing")
    equal("ids that nobody published", sorted(set(everything) - set(children())), [])
    equal("union children", {key: kind for key, (kind, _) in everything.items()}, children())


@check("M1")
def catalogs(server):
    with server.wire() as wire:
        table = wire.run("CommandGetCatalogs")
    alike("schema", table.schema, CATALOGS)
    names = table["catalog_name"].to_pylist()
    holds(server.place[0] in names, f"the catalog of the common table is not among {names}")
    if server.ours:
        equal("catalogs", names, ["countinghouse"])


@check("M2")
def schemas(server):
    catalog, schema, _ = server.place
    with server.wire() as wire:
        table = wire.run("CommandGetDbSchemas")
        alike("schema", table.schema, SCHEMAS)
        holds({"catalog_name": catalog, "db_schema_name": schema} in table.to_pylist(), f"schema {schema} is missing")
        some = wire.run("CommandGetDbSchemas", field(1, catalog) + field(2, schema)).to_pylist()
        equal("schemas by name", some, [{"catalog_name": catalog, "db_schema_name": schema}])
        none = wire.run("CommandGetDbSchemas", field(2, "no_such_schema"))
        equal("schemas of an unknown name", none.num_rows, 0)
        alike("schema without rows", none.schema, SCHEMAS)


def tables(wire, catalog=None, schema=None, name=None, types=(), whole=False):
    body = b"".join(field(tag, text) for tag, text in [(1, catalog), (2, schema), (3, name)] if text is not None)
    body += b"".join(field(4, kind) for kind in types)
    return wire.run("CommandGetTables", body + field(5, whole))


def the_row(server, table):
    """The row of the common table."""
    names = ("catalog_name", "db_schema_name", "table_name")
    rows = [row for row in table.to_pylist() if tuple(row[name] for name in names) == server.place]
    equal("rows of the common table", len(rows), 1)
    return rows[0]


@check("M3")
def tables_plain(server):
    catalog, schema, name = server.place
    with server.wire() as wire:
        table = tables(wire)
        alike("schema", table.schema, TABLES)
        kind = the_row(server, table)["table_type"]
        holds(kind.upper() in ("TABLE", "BASE TABLE", "VIEW"), f"the table is a `{kind}`")
    # The driver compares the schemas exactly.
    with server.adbc() as connection:
        objects = connection.adbc_get_objects(depth="tables", catalog_filter=catalog, db_schema_filter=schema)
        found = [
            (entry["catalog_name"], inner["db_schema_name"], table["table_name"])
            for entry in objects.read_all().to_pylist()
            for inner in entry["catalog_db_schemas"] or []
            for table in inner["db_schema_tables"] or []
        ]
    holds(server.place in found, "ADBC's get_objects does not find the common table")


def is_text(kind):
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def columns(server, schema):
    """The columns of the common table are there in their types."""
    for wanted in SCHEMA:
        holds(wanted.name in schema.names, f"column {wanted.name} is missing")
        kind = schema.field(wanted.name).type
        text = is_text(kind) and is_text(wanted.type) and not server.ours
        holds(text or kind == wanted.type, f"{wanted.name} is {kind} instead of {wanted.type}")


@check("M4")
def tables_with_schema(server):
    catalog, schema, name = server.place
    with server.wire() as wire:
        table = tables(wire, whole=True)
        alike("schema", table.schema, TABLES.append(pa.field("table_schema", pa.binary(), False)))
        said = schema_of(the_row(server, table)["table_schema"], "table_schema")
        columns(server, said)
        for row in table.to_pylist():
            schema_of(row["table_schema"], f"table_schema of {row['table_name']}")
    if server.ours:
        for column in said:
            equal("table in the field's metadata", column.metadata[b"ARROW:FLIGHT:SQL:TABLE_NAME"], name.encode())
        equal("type name", said.field("margin_rate").metadata[b"ARROW:FLIGHT:SQL:TYPE_NAME"], b"DECIMAL")
    with server.adbc() as connection:
        got = connection.adbc_get_table_schema(name, catalog_filter=catalog, db_schema_filter=schema)
        columns(server, got)


@check("M5")
def patterns(server):
    catalog, schema, name = server.place
    with server.wire() as wire:
        for pattern, there in [
            (name, True), ("dim_prod%", True), ("%product", True), ("d_m_product", True), ("%", True), ("%_product%", True),
            (r"dim\_product", True), (r"d\_m_product", False), ("dim_product_", False), ("product", False), ("", False),
        ]:
            body = b"".join(field(tag, text) for tag, text in [(1, catalog), (2, schema), (3, pattern)])
            described = wire.info(command("CommandGetTables", body))
            result = wire.fetch(described)
            names = result.table["table_name"].to_pylist()
            equal(f"common table by `{pattern}`", name in names, there)
            if pattern == name:
                equal("first row of a bare name", names[0], name)
            holds(result.batches <= 1, f"{result.batches} batches")
        for pattern, there in [(schema, True), (schema[:-1] + "_", True), (schema[:2] + "%", True), ("no_such%", False)]:
            names = tables(wire, schema=pattern)["table_name"].to_pylist()
            equal(f"common table in schemas `{pattern}`", name in names, there)


@check("M6")
def types(server):
    catalog, schema, name = server.place
    with server.wire() as wire:
        kind = the_row(server, tables(wire))["table_type"].upper()
        same = ["TABLE", "table", "BASE TABLE", "base table"] if kind in ("TABLE", "BASE TABLE") else [kind, kind.lower()]
        other = "VIEW" if kind != "VIEW" else "TABLE"
        for asked, there in [*((word, True) for word in same), (other, False), ("SYSTEM TABLE", False), ("NONSENSE", False)]:
            names = tables(wire, catalog, schema, types=[asked])["table_name"].to_pylist()
            equal(f"common table among `{asked}`", name in names, there)
        both = tables(wire, catalog, schema, types=[other, kind])["table_name"].to_pylist()
        holds(name in both, "of two types only one is taken")


@check("M7")
def table_types(server):
    with server.wire() as wire:
        table = wire.run("CommandGetTableTypes")
        alike("schema", table.schema, TYPES)
        kinds = table["table_type"].to_pylist()
        if server.ours:
            equal("types", kinds, ["SYSTEM TABLE", "TABLE", "VIEW"])
        used = {kind for kind in tables(wire)["table_type"].to_pylist()}
    holds(kinds and used <= set(kinds), f"tables are of types {sorted(used)}, announced are {kinds}")


def references():
    """(fact, column, dimension) of every reference in the model, and the surrogate of each dimension."""
    found, surrogates, table = [], {}, None
    for line in (serving.PROJECT / "countinghouse.yaml").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"\s*- name: (\w+)", line):
            table = match[1]
        elif match := re.match(r"\s*surrogate: (\w+)", line):
            surrogates[table] = match[1]
        elif match := re.match(r"\s*- \{name: (\w+),.*\breferences: (\w+)", line):
            found.append((table, match[1], match[2]))
    return found, surrogates


def place(server, name=None, first=1):
    """Fields that name a table."""
    catalog, schema, own = server.place
    return b"".join(field(tag, text) for tag, text in enumerate([catalog, schema, name or own], first))


@check("M8")
def keys(server):
    with server.wire() as wire:
        calls = {
            "CommandGetPrimaryKeys": (place(server), PRIMARY),
            "CommandGetImportedKeys": (place(server), FOREIGN),
            "CommandGetExportedKeys": (place(server), FOREIGN),
            "CommandGetCrossReference": (place(server) + place(server, "dim_product", 4), FOREIGN),
        }
        for name, (body, schema) in calls.items():
            table = wire.run(name, body)
            alike(f"schema of {name}", table.schema, schema)
            if not server.ours:
                equal(f"rows of {name} of a table without keys", table.num_rows, 0)
        if server.ours:
            keys_of_the_model(server, wire)
    if server.ours:
        with server.other("beijing") as wire:
            for name, (body, schema) in calls.items():
                table = wire.run(name, body)
                alike(f"schema of {name}", table.schema, schema)
                equal(f"rows of {name} for a login without base tables", table.num_rows, 0)


def keys_of_the_model(server, wire):
    found, surrogates = references()
    holds(len(found) > 20 and len(surrogates) > 5, "the model was not read")
    for dimension, surrogate in surrogates.items():
        rows = wire.run("CommandGetPrimaryKeys", place(server, dimension)).to_pylist()
        said = [(row["table_name"], row["column_name"], row["key_sequence"]) for row in rows]
        equal(f"primary key of {dimension}", said, [(dimension, surrogate, 1)])

    def pairs(table):
        rows = table.to_pylist()
        for row in rows:
            places = {row[f"{side}_{name}"] for side in ("pk", "fk") for name in PAIR[:2]}
            equal("catalog and schema", places, set(server.place[:2]))
            equal("key_sequence", row["key_sequence"], 1)
            holds(row["update_rule"] <= 4 and row["delete_rule"] <= 4, "no such rule")
        names = ("fk_table_name", "fk_column_name", "pk_table_name", "pk_column_name")
        return sorted(tuple(row[name] for name in names) for row in rows)

    wanted = sorted((fact, column, dimension, surrogates[dimension]) for fact, column, dimension in found)
    for fact in sorted({row[0] for row in wanted}):
        some = [row for row in wanted if row[0] == fact]
        equal(f"foreign keys of {fact}", pairs(wire.run("CommandGetImportedKeys", place(server, fact))), some)
    for dimension in sorted({row[2] for row in wanted}):
        some = [row for row in wanted if row[2] == dimension]
        equal(f"references to {dimension}", pairs(wire.run("CommandGetExportedKeys", place(server, dimension))), some)
    both = place(server, "dim_product") + place(server, "fact_balance_monthly", 4)
    some = [row for row in wanted if (row[0], row[2]) == ("fact_balance_monthly", "dim_product")]
    equal("references of a fact to a dimension", pairs(wire.run("CommandGetCrossReference", both)), some)
    # A cube is joined already.
    cube = field(1, "countinghouse") + field(2, "head_office") + field(3, "deposits")
    for name in ("CommandGetPrimaryKeys", "CommandGetImportedKeys", "CommandGetExportedKeys"):
        equal(f"{name} of a cube", wire.run(name, cube).num_rows, 0)


XDBC = [
    ("type_name", "string"), ("data_type", "int32"), ("column_size", "int32"), ("literal_prefix", "string"),
    ("literal_suffix", "string"), ("create_params", "list"), ("nullable", "int32"), ("case_sensitive", "bool"),
    ("searchable", "int32"), ("unsigned_attribute", "bool"), ("fixed_prec_scale", "bool"), ("auto_increment", "bool"),
    ("local_type_name", "string"), ("minimum_scale", "int32"), ("maximum_scale", "int32"), ("sql_data_type", "int32"),
    ("datetime_subcode", "int32"), ("num_prec_radix", "int32"), ("interval_precision", "int32"),
]
# Names of every type that a result of ours may have.
OUR_TYPES = {
    "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "REAL", "DOUBLE", "DECIMAL", "VARCHAR", "VARBINARY",
    "DATE", "TIME", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE",
}
# Numbers of the types of the common table; truth values have two.
COMMON_TYPES = {"text": {12, 1, -1, -9}, "decimal": {3, 2}, "date": {91}, "truth": {-7, 16}}


@check("M9")
def xdbc_types(server):
    with server.wire() as wire:
        table = wire.run("CommandGetXdbcTypeInfo")
        equal("columns", [(column.name, str(column.type).split("<")[0]) for column in table.schema], XDBC)
        rows = table.to_pylist()
        codes = [row["data_type"] for row in rows]
        for word, some in COMMON_TYPES.items():
            holds(some & set(codes), f"no type for {word} among {[row['type_name'] for row in rows]}")
        equal("order of data_type", codes, sorted(codes))
        if server.ours:
            equal("types", {row["type_name"] for row in rows}, OUR_TYPES)
        for code in (next(code for code in codes if code in COMMON_TYPES["text"]), codes[0]):
            one = wire.run("CommandGetXdbcTypeInfo", field(1, code % (1 << 64))).to_pylist()
            equal(f"rows of type {code}", one, [row for row in rows if row["data_type"] == code])


@check("M10")
def only_what_one_may_see(server):
    with server.other("beijing") as wire:
        names = set(wire.run("CommandGetDbSchemas")["db_schema_name"].to_pylist())
        equal("schemas of a branch", names, {"beijing", "evaluation", "system"} | names & {"information_schema"})
        whole = tables(wire, whole=True).to_pylist()
        holds({row["db_schema_name"] for row in whole} <= names, "tables of other schemas are listed")
        listed = {(row["db_schema_name"], row["table_name"]) for row in whole}
        holds(("beijing", "deposits") in listed, "the own cube is missing")
        for schema in ("shanghai", "head_office", "warehouse"):
            equal(f"tables of {schema}", tables(wire, schema=schema).num_rows, 0)
            equal(f"schema {schema}", wire.run("CommandGetDbSchemas", field(2, schema)).num_rows, 0)
        texts = set()
        for schema in ("shanghai", "no_such_schema"):
            sql = f"SELECT SUM(balance) AS b FROM {schema}.deposits"
            for call in (lambda: wire.query(sql), lambda: wire.schema(statement(sql)), lambda: wire.prepare(sql)):
                error = refuses(call, NOT_FOUND, what=f"a statement on {schema}")
                texts.add(error.details().split(" (id ")[0].replace(schema, "…"))
        equal("texts for forbidden and missing", len(texts), 1)
    with server.other("head_office") as wire:
        names = set(wire.run("CommandGetDbSchemas")["db_schema_name"].to_pylist())
        holds({"beijing", "shanghai", "head_office", "warehouse", "system"} <= names, "the head office sees too little")
    with server.other("executive") as wire:
        for call in (lambda: tables(wire), lambda: wire.run("CommandGetCatalogs"), wire.actions):
            refuses(call, grpc.StatusCode.PERMISSION_DENIED, what="a reader of reports")
