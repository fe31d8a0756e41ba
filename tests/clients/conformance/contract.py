"""The ids of the contract, and what a check's end means.

    pass      the check saw the value it wanted; an empty map, a missing schema or a warning is none
    refused   the server answered in order that it does not do this: UNIMPLEMENTED or INVALID_ARGUMENT
    fail      anything else: a wrong value, INTERNAL, a lost connection, no answer in 20 seconds
"""

import re
import threading

import adbc_driver_manager
import grpc

PASS, REFUSED, FAIL = "pass", "refused", "fail"

# A call has 20 seconds (rpc.SECONDS); a check makes several, and none may take longer than this in all.
CHECK_SECONDS = 180

# The rows of section 4 of the design, in its order.
CONTRACT = {
    "H1": "Handshake, Basic, base64 with or without padding",
    "H2": "Handshake, Bearer, a fresh session token",
    "H3": "Handshake without a message, or with an empty one",
    "H4": "Bearer header without any Handshake",
    "H5": "no or a wrong login is UNAUTHENTICATED",
    "H6": "a token late in its life is renewed",
    "H7": "cookies are set and accepted, never required",
    "H8": "unknown request headers",
    "I1": "GetSqlInfo with ids",
    "I2": "GetSqlInfo without ids: all 91, each in its type",
    "M1": "GetCatalogs",
    "M2": "GetDbSchemas",
    "M3": "GetTables without schema",
    "M4": "GetTables with include_schema",
    "M5": "name patterns",
    "M6": "filter by table type",
    "M7": "GetTableTypes",
    "M8": "the four calls for keys",
    "M9": "GetXdbcTypeInfo",
    "M10": "metadata show only what the login may see",
    "Q1": "CommandStatementQuery",
    "Q2": "CreatePreparedStatement says everything",
    "Q3": "types of parameters",
    "Q4": "`?`, `$1`, `$name`",
    "Q5": "parameters by DoPut",
    "Q6": "a prepared statement runs again",
    "Q7": "ClosePreparedStatement, also twice",
    "Q8": "a result without rows has its schema",
    "Q9": "GetSchema for any command",
    "Q10": "what is not one query is refused",
    "Q11": "updates by DoPut",
    "Q12": "CommandStatementIngest",
    "Q13": "Substrait plans",
    "Q14": "EXPLAIN tells of rollups, not of files",
    "T1": "read transactions",
    "T2": "savepoints",
    "X1": "CancelFlightInfo",
    "X2": "CancelQuery",
    "X3": "a dropped call stops its work",
    "X4": "PollFlightInfo",
    "X5": "RenewFlightEndpoint",
    "O1": "SetSessionOptions",
    "O2": "GetSessionOptions",
    "O3": "CloseSession",
    "E1": "endpoints",
    "E2": "messages of at most 4 MiB",
    "E3": "IPC compression only when asked",
    "E4": "total_records, total_bytes, ordered",
    "E5": "ListActions",
    "E6": "ListFlights, DoExchange, PATH descriptors",
    "E7": "many streams reset at once",
}

# What peers cannot be asked, and why.
OURS_ONLY = {
    "H6": "the session has to be hours old: its age is set in our own catalog database",
    "M10": "needs two logins with different rights; a peer has one login or none",
    "Q14": "our own explanation of a plan: rollups, snapshot",
}

CHECKS = {}


def check(name):
    """Makes a function the check of an id. It takes a server and ends without an error when the server passes."""

    def keep(function):
        assert name in CONTRACT and name not in CHECKS, name
        CHECKS[name] = function
        return function

    return keep


class Wrong(AssertionError):
    """Not what the contract says."""


class Refusal(Exception):
    """An orderly refusal, seen by the check itself."""


def short(value, length=200):
    text = str(value)
    return text if len(text) <= length else text[: length - 1] + "…"


def equal(what, got, wanted):
    if got != wanted:
        raise Wrong(f"{what}: {short(got)} instead of {short(wanted)}")


def holds(condition, what):
    if not condition:
        raise Wrong(what)


def refuses(call, *codes, what):
    """The error of a call that has to fail with one of these codes. Code UNIMPLEMENTED stays the refusal that it is."""
    try:
        call()
    except grpc.RpcError as error:
        if error.code() in codes:
            return error
        if error.code() == grpc.StatusCode.UNIMPLEMENTED:
            raise
        raise Wrong(f"{what}: {error.code().name} instead of {codes[0].name} ({short(error.details())})") from error
    raise Wrong(f"{what}: answered instead of {codes[0].name}")


def judged(error):
    """Outcome and reason of a check that ended with this error."""
    orderly = (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INVALID_ARGUMENT)
    if isinstance(error, grpc.RpcError):
        return REFUSED if error.code() in orderly else FAIL, f"{error.code().name}: {error.details()}"
    if isinstance(error, adbc_driver_manager.Error):
        # The driver says so where the status is the server's: "(Unimplemented; Prepare)".
        return REFUSED if re.search(r"\((Unimplemented|InvalidArgument); ", str(error)) else FAIL, str(error)
    if isinstance(error, Refusal):
        return REFUSED, str(error)
    if isinstance(error, Wrong):
        return FAIL, str(error)
    return FAIL, f"{type(error).__name__}: {error}"


def ask(name, server):
    """Outcome and reason of one id. A check that hangs is left behind."""
    ends = []

    def run():
        try:
            CHECKS[name](server)
            ends.append((PASS, ""))
        except Exception as error:
            ends.append(judged(error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(CHECK_SECONDS)
    return ends[0] if ends else (FAIL, f"no end after {CHECK_SECONDS} seconds")
