"""The benchmark's five tables, derived from TPC-H by fixed rules, and the feed that delivers them.

The generator is TPC-H's (`tpchgen-cli`), so published answers of the Star Schema Benchmark do not apply; what its queries
select is meant to be as much as in the original. With SF the scale factor:

table      rows                        rule
lineorder  6,000,000 x SF              one per `lineitem`, with its order's date, customer, priority and total
customer   30,000 x SF                 the first of TPC-H's 150,000 x SF; order keys fold: (key - 1) mod rows + 1
supplier   2,000 x SF                  likewise of 10,000 x SF
part       200,000 x SF up to SF 1,    likewise of 200,000 x SF
           then x (1 + floor(log2 SF))
dates      2,557                       the days of 1992 to 1998

lo_discount, lo_tax, lo_quantity   whole percent and whole units, as `lineitem` has them
lo_revenue       extended price x (100 - discount) / 100, rounded half up to cents
lo_supplycost    six tenths of the part's retail price, as in the original
p_mfgr, p_category   `Manufacturer#3` -> MFGR#3; `Brand#32` -> MFGR#32 (a brand's first digit is its manufacturer)
p_brand1         category and a number 01 to 40 out of the key
p_color          the first word of the name, which is the rest
c_city, s_city   the nation's first nine letters, padded, and a digit out of the key: `UNITED KI1`
d_weeknuminyear  ISO 8601, where the original counts from the first of January: a week is one week of a calendar

Numbers "out of the key" are a multiplication whose high bits count, so they follow no other rule of the generator.
"""

import json
import math
import os
import shutil
import subprocess
from pathlib import Path

TABLES = ("dates", "customer", "supplier", "part", "lineorder")
YEARS = range(1992, 1999)
# What was made by other rules is made again.
VERSION = 1

# Amounts as narrow as they fit, so that no engine needs 128 bits for a product where 64 do.
_RULES = """
CREATE MACRO mixed(key, n) AS ((key * 2654435761) >> 16) % n;
CREATE MACRO city(nation, key) AS rpad(nation[1:9], 9, ' ') || mixed(key, 10);

CREATE VIEW dates AS
SELECT CAST(day AS DATE) AS d_datekey,
       strftime(day, '%B %-d, %Y') AS d_date,
       dayname(day) AS d_dayofweek,
       monthname(day) AS d_month,
       CAST(year(day) AS SMALLINT) AS d_year,
       CAST(year(day) * 100 + month(day) AS INTEGER) AS d_yearmonthnum,
       strftime(day, '%b%Y') AS d_yearmonth,
       CAST(isodow(day) AS TINYINT) AS d_daynuminweek,
       CAST(day(day) AS TINYINT) AS d_daynuminmonth,
       CAST(dayofyear(day) AS SMALLINT) AS d_daynuminyear,
       CAST(month(day) AS TINYINT) AS d_monthnuminyear,
       CAST(week(day) AS TINYINT) AS d_weeknuminyear
FROM generate_series(TIMESTAMP '1992-01-01', TIMESTAMP '1998-12-31', INTERVAL 1 DAY) AS days(day);

CREATE VIEW customer AS
SELECT CAST(c_custkey AS INTEGER) AS c_custkey, c_name, c_address, city(n_name, c_custkey) AS c_city, n_name AS c_nation,
       r_name AS c_region, c_phone, c_mktsegment
FROM tpch_customer JOIN tpch_nation ON c_nationkey = n_nationkey JOIN tpch_region ON n_regionkey = r_regionkey
WHERE c_custkey <= {customers} ORDER BY c_custkey;

CREATE VIEW supplier AS
SELECT CAST(s_suppkey AS INTEGER) AS s_suppkey, s_name, s_address, city(n_name, s_suppkey) AS s_city, n_name AS s_nation,
       r_name AS s_region, s_phone
FROM tpch_supplier JOIN tpch_nation ON s_nationkey = n_nationkey JOIN tpch_region ON n_regionkey = r_regionkey
WHERE s_suppkey <= {suppliers} ORDER BY s_suppkey;

CREATE VIEW part AS
SELECT CAST(p_partkey AS INTEGER) AS p_partkey,
       split_part(p_name, ' ', 2) || ' ' || split_part(p_name, ' ', 3) AS p_name,
       'MFGR#' || right(p_mfgr, 1) AS p_mfgr,
       'MFGR#' || right(p_brand, 2) AS p_category,
       'MFGR#' || right(p_brand, 2) || lpad(CAST(mixed(p_partkey, 40) + 1 AS VARCHAR), 2, '0') AS p_brand1,
       split_part(p_name, ' ', 1) AS p_color,
       p_type, CAST(p_size AS TINYINT) AS p_size, p_container
FROM tpch_part WHERE p_partkey <= {parts} ORDER BY p_partkey;

CREATE VIEW lineorder AS
SELECT l_orderkey AS lo_orderkey,
       CAST(l_linenumber AS TINYINT) AS lo_linenumber,
       CAST((o_custkey - 1) % {customers} + 1 AS INTEGER) AS lo_custkey,
       CAST(p_partkey AS INTEGER) AS lo_partkey,
       CAST((l_suppkey - 1) % {suppliers} + 1 AS INTEGER) AS lo_suppkey,
       o_orderdate AS lo_orderdate,
       o_orderpriority AS lo_orderpriority,
       CAST(o_shippriority AS TINYINT) AS lo_shippriority,
       CAST(l_quantity AS TINYINT) AS lo_quantity,
       CAST(l_extendedprice AS DECIMAL(12, 2)) AS lo_extendedprice,
       CAST(o_totalprice AS DECIMAL(12, 2)) AS lo_ordtotalprice,
       CAST(l_discount * 100 AS TINYINT) AS lo_discount,
       CAST(l_extendedprice * (1 - l_discount) AS DECIMAL(12, 2)) AS lo_revenue,
       CAST(p_retailprice * 0.6 AS DECIMAL(12, 2)) AS lo_supplycost,
       CAST(l_tax * 100 AS TINYINT) AS lo_tax,
       l_commitdate AS lo_commitdate,
       l_shipmode AS lo_shipmode
FROM tpch_lineitem
JOIN tpch_orders ON l_orderkey = o_orderkey
JOIN tpch_part ON p_partkey = (l_partkey - 1) % {parts} + 1;
"""

