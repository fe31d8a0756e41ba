// @lakehouse-rs/flight-sql-client: Rust inside. Its query is a prepared one, and it takes messages of 4 MiB at most.

import { createFlightSqlClient } from "@lakehouse-rs/flight-sql-client";
import { tableFromIPC } from "apache-arrow";
import { plain, serve, sums } from "./plain.mjs";

await serve(
  (where) => createFlightSqlClient({ tls: false, headers: [], ...where }),
  async (client, method, values) => {
    if (method === "sums") return sums(tableFromIPC(await client.query(...values)));
    return plain(tableFromIPC(await client[method](...values)));
  },
);
