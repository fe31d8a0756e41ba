"""H: logging in, tokens, cookies, headers."""

import contextlib
import hashlib
import sqlite3
import time

import grpc
from conformance.contract import Refusal, Wrong, check, equal, holds, refuses
from conformance.rpc import COOKIE, statement
from conformance.servers import ROWS
from wire import basic, command, field

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


def served(server, authorization, what, **more):
    """The common rows come with this login."""
    with server.bare(authorization, **more) as wire:
        equal(f"rows {what}", wire.read(server.select).rows, ROWS)


def shaken(server, authorization, *messages):
    """The token of a Handshake; ours says it again in the trailers."""
    with server.bare(authorization) as wire:
        token = wire.handshake(*messages)
        if server.ours:
            equal("token in the trailers", wire.trailers.get("authorization"), [token])
        return token


def with_password(server):
    """For peers without passwords: what they say to one that nobody has. UNAUTHENTICATED is an orderly answer then."""
    if server.password:
        return
    with server.bare(basic("tester", "tester")) as wire:
        try:
            wire.handshake()
        except grpc.RpcError as error:
            if error.code() == UNAUTHENTICATED:
                raise Refusal("takes no passwords (UNAUTHENTICATED)") from error
            raise
    holds(False, "answers a password that nobody has with a token")


@check("H1")
def handshake_with_a_password(server):
    with_password(server)
    for padding in (True, False):
        for user, password in server.passwords():
            shaken(server, basic(user, password, padding))
    served(server, shaken(server, basic(server.user, server.password)), "with its token")


@check("H2")
def handshake_with_a_token(server):
    sent = f"Bearer {server.token or 'nothing'}"
    first, second = shaken(server, sent), shaken(server, sent)
    holds(len({sent, first, second}) == 3, "the token of the answer is not a fresh one")
    third = shaken(server, first)
    holds(third not in (sent, first, second), "a session token gives no fresh one")
    for token in (first, second, third):
        served(server, token, "with a fresh token")


@check("H3")
def handshake_without_words(server):
    with_password(server)
    for messages in [[], [b""], [field(2, b"payload")]]:
        served(server, shaken(server, basic(server.user, server.password), *messages), f"after {len(messages)} messages")


@check("H4")
def bearer_alone(server):
    served(server, f"Bearer {server.token or 'nothing'}", "without a Handshake")


@check("H5")
def no_login_no_answer(server):
    wrong = [None, "Bearer None", "Bearer ", "Basic !!", "Nonsense x", basic("tester", "wrong"), "Bearer " + "0" * 64]
    if server.token:
        wrong += [f"Bearer {server.token[:-1]}", f"Bearer {server.token}x"]
    if server.ours:
        wrong += [basic(server.user, "wrong"), "Bearer cts_" + "0" * 64, "Bearer cth_0000000000000000_" + "0" * 64]
    texts = set()
    for authorization in wrong:
        with server.bare(authorization) as wire:
            calls = {
                "GetFlightInfo": lambda: wire.query(server.select),
                "GetFlightInfo of GetCatalogs": lambda: wire.info(command("CommandGetCatalogs")),
                "DoGet": lambda: wire.get(command("CommandGetCatalogs")),
                "CreatePreparedStatement": lambda: wire.prepare(server.select),
            }
            if server.ours:
                calls |= {
                    "Handshake": wire.handshake,
                    "GetSchema": lambda: wire.schema(statement(server.select)),
                    "PollFlightInfo": lambda: wire.poll(field(1, 2) + field(2, statement(server.select))),
                    "ListActions": wire.actions,
                    "ListFlights": wire.flights,
                    "DoExchange": wire.exchange,
                    "SetSessionOptions": lambda: wire.assign(catalog="countinghouse"),
                }
            for name, call in calls.items():
                error = refuses(call, UNAUTHENTICATED, what=f"{name} with {authorization and authorization.split()[0]}")
                texts.add(error.details().split(" (id ")[0])
    if server.ours:
        equal("texts of a refused login", len(texts), 1)


@contextlib.contextmanager
def sessions(server):
    """The server's own record of its sessions."""
    holds(server.state, "the folder of the server's state is not known, so no session can be aged")
    with contextlib.closing(sqlite3.connect(server.state / "catalog.db", timeout=10)) as catalog, catalog:
        catalog.row_factory = sqlite3.Row
        yield catalog


def record(catalog, token):
    """A session's row, and how many units of its times make a second."""
    key = hashlib.sha256(token.removeprefix("Bearer ").encode()).hexdigest()
    row = dict(catalog.execute("SELECT * FROM session WHERE sha256 = ?", [key]).fetchone())
    return row, min((1, 1_000, 1_000_000), key=lambda unit: abs(row["created_at"] / unit - time.time()))