# Columns of the benchmark to columns of the project. Dimensions come in the order of their hierarchies.
_FEED = {
    "date": ("dates", ["d_datekey AS date"], "d_datekey"),
    "customer": (
        "customer",
        [
            "c_custkey AS customer_key",
            "c_name AS name",
            "c_address AS address",
            "c_city AS city",
            "c_nation AS nation",
            "c_region AS region",
            "c_phone AS phone",
            "c_mktsegment AS market_segment",
        ],
        "c_region, c_nation, c_city, c_custkey",
    ),
    "supplier": (
        "supplier",
        [
            "s_suppkey AS supplier_key",
            "s_name AS name",
            "s_address AS address",
            "s_city AS city",
            "s_nation AS nation",
            "s_region AS region",
            "s_phone AS phone",
        ],
        "s_region, s_nation, s_city, s_suppkey",
    ),
    "part": (
        "part",
        [
            "p_partkey AS part_key",
            "p_name AS name",
            "p_mfgr AS manufacturer",
            "p_category AS category",
            "p_brand1 AS brand",
            "p_color AS color",
            "p_type AS kind",
            "p_size AS size",
            "p_container AS container",
        ],
        "p_mfgr, p_category, p_brand1, p_partkey",
    ),
    "lineorder": (
        "lineorder",
        [
            "lo_orderdate AS order_date",
            "lo_orderkey AS order_key",
            "lo_linenumber AS line_number",
            "lo_custkey AS customer_sk",  # the loader puts the member's surrogate in place of its key
            "lo_partkey AS part_sk",
            "lo_suppkey AS supplier_sk",
            "lo_orderpriority AS order_priority",
            "lo_shippriority AS ship_priority",
            "lo_quantity AS quantity",
            "lo_extendedprice AS extended_price",
            "lo_ordtotalprice AS order_total_price",
            "lo_discount AS discount",
            "lo_revenue AS revenue",
            "lo_supplycost AS supply_cost",
            "lo_tax AS tax",
            "lo_commitdate AS commit_date",
            "lo_shipmode AS ship_mode",
        ],
        None,
    ),
}
# What the facts hold in place of a member's key, in the project's own files.
_SURROGATES = {"customer_key": "customer_sk", "supplier_key": "supplier_sk", "part_key": "part_sk"}
_TPCH = ("region", "nation", "customer", "supplier", "part", "orders", "lineitem")


