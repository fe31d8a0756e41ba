"""X: cancelling, polling, renewing."""

import threading
import time

import grpc
import pyarrow as pa
from conformance.contract import check, equal, holds, refuses
from conformance.rpc import Endpoint, Info, descriptor, first, statement
from conformance.servers import ROWS
from wire import command, field, parse

CANCELLED, CANCELLING, NOT_CANCELLABLE = 1, 2, 3
CODE = grpc.StatusCode


class Reader(threading.Thread):
    """Reads a call to its end, aside."""

    def __init__(self, call):
        super().__init__(daemon=True)
        self.call, self.error = call, None
        self.start()

    def run(self):
        try:
            for _ in self.call:
                pass
        except grpc.RpcError as error:
            self.error = error


def cancelling(server, cancel):
    """CancelFlightInfo and CancelQuery in one; `cancel` takes a connection and an information and gives the status."""
    with server.wire() as wire:
        info = wire.query(server.select)
        holds(cancel(wire, info) in (CANCELLED, CANCELLING, NOT_CANCELLABLE), "no status for a statement that does not run")
        info = wire.query(server.endless)
        reader = Reader(wire.open("DoGet", field(1, info.ticket)))
        time.sleep(1)
        holds(reader.is_alive(), "the statement that should run for hours has ended")
        if server.ours:
            with server.other("beijing") as other:
                refuses(lambda: cancel(other, info), CODE.NOT_FOUND, what="another login's statement")
        holds(cancel(wire, info) in (CANCELLED, CANCELLING), "a running statement is not cancelled")
        reader.join(5)
        holds(not reader.is_alive(), "the stream goes on for 5 seconds")
        holds(reader.error is not None, "the stream of a cancelled statement ends as if it were complete")
        if server.ours:
            equal("code of the stream", reader.error.code(), CODE.CANCELLED)
        equal("rows of another statement", wire.read(server.select).rows, ROWS)


@check("X1")
def cancel_info(server):
    def cancel(wire, info):
        result = wire.single("CancelFlightInfo", field(1, info.body))
        return first(parse(result), 1, 0)

    cancelling(server, cancel)


@check("X2")
def cancel_query(server):
    def cancel(wire, info):
        result = wire.single("CancelQuery", command("ActionCancelQueryRequest", field(1, info.body)))
        return first(parse(first(parse(result), 2)), 1, 0)

    cancelling(server, cancel)


@check("X3")
def dropped(server):
    """The client's deadline passes, or it drops the call; a second later the work has stopped."""
    with server.wire() as wire:
        for drop in (lambda call: call.code(), lambda call: call.cancel()):
            before = ended(server, wire)
            call = at_work(server, wire)
            # The code is there when the deadline has passed.
            code = drop(call)
            holds(code in (True, CODE.DEADLINE_EXCEEDED), f"the statement that should run for hours ended with {code}")
            stopped(server, wire)
            if server.ours:
                equal("runs recorded as cancelled", ended(server, wire) - before, 1)
        equal("rows of another statement", wire.read(server.select).rows, ROWS)


def at_work(server, wire):
    """The call that works on the endless statement, with some seconds left: DoGet, or GetFlightInfo where that one does."""
    asked = wire.ask("GetFlightInfo", descriptor(statement(server.endless)), 8)
    until = time.monotonic() + 4
    while not asked.done() and time.monotonic() < until:
        time.sleep(0.1)
    call = asked
    if asked.done():
        call = wire.open("DoGet", field(1, Info(asked.result()).ticket), 4)
        Reader(call)
        time.sleep(1.5)
    holds(runs(server, wire, "running") if server.ours else server.working(), "the endless statement does not run")
    return call


def runs(server, wire, status):
    """How many runs of the endless statement have this status in our own records."""
    text = server.endless.replace("'", "''")
    rows = wire.read(f"SELECT COUNT(*) AS n FROM system.queries WHERE sql = '{text}' AND status = '{status}'").rows
    return rows[0]["n"]


def ended(server, wire):
    return runs(server, wire, "cancelled") if server.ours else 0


def stopped(server, wire):
    """Within a second; our own record is written when the statement has ended."""
    if server.ours:
        until = time.monotonic() + 2
        while (left := runs(server, wire, "running")) and time.monotonic() < until:
            time.sleep(0.1)
        equal("statements that still run", left, 0)
        return
    time.sleep(1)
    holds(not server.working(), "a second after the call was dropped the server still works on it")


