"""Flight as bytes over gRPC.

pyarrow.flight has no PollFlightInfo, hides headers, sizes and some status codes, and reads for itself; here every call is
seen as it is on the wire. Messages are put together by wire.py, batches are read by pyarrow.
"""

import struct

import grpc
import pyarrow as pa
from conformance.contract import Wrong, equal, holds
from wire import command, field, parse, varint

SECONDS = 20
SERVICE = "/arrow.flight.protocol.FlightService/"
COMMAND, PATH = 2, 1
COOKIE = "arrow_flight_session_id"


def signed(number):
    return number - (1 << 64) if number >= 1 << 63 else number


def first(fields, tag, default=b""):
    return fields.get(tag, [default])[0]


def descriptor(body):
    return field(1, COMMAND) + field(2, body)


def statement(sql, transaction=b""):
    return command("CommandStatementQuery", field(1, sql) + (field(2, transaction) if transaction else b""))


def numbers(tag, values):
    """A packed list of numbers."""
    return field(tag, b"".join(varint(value) for value in values))


def schema_of(data, what="the schema"):
    holds(data, f"{what} is missing")
    return pa.ipc.read_schema(pa.py_buffer(data))


def alike(what, got, wanted):
    """Schemas are equal up to metadata."""
    if not got.equals(wanted, check_metadata=False):
        raise Wrong(f"{what}: {shape(got)} instead of {shape(wanted)}")


def shape(schema):
    columns = (f"{column.name} {column.type}{'' if column.nullable else ' not null'}" for column in schema)
    return ", ".join(columns) or "no column"


class Endpoint:
    def __init__(self, body):
        fields = parse(body)
        self.body = body
        self.ticket = first(parse(first(fields, 1)), 1)
        self.locations = [first(parse(location), 1).decode() for location in fields.get(2, [])]
        time = parse(first(fields, 3))
        self.expiry = first(time, 1, 0) + first(time, 2, 0) / 1e9 if 3 in fields else None


class Info:
    """A FlightInfo."""

    def __init__(self, body):
        fields = parse(body)
        self.body = body
        self.announced = first(fields, 1)
        self.endpoints = [Endpoint(endpoint) for endpoint in fields.get(3, [])]
        self.total_records, self.total_bytes = signed(first(fields, 4, 0)), signed(first(fields, 5, 0))
        self.ordered = bool(first(fields, 6, 0))
        self.note = first(fields, 7)

    @property
    def schema(self):
        return schema_of(self.announced, "the schema of FlightInfo")

    @property
    def ticket(self):
        equal("endpoints", len(self.endpoints), 1)
        return self.endpoints[0].ticket


class Poll:
    """A PollInfo."""

    def __init__(self, body):
        fields = parse(body)
        self.info = Info(first(fields, 1)) if 1 in fields else None
        self.descriptor = first(fields, 2)
        self.progress = struct.unpack("<d", first(fields, 3))[0] if 3 in fields else None
        self.expires = 4 in fields


class Prepared:
    def __init__(self, body):
        fields = parse(body)
        self.handle, self.dataset, self.parameters = first(fields, 1), first(fields, 2), first(fields, 3)
        self.is_update = first(fields, 4, None)


class Result:
    """What a DoGet sent."""

    def __init__(self, messages):
        self.sizes = [len(message) for message in messages]
        stream, self.codecs, self.batches = bytearray(), set(), 0
        for message in messages:
            fields = parse(message)
            header, body = first(fields, 2), first(fields, 1000)
            if not header:
                continue
            kind, codec = peek(header)
            if kind == 3:
                self.batches += 1
            if kind != 1:
                self.codecs.add(codec)
            padded = header + bytes(-len(header) % 8)
            stream += struct.pack("<Ii", 0xFFFFFFFF, len(padded)) + padded + body
        holds(stream, "the stream has no schema message")
        stream += struct.pack("<Ii", 0xFFFFFFFF, 0)
        self.table = pa.ipc.open_stream(pa.py_buffer(bytes(stream))).read_all()

    @property
    def schema(self):
        return self.table.schema

    @property
    def rows(self):
        return self.table.to_pylist()


