"""The thirteen queries: as one asks the cube, and as the benchmark writes them over five tables.

A time level is a date in the cube: the year 1993 is its first of January, a week its Monday. `order` holds the positions of
the columns by which a result is sorted.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Query:
    name: str
    order: tuple[int, ...]
    cube: str
    tables: str


def _discounts(name, cube, tables):
    """Flight 1: the revenue that some discounts cost, over one stretch of time."""
    return Query(
        name,
        (),
        f"SELECT SUM(discounted_revenue) AS revenue FROM lineorder WHERE {cube}",
        f"""SELECT SUM(lo_extendedprice * lo_discount) AS revenue
            FROM lineorder, dates
            WHERE lo_orderdate = d_datekey AND {tables}""",
    )


def _brands(name, cube, tables):
    """Flight 2: the revenue of some brands by year, from one region's suppliers."""
    return Query(
        name,
        (1, 2),
        f"SELECT SUM(revenue) AS revenue, year, brand FROM lineorder WHERE {cube} GROUP BY year, brand ORDER BY year, brand",
        f"""SELECT SUM(lo_revenue) AS revenue, d_year, p_brand1
            FROM lineorder, dates, part, supplier
            WHERE lo_orderdate = d_datekey AND lo_partkey = p_partkey AND lo_suppkey = s_suppkey AND {tables}
            GROUP BY d_year, p_brand1 ORDER BY d_year, p_brand1""",
    )


def _places(name, level, cube, tables):
    """Flight 3: the revenue between places of customers and of suppliers by year."""
    return Query(
        name,
        (2, 3),
        f"""SELECT customer_{level}, supplier_{level}, year, SUM(revenue) AS revenue FROM lineorder WHERE {cube}
            GROUP BY customer_{level}, supplier_{level}, year ORDER BY year, revenue DESC""",
        f"""SELECT c_{level}, s_{level}, d_year, SUM(lo_revenue) AS revenue
            FROM customer, lineorder, supplier, dates
            WHERE lo_custkey = c_custkey AND lo_suppkey = s_suppkey AND lo_orderdate = d_datekey AND {tables}
            GROUP BY c_{level}, s_{level}, d_year ORDER BY d_year, revenue DESC""",
    )


def _profit(name, cube_keys, keys, cube, tables):
    """Flight 4: the profit by year, place and kind of part."""
    return Query(
        name,
        tuple(range(1 + cube_keys.count(","))),
        f"""SELECT {cube_keys}, SUM(profit) AS profit FROM lineorder WHERE {cube}
            GROUP BY {cube_keys} ORDER BY {cube_keys}""",
        f"""SELECT {keys}, SUM(lo_revenue - lo_supplycost) AS profit
            FROM dates, customer, supplier, part, lineorder
            WHERE lo_custkey = c_custkey AND lo_suppkey = s_suppkey AND lo_partkey = p_partkey
              AND lo_orderdate = d_datekey AND {tables}
            GROUP BY {keys} ORDER BY {keys}""",
    )


