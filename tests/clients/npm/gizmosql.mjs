// @gizmodata/gizmosql-client: grpc-js inside.

import gizmosql from "@gizmodata/gizmosql-client";
import flight from "@gizmodata/gizmosql-client/dist/generated/proto/Flight_pb.js";
import messages from "@gizmodata/gizmosql-client/dist/generated/proto/FlightSql_pb.js";
import { DateDay, Table, Utf8, tableToIPC, vectorFromArray } from "apache-arrow";
import any from "google-protobuf/google/protobuf/any_pb.js";
import { plain, serve, sums } from "./plain.mjs";

/**
 * The client with prepared statements that work: its own send a descriptor where an action belongs, so they fail before a
 * byte is sent, and they bind no parameters. Messages, credentials and calls are the client's.
 */
class Client extends gizmosql.FlightSQLClient {
  pack(name, message) {
    const packed = new any.Any();
    packed.pack(message.serializeBinary(), `arrow.flight.protocol.sql.${name}`);
    return packed.serializeBinary();
  }

  describe(handle) {
    const command = new messages.CommandPreparedStatementQuery();
    command.setPreparedStatementHandle(handle);
    const descriptor = new flight.FlightDescriptor();
    descriptor.setType(flight.FlightDescriptor.DescriptorType.CMD);
    descriptor.setCmd(this.pack("CommandPreparedStatementQuery", command));
    return descriptor;
  }

  act(type, name, message) {
    const action = new flight.Action();
    action.setType(type);
    action.setBody(this.pack(name, message));
    return this.doAction(action);
  }

  /** Prepares, binds each of the rows in turn, and gives the tables. */
  async prepared(query, types, rows) {
    const request = new messages.ActionCreatePreparedStatementRequest();
    request.setQuery(query);
    const [result] = await this.act("CreatePreparedStatement", "ActionCreatePreparedStatementRequest", request);
    const created = any.Any.deserializeBinary(result.getBody_asU8()).unpack(
      messages.ActionCreatePreparedStatementResult.deserializeBinary,
      "arrow.flight.protocol.sql.ActionCreatePreparedStatementResult",
    );
    let handle = created.getPreparedStatementHandle_asU8();
    const tables = [];
    for (const row of rows) {
      handle = await this.bind(handle, types, row);
      const info = await this.getFlightInfo(this.describe(handle));
      const [endpoint] = info.getEndpointList();
      tables.push(plain(await this.doGet(endpoint.getTicket())));
    }
    const close = new messages.ActionClosePreparedStatementRequest();
    close.setPreparedStatementHandle(handle);
    const closed = await this.act("ClosePreparedStatement", "ActionClosePreparedStatementRequest", close);
    return { tables, closed: closed.length };
  }

  /** DoPut of one row; gives the new handle. */
  bind(handle, types, row) {
    const columns = types.map((type, at) =>
      type === "date" ? vectorFromArray([new Date(row[at])], new DateDay()) : vectorFromArray([row[at]], new Utf8()),
    );
    const table = new Table(Object.fromEntries(columns.map((column, at) => [`${at + 1}`, column])));
    return new Promise((resolve, reject) => {
      const call = this.client.doPut(this.metadata);
      call.on("data", (result) => {
        const answer = messages.DoPutPreparedStatementResult.deserializeBinary(result.getAppMetadata_asU8());
        resolve(answer.getPreparedStatementHandle_asU8());
      });
      call.on("error", reject);
      parts(tableToIPC(table, "stream")).forEach(({ header, body }, at) => {
        const data = new flight.FlightData();
        if (at === 0) data.setFlightDescriptor(this.describe(handle));
        data.setDataHeader(header);
        data.setDataBody(body);
        call.write(data);
      });
      call.end();
    });
  }
}

/** A stream of two messages, a schema without a body and one batch: each is a mark, its length, a header and a body. */
function parts(stream) {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  const schema = 8 + view.getInt32(4, true);
  const batch = schema + 8 + view.getInt32(schema + 4, true);
  return [
    { header: stream.subarray(8, schema), body: new Uint8Array() },
    { header: stream.subarray(schema + 8, batch), body: stream.subarray(batch, stream.length - 8) },
  ];
}

const client = await serve(
  async (where) => {
    const client = new Client({ plaintext: true, ...where });
    await client.connect();
    return client;
  },
  async (client, method, values) => {
    if (method === "authorization") return client.metadata.get("authorization")[0].split("_")[0];
    if (method === "sums") return sums(await client.execute(...values));
    const answer = await client[method](...values);
    if (method === "getSqlInfo") return Object.fromEntries(answer);
    return method === "execute" ? plain(answer) : answer;
  },
);
await client?.close();