def sizes(scale):
    """Rows of the dimensions that grow."""
    parts = 200_000 * (scale if scale <= 1 else 1 + math.floor(math.log2(scale)))
    return {
        "customers": max(1, round(30_000 * scale)),
        "suppliers": max(1, round(2_000 * scale)),
        "parts": max(1, round(parts)),
    }


def make(folder: Path, scale, generator, threads, connection, seconds):
    """Writes `folder/<table>.parquet`, one unsorted file per table as a generator would. `connection` is DuckDB's."""
    raw = folder / "tpch"
    shutil.rmtree(folder, ignore_errors=True)
    raw.mkdir(parents=True)
    command = [generator, "parquet", "--quiet", f"--scale-factor={scale}", f"--output-dir={raw}"]
    command += [f"--tables={','.join(_TPCH)}", f"--num-threads={threads}"]
    subprocess.run(command, check=True, timeout=seconds)
    for table in _TPCH:
        connection.execute(f"CREATE OR REPLACE TEMP VIEW tpch_{table} AS FROM '{raw / table}.parquet'")
    connection.execute(_RULES.format(**sizes(scale)))
    for table in TABLES:
        connection.execute(f"COPY (FROM {table}) TO '{folder / table}.parquet' (FORMAT parquet)")
    shutil.rmtree(raw)


def write_feed(folder: Path, plain: Path, connection):
    """Writes one numbered batch a year, the dimensions with the first; gives the feed files in their order."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    feeds = []
    for number, year in enumerate(YEARS, 1):
        files = []
        for table, (source, columns, order) in _FEED.items():
            if table != "lineorder" and number > 1:
                continue
            rows = f"SELECT {', '.join(columns)} FROM '{plain / source}.parquet'"
            rows += f" ORDER BY {order}" if order else f" WHERE year(lo_orderdate) = {year}"
            path = f"{table}-{year}.parquet" if table == "lineorder" else f"{table}.parquet"
            connection.execute(f"COPY ({rows}) TO '{folder / path}' (FORMAT parquet)")
            (count,) = connection.execute(f"SELECT COUNT(*) FROM '{folder / path}'").fetchone()
            control = {"rows": count}
            if table == "lineorder":
                (total,) = connection.execute(f"SELECT SUM(revenue) FROM '{folder / path}'").fetchone()
                control["sums"] = {"revenue": str(total)}
            names = [{"name": column.split(" AS ")[1]} for column in columns]
            files.append({"path": path, "format": "parquet", "table": table, "columns": names, "control": control})
        feed = {"node": "head_office", "batch": number, "business_date": f"{year}-12-31", "source": "tpch", "files": files}
        # JSON is YAML.
        feeds.append(folder / f"feed-{year}.yaml")
        feeds[-1].write_text(json.dumps(feed, indent=1))
    return feeds


def stored(warehouse: Path, table):
    """The table's Parquet files at its newest version, out of its log."""
    files = {}
    for entry in sorted((warehouse / table / "_delta_log").glob("*.json")):
        for line in entry.read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                files[action["add"]["path"]] = action["add"]["size"]
            if "remove" in action:
                files.pop(action["remove"]["path"], None)
    return {str(warehouse / table / path): size for path, size in files.items()}


def link_stored(folder: Path, warehouse: Path):
    """Links the project's own files into `folder/<table>/`; gives each table's columns under the benchmark's names."""
    shutil.rmtree(folder, ignore_errors=True)
    columns = {}
    for table, (source, names, _) in _FEED.items():
        if source == "dates":
            continue  # the project keeps the days alone
        (folder / source).mkdir(parents=True)
        for number, path in enumerate(sorted(stored(warehouse, table))):
            os.link(path, folder / source / f"{number}.parquet")
        pairs = [name.split(" AS ") for name in names]
        columns[source] = ", ".join(f"{_SURROGATES.get(own, own)} AS {name}" for name, own in pairs)
    return columns