QUERIES = [
    _discounts(
        "Q1.1",
        "year = DATE '1993-01-01' AND discount BETWEEN 1 AND 3 AND quantity < 25",
        "d_year = 1993 AND lo_discount BETWEEN 1 AND 3 AND lo_quantity < 25",
    ),
    _discounts(
        "Q1.2",
        "month = DATE '1994-01-01' AND discount BETWEEN 4 AND 6 AND quantity BETWEEN 26 AND 35",
        "d_yearmonthnum = 199401 AND lo_discount BETWEEN 4 AND 6 AND lo_quantity BETWEEN 26 AND 35",
    ),
    _discounts(
        "Q1.3",
        "week = DATE '1994-02-07' AND discount BETWEEN 5 AND 7 AND quantity BETWEEN 26 AND 35",
        "d_weeknuminyear = 6 AND d_year = 1994 AND lo_discount BETWEEN 5 AND 7 AND lo_quantity BETWEEN 26 AND 35",
    ),
    _brands(
        "Q2.1",
        "category = 'MFGR#12' AND supplier_region = 'AMERICA'",
        "p_category = 'MFGR#12' AND s_region = 'AMERICA'",
    ),
    _brands(
        "Q2.2",
        "brand BETWEEN 'MFGR#2221' AND 'MFGR#2228' AND supplier_region = 'ASIA'",
        "p_brand1 BETWEEN 'MFGR#2221' AND 'MFGR#2228' AND s_region = 'ASIA'",
    ),
    _brands(
        "Q2.3",
        "brand = 'MFGR#2221' AND supplier_region = 'EUROPE'",
        "p_brand1 = 'MFGR#2221' AND s_region = 'EUROPE'",
    ),
    _places(
        "Q3.1",
        "nation",
        "customer_region = 'ASIA' AND supplier_region = 'ASIA' AND year BETWEEN DATE '1992-01-01' AND DATE '1997-01-01'",
        "c_region = 'ASIA' AND s_region = 'ASIA' AND d_year >= 1992 AND d_year <= 1997",
    ),
    _places(
        "Q3.2",
        "city",
        "customer_nation = 'UNITED STATES' AND supplier_nation = 'UNITED STATES'"
        " AND year BETWEEN DATE '1992-01-01' AND DATE '1997-01-01'",
        "c_nation = 'UNITED STATES' AND s_nation = 'UNITED STATES' AND d_year >= 1992 AND d_year <= 1997",
    ),
    _places(
        "Q3.3",
        "city",
        "customer_city IN ('UNITED KI1', 'UNITED KI5') AND supplier_city IN ('UNITED KI1', 'UNITED KI5')"
        " AND year BETWEEN DATE '1992-01-01' AND DATE '1997-01-01'",
        "(c_city = 'UNITED KI1' OR c_city = 'UNITED KI5') AND (s_city = 'UNITED KI1' OR s_city = 'UNITED KI5')"
        " AND d_year >= 1992 AND d_year <= 1997",
    ),
    _places(
        "Q3.4",
        "city",
        "customer_city IN ('UNITED KI1', 'UNITED KI5') AND supplier_city IN ('UNITED KI1', 'UNITED KI5')"
        " AND month = DATE '1997-12-01'",
        "(c_city = 'UNITED KI1' OR c_city = 'UNITED KI5') AND (s_city = 'UNITED KI1' OR s_city = 'UNITED KI5')"
        " AND d_yearmonth = 'Dec1997'",
    ),
    _profit(
        "Q4.1",
        "year, customer_nation",
        "d_year, c_nation",
        "customer_region = 'AMERICA' AND supplier_region = 'AMERICA' AND manufacturer IN ('MFGR#1', 'MFGR#2')",
        "c_region = 'AMERICA' AND s_region = 'AMERICA' AND (p_mfgr = 'MFGR#1' OR p_mfgr = 'MFGR#2')",
    ),
    _profit(
        "Q4.2",
        "year, supplier_nation, category",
        "d_year, s_nation, p_category",
        "customer_region = 'AMERICA' AND supplier_region = 'AMERICA' AND year IN (DATE '1997-01-01', DATE '1998-01-01')"
        " AND manufacturer IN ('MFGR#1', 'MFGR#2')",
        "c_region = 'AMERICA' AND s_region = 'AMERICA' AND (d_year = 1997 OR d_year = 1998)"
        " AND (p_mfgr = 'MFGR#1' OR p_mfgr = 'MFGR#2')",
    ),
    _profit(
        "Q4.3",
        "year, supplier_city, brand",
        "d_year, s_city, p_brand1",
        "customer_region = 'AMERICA' AND supplier_nation = 'UNITED STATES'"
        " AND year IN (DATE '1997-01-01', DATE '1998-01-01') AND category = 'MFGR#14'",
        "c_region = 'AMERICA' AND s_nation = 'UNITED STATES' AND (d_year = 1997 OR d_year = 1998)"
        " AND p_category = 'MFGR#14'",
    ),
]

# More groups than fit into a budget; only their number is sent.
LARGE = """SELECT COUNT(*) AS groups FROM (
             SELECT customer, part, SUM(revenue) AS revenue FROM lineorder GROUP BY customer, part) AS pairs
           WHERE revenue IS NOT NULL"""