def peek(header):
    """Kind (1 schema, 2 dictionary, 3 batch) of an IPC message and its codec, read from the flatbuffer by hand."""

    def number(form, at):
        return struct.unpack_from(form, header, at)[0]

    def slot(table, index):
        """Where a field of a table stands; none when it has its default."""
        names = table - number("<i", table)
        offset = number("<H", names + 4 + 2 * index) if 4 + 2 * index < number("<H", names) else 0
        return table + offset if offset else None

    def target(at):
        return at + number("<I", at)

    message = number("<I", 0)
    kind, content = slot(message, 1), slot(message, 2)
    kind = number("<B", kind) if kind else 0
    batch = target(content) if content else None
    if kind == 2:
        inner = slot(batch, 1)
        batch = target(inner) if inner else None
    compression = slot(batch, 3) if kind in (2, 3) and batch else None
    if not compression:
        return kind, None
    codec = slot(target(compression), 0)
    return kind, ["lz4", "zstd"][number("<b", codec) if codec else 0]


class Wire:
    """A connection. `jar` keeps cookies and sends them back."""

    def __init__(self, address, headers=None, jar=None):
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        # Channels to one address share a connection unless told otherwise.
        options += [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0), ("grpc.enable_http_proxy", 0)]
        self.channel = grpc.insecure_channel(address, options)
        self.sent = dict(headers or {})
        self.jar = jar
        self.headers, self.trailers = {}, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    # -- calls

    def _metadata(self):
        sent = dict(self.sent)
        if self.jar:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        return list(sent.items())

    def _keep(self, call):
        gather = lambda pairs: {name: [v for n, v in pairs or () if n == name] for name, _ in pairs or ()}
        self.headers, self.trailers = gather(call.initial_metadata()), gather(call.trailing_metadata())
        if self.jar is not None:
            for cookie in self.headers.get("set-cookie", []):
                name, _, value = cookie.split(";")[0].partition("=")
                self.jar[name.strip()] = value.strip()

    def _unary(self, method, request, seconds):
        try:
            answer, call = self.channel.unary_unary(SERVICE + method).with_call(request, seconds, self._metadata())
        except grpc.RpcError as error:
            self._keep(error)
            raise
        self._keep(call)
        return answer

    def open(self, method, request, seconds=SECONDS):
        """A call whose answers are read, or dropped, by the caller."""
        return self.channel.unary_stream(SERVICE + method)(request, seconds, self._metadata())

    def ask(self, method, request, seconds):
        """A call with one answer, as a future."""
        return self.channel.unary_unary(SERVICE + method).future(request, seconds, self._metadata())

    def _stream(self, method, request, seconds):
        call = self.open(method, request, seconds)
        try:
            return list(call)
        finally:
            self._keep(call)

    def _duplex(self, method, requests):
        call = self.channel.stream_stream(SERVICE + method)(iter(requests), SECONDS, self._metadata())
        try:
            return list(call)
        finally:
            self._keep(call)

    def handshake(self, *messages):
        """The token of the answer's header, with the word before it."""
        self._duplex("Handshake", messages)
        token = self.headers.get("authorization", [None])[0]
        holds(token and token.startswith("Bearer "), "the Handshake's answer has no header with a Bearer token")
        return token

    def info(self, body, seconds=SECONDS):
        return Info(self._unary("GetFlightInfo", descriptor(body), seconds))

    def info_of_path(self, *parts):
        return Info(self._unary("GetFlightInfo", field(1, PATH) + b"".join(field(3, part) for part in parts), SECONDS))

    def poll(self, described, seconds=SECONDS):
        return Poll(self._unary("PollFlightInfo", described, seconds))

    def schema(self, body):
        return schema_of(first(parse(self._unary("GetSchema", descriptor(body), SECONDS)), 1))

    def get(self, ticket, seconds=SECONDS):
        return Result(self._stream("DoGet", field(1, ticket), seconds))

    def flights(self):
        return self._stream("ListFlights", b"", SECONDS)

    def actions(self):
        return [first(parse(action), 1).decode() for action in self._stream("ListActions", b"", SECONDS)]

    def exchange(self):
        return self._duplex("DoExchange", [field(1, descriptor(b"x"))])

    def act(self, name, body=b""):
        results = self._stream("DoAction", field(1, name) + (field(2, body) if body else b""), SECONDS)
        return [first(parse(result), 1) for result in results]

    def single(self, name, body=b""):
        """The one result of an action."""
        results = self.act(name, body)
        equal(f"results of {name}", len(results), 1)
        return results[0]

    def put(self, body, batch):
        """The metadata of the answers."""
        schema, content = (pa.ipc.read_message(part.serialize()) for part in (batch.schema, batch))
        head = field(1, descriptor(body)) + field(2, schema.metadata.to_pybytes())
        data = field(2, content.metadata.to_pybytes()) + field(1000, content.body.to_pybytes())
        return [first(parse(answer), 1) for answer in self._duplex("DoPut", [head, data])]

    # -- statements

    def query(self, sql, transaction=b"", seconds=SECONDS):
        return self.info(statement(sql, transaction), seconds)

    def fetch(self, info, seconds=SECONDS):
        """The result of an information with one endpoint; what was announced is what is sent."""
        result = self.get(info.ticket, seconds)
        alike("the stream's schema", result.schema, info.schema)
        return result

    def read(self, sql, transaction=b""):
        return self.fetch(self.query(sql, transaction))

    def run(self, name, body=b""):
        """The table of a metadata command."""
        return self.fetch(self.info(command(name, body))).table

    def prepare(self, sql, transaction=b""):
        request = field(1, sql) + (field(2, transaction) if transaction else b"")
        fields = parse(self.single("CreatePreparedStatement", command("ActionCreatePreparedStatementRequest", request)))
        holds(first(fields, 1).endswith(b"ActionCreatePreparedStatementResult"), "another message than it has to be")
        return Prepared(first(fields, 2))

    def bind(self, handle, batch):
        """The handle to go on with; servers of the older protocol answer nothing and keep the handle."""
        answers = self.put(command("CommandPreparedStatementQuery", field(1, handle)), batch)
        given = first(parse(answers[0]), 1) if answers and answers[0] else b""
        return given or handle

    def execute(self, handle, seconds=SECONDS):
        return self.fetch(self.info(command("CommandPreparedStatementQuery", field(1, handle))), seconds)

    def bound(self, sql, *columns, names=None):
        """The rows of a statement with parameters: prepare, bind, run, close."""
        prepared = self.prepare(sql)
        batch = pa.record_batch(list(columns), names or [str(number) for number in range(1, len(columns) + 1)])
        result = self.execute(self.bind(prepared.handle, batch))
        self.act("ClosePreparedStatement", command("ActionClosePreparedStatementRequest", field(1, prepared.handle)))
        return result.rows

    def claim(self, number):
        """What GetSqlInfo says of an id; none when it says nothing."""
        table = self.run("CommandGetSqlInfo", numbers(1, [number]))
        values = dict(zip(table["info_name"].to_pylist(), table["value"].to_pylist()))
        return values.get(number)

    # -- transactions and sessions

    def begin(self):
        result = self.single("BeginTransaction", command("ActionBeginTransactionRequest"))
        transaction = first(parse(first(parse(result), 2)), 1)
        holds(transaction, "the transaction has no id")
        return transaction

    def end(self, transaction, how=1):
        self.act("EndTransaction", command("ActionEndTransactionRequest", field(1, transaction) + field(2, how)))

    def options(self):
        """The session's options as text and as the other types have it."""
        result = self.single("GetSessionOptions")
        entries = (parse(entry) for entry in parse(result).get(1, []))
        return {first(entry, 1).decode(): option(first(entry, 2)) for entry in entries}

    def assign(self, **options):
        """Sets options and gives the errors by name."""
        entries = [field(1, field(1, name) + field(2, option_value(value))) for name, value in options.items()]
        result = self.single("SetSessionOptions", b"".join(entries))
        errors = (parse(error) for error in parse(result).get(1, []))
        return {first(error, 1).decode(): first(parse(first(error, 2)), 1, 0) for error in errors}


def option_value(value):
    if isinstance(value, bool):
        return field(2, value)
    if isinstance(value, int):
        return varint(3 << 3 | 1) + struct.pack("<q", value)
    return field(1, value)


def option(data):
    fields = parse(data)
    if 3 in fields:
        return struct.unpack("<q", fields[3][0])[0]
    return bool(fields[2][0]) if 2 in fields else first(fields, 1).decode()