@check("X4")
def poll(server):
    with server.wire() as wire, server.wire() as other:
        answer = wire.poll(descriptor(statement(server.select)))
        polls = 1
        while answer.descriptor:
            information(answer, complete=False)
            holds(answer.expires, "an answer with a descriptor has no expiration_time")
            holds(polls < 20, "no end after 20 polls")
            # A lost client comes back on another connection.
            answer = (wire, other)[polls % 2].poll(answer.descriptor)
            polls += 1
        information(answer, complete=True)
        for connection in (wire, other):
            tables = [connection.get(endpoint.ticket).table for endpoint in answer.info.endpoints]
            equal("rows of all endpoints", pa.concat_tables(tables).to_pylist(), ROWS)
        holds(answer.info.total_records in (-1, len(ROWS)), f"total_records is {answer.info.total_records}")
        if server.ours:
            endless(server, wire)
            forged = command("TicketStatementQuery", field(1, b"forged"))
            refuses(lambda: wire.poll(descriptor(forged)), CODE.NOT_FOUND, CODE.INVALID_ARGUMENT, what="a forged descriptor")
    with server.adbc() as connection, connection.cursor() as cursor:
        work = cursor.adbc_statement
        work.set_options(**{"adbc.statement.exec.incremental": "true"})
        work.set_sql_query(server.select)
        partitions, rows = [], []
        for _ in range(20):
            some, _, _ = work.execute_partitions()
            if not some:
                break
            partitions += some
        holds(partitions, "ADBC's incremental execution gives no partition")
        for partition in partitions:
            with connection.cursor() as reader:
                reader.adbc_read_partition(partition)
                rows += reader.fetch_arrow_table().to_pylist()
        equal("rows by ADBC's incremental execution", rows, ROWS)


def information(answer, complete):
    """What every PollInfo has."""
    holds(answer.info, "a PollInfo without a FlightInfo")
    holds(answer.info.schema.names == list(ROWS[0]), "the FlightInfo of a PollInfo has another schema")
    holds(answer.progress is None or 0 <= answer.progress <= 1, f"progress {answer.progress}")
    if complete:
        holds(answer.info.endpoints, "the last FlightInfo has no endpoints")
        holds(answer.progress in (None, 1.0), f"progress {answer.progress} of a complete answer")


def endless(server, wire):
    """The first poll starts the work and does not wait for it; the work can be cancelled."""
    began = time.monotonic()
    answer = wire.poll(descriptor(statement(server.endless)))
    holds(time.monotonic() - began < 5, "the first poll waits for the statement")
    holds(answer.descriptor and answer.info and answer.info.schema.names == ["n"], "the first poll does not tell the schema")
    time.sleep(0.5)
    holds(runs(server, wire, "running") > 0, "the first poll does not start the work")
    with server.other("beijing") as stranger:
        refuses(lambda: stranger.poll(answer.descriptor), CODE.NOT_FOUND, what="another login's descriptor")
    again = wire.poll(answer.descriptor, seconds=15)
    holds(again.descriptor and not again.info.endpoints, "a statement that runs for hours is complete")
    result = wire.single("CancelFlightInfo", field(1, again.info.body))
    holds(first(parse(result), 1, 0) in (CANCELLED, CANCELLING), "a polled statement is not cancelled")
    gone = (CODE.CANCELLED, CODE.FAILED_PRECONDITION)
    refuses(lambda: wire.poll(again.descriptor, seconds=15), *gone, what="a poll of a cancelled statement")
    stopped(server, wire)


@check("X5")
def renew(server):
    with server.wire() as wire:
        info = wire.query(server.select)
        holds(info.ticket, "the endpoint has no ticket")
        endpoint = info.endpoints[0]
        # Times may be whole seconds.
        time.sleep(1.1)
        result = wire.single("RenewFlightEndpoint", field(1, endpoint.body))
        renewed = Endpoint(result)
        holds(renewed.expiry is not None, "the renewed endpoint has no expiration_time")
        holds(renewed.expiry > max(endpoint.expiry or 0, time.time()), "the renewed endpoint does not expire later")
        equal("rows of the renewed endpoint", wire.get(renewed.ticket).rows, ROWS)
        if server.ours:
            equal("rows of the first endpoint", wire.get(endpoint.ticket).rows, ROWS)
            holds(renewed.expiry <= time.time() + 12 * 3600, "the endpoint outlives the session")
