"""Flight SQL by hand, with pyarrow.flight: messages, clients and the calls that both raw suites make."""

import base64
import json
import urllib.request

import pyarrow as pa
import pyarrow.flight as fl

# -- protobuf by hand: a dozen lines instead of a dependency


def varint(number):
    out = b""
    while True:
        number, low = number >> 7, number & 0x7F
        out += bytes([low | (0x80 if number else 0)])
        if not number:
            return out


def field(tag, value):
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return varint(tag << 3 | 2) + varint(len(value)) + value
    return varint(tag << 3) + varint(int(value))


def command(name, body=b""):
    return field(1, f"type.googleapis.com/arrow.flight.protocol.sql.{name}") + (field(2, body) if body else b"")


def parse(data):
    """The fields of a message as {tag: [value, ...]}."""
    fields, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = number()
        if key & 7 == 2:
            size = number()
            value, at = data[at : at + size], at + size
        elif key & 7 == 1:
            value, at = data[at : at + 8], at + 8
        else:
            value = number()
        fields.setdefault(key >> 3, []).append(value)
    return fields


# -- clients


class Headers(fl.ClientMiddlewareFactory):
    """Sends headers, and keeps what comes back."""

    def __init__(self, headers):
        self.headers, self.received = headers, {}

    def start_call(self, info):
        factory = self

        class Middleware(fl.ClientMiddleware):
            def sending_headers(self):
                return factory.headers

            def received_headers(self, headers):
                factory.received.update({name.lower(): values for name, values in headers.items()})

        return Middleware()


def client(server, authorization):
    headers = Headers({"authorization": authorization} if authorization else {})
    return fl.connect(server.flight, middleware=[headers]), headers


def basic(name, password, padding=True):
    text = base64.b64encode(f"{name}:{password}".encode()).decode()
    return "Basic " + (text if padding else text.rstrip("="))


class Silent(fl.ClientAuthHandler):
    """Handshakes with a given number of empty messages: clients differ."""

    def __init__(self, messages):
        super().__init__()
        self.messages = messages

    def authenticate(self, outgoing, incoming):
        for _ in range(self.messages):
            outgoing.write(b"")

    def get_token(self):
        return b""


def handshake(connected, messages=0):
    connected.authenticate(Silent(messages))


# -- calls


def run(raw, name, body=b""):
    info = raw.get_flight_info(fl.FlightDescriptor.for_command(command(name, body)))
    (endpoint,) = info.endpoints
    table = raw.do_get(endpoint.ticket).read_all()
    assert table.schema.equals(info.schema, check_metadata=False)
    return table


def query(raw, sql):
    return raw.get_flight_info(fl.FlightDescriptor.for_command(command("CommandStatementQuery", field(1, sql))))


def read(raw, sql):
    return raw.do_get(query(raw, sql).endpoints[0].ticket).read_all()


def act(raw, name, body=b""):
    return [result.body.to_pybytes() for result in raw.do_action(fl.Action(name, body))]


def prepare(raw, sql):
    (result,) = act(raw, "CreatePreparedStatement", command("ActionCreatePreparedStatementRequest", field(1, sql)))
    fields = parse(result)
    assert fields[1][0].endswith(b"ActionCreatePreparedStatementResult")
    return parse(fields[2][0])


def bind(raw, handle, batch):
    descriptor = fl.FlightDescriptor.for_command(command("CommandPreparedStatementQuery", field(1, handle)))
    writer, reader = raw.do_put(descriptor, batch.schema)
    writer.write_batch(batch)
    writer.done_writing()
    answer = reader.read()
    writer.close()
    return parse(answer.to_pybytes())[1][0]


def over_http(server, sql, login="head_office", **more):
    """The rows of the same statement over the other face, for comparison."""
    body = json.dumps({"sql": sql, "format": "arrow", **more}).encode()
    headers = {"Authorization": f"Bearer {server.logins[login].token}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{server.http}/api/sql", body, headers), timeout=60) as answer:
        return pa.ipc.open_stream(answer.read()).read_all()


def children():
    """Union child of each published id of GetSqlInfo."""
    kinds = dict.fromkeys([0, 1, 2, 6, 7, 504, 513, 514, 529, 530, 531], 0)
    kinds |= dict.fromkeys([3, 4, 5, 9, 10, 11, *range(500, 503), 506, 515, 516, *range(518, 522), 523, 524, 527, 532], 1)
    kinds |= dict.fromkeys([536, 537, 539, 556, 563, 565, 566, *range(572, 577)], 1)
    kinds |= dict.fromkeys([*range(541, 556), *range(557, 562)], 2)
    kinds |= dict.fromkeys([8, 100, 101, 503, 505, 507, 522, 525, 526, 528, *range(533, 536), 538, 540, 562, 564], 3)
    kinds |= dict.fromkeys(range(567, 572), 3) | dict.fromkeys(range(508, 513), 4) | {517: 5}
    return kinds
