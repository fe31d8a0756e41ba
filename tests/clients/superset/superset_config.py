"""Superset's settings for these tests; its secret key and its folder come by SUPERSET_SECRET_KEY and SUPERSET_HOME."""

import flightsql.sqlalchemy  # noqa: F401 - makes datafusion+flightsql:// known to SQLAlchemy

# Superset knows no engine of this name, and so no time grains: these are what DataFusion calls them.
GRAINS = {"P1D": "day", "P1W": "week", "P1M": "month", "P3M": "quarter", "P1Y": "year"}
TIME_GRAIN_ADDON_EXPRESSIONS = {
    "base": {None: "{col}", **{grain: f"date_trunc('{unit}', {{col}})" for grain, unit in GRAINS.items()}}
}