def age(server, token, hours, left):
    """Makes a session so many hours old with so many left, as if time had passed."""
    with sessions(server) as catalog:
        row, unit = record(catalog, token)
        moments = {name: time.time() - hours * 3600 for name, value in row.items() if value == row["created_at"]}
        moments["expires_at"] = time.time() + left * 3600
        for name, moment in moments.items():
            catalog.execute(f"UPDATE session SET {name} = ? WHERE sha256 = ?", [int(moment * unit), row["sha256"]])


def life(server, token):
    """Hours that a session has left."""
    with sessions(server) as catalog:
        row, unit = record(catalog, token)
    return (row["expires_at"] / unit - time.time()) / 3600


@check("H6")
def renewed(server):
    def offered(token):
        """The token that an answer to a call with this one carries."""
        with server.bare(token) as wire:
            equal("rows", wire.read(server.select).rows, ROWS)
            # Whichever call it is: a statement's two, and an action.
            found = wire.headers.get("authorization", [])
            wire.query("SELECT 1 AS one")
            found = found + wire.headers.get("authorization", [])
            wire.options()
            found = found + wire.headers.get("authorization", [])
        return found

    fresh = lambda: shaken(server, basic(server.user, server.password))
    old = fresh()
    equal("tokens offered to a fresh session", offered(old), [])
    age(server, old, 7, 5)
    equal("tokens offered in the second third", offered(old), [])
    age(server, old, 9, 3)
    found = offered(old)
    holds(found, "no new token in the last third of a session's life")
    new = found[-1]
    holds(new.startswith("Bearer ") and new != old, "the new token is the old one")
    holds(3 < life(server, new) < 12.01, "the new token does not live longer than the old one, or more than 12 hours")
    served(server, new, "with the new token")
    served(server, old, "with the old token, in its own life")
    age(server, old, 12, -0.001)
    with server.bare(old) as wire:
        refuses(lambda: wire.query(server.select), UNAUTHENTICATED, what="the old token after its own life")
    served(server, new, "with the new token after the old one's life")
    # Renewals end 24 hours after the login.
    late = fresh()
    age(server, late, 23, 1)
    for token in offered(late)[-1:]:
        holds(life(server, token) < 1.01, "a renewed token lives longer than 24 hours after its login")


@check("H7")
def cookies(server):
    def jar():
        """A client's cookies after its first calls: some servers set theirs at the Handshake, some for options."""
        kept = {}
        first = server.authorization() if server.ours or not server.password else basic(server.user, server.password)
        with server.bare(first, kept) as wire, contextlib.suppress(grpc.RpcError, Wrong):
            wire.handshake()
        with server.wire(kept) as wire:
            equal("rows", wire.read(server.select).rows, ROWS)
            with contextlib.suppress(grpc.RpcError):
                wire.options()
        return kept

    first = jar()
    holds(first.get(COOKIE), f"no cookie {COOKIE} is set")
    served(server, server.authorization(), "with the cookie", jar=dict(first))
    served(server, server.authorization(), "with a cookie of nobody", jar={COOKIE: "nobody", "other": "1"})
    served(server, server.authorization(), "without a cookie")
    # Another connection with a jar of its own, as JDBC opens for an endpoint.
    with server.wire(dict(first)) as wire, server.wire({}) as other:
        equal("rows of another connection", other.get(wire.query(server.select).ticket).rows, ROWS)
    if server.ours:
        second = jar()
        holds(second[COOKIE] != first[COOKIE], "two clients get the same cookie")
        with server.wire(first) as one, server.wire(second) as two:
            equal("errors of an option", one.assign(schema="beijing"), {})
            equal("schema of the client that set it", one.options()["schema"], "beijing")
            equal("schema of another client with the same token", two.options()["schema"], "head_office")
            one.act("CloseSession")


@check("H8")
def unknown_headers(server):
    headers = {"x-tool": "test", "useencryption": "false", "traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"}
    with server.wire(**headers) as wire:
        equal("rows with unknown headers", wire.read(server.select).rows, ROWS)
    if server.ours:
        with server.wire(**{"countinghouse-schema": "beijing", "countinghouse-no-such-option": "1"}) as wire:
            equal("schema by header", wire.options()["schema"], "beijing")
            wire.read("SELECT branch FROM deposits GROUP BY branch")
        with server.wire() as wire:
            equal("schema without the header", wire.options()["schema"], "head_office")
