// What both scripts share: calls come as JSON on standard input, and what each answered goes out as JSON. Values are text,
// in which they can be compared.

import { DataType } from "apache-arrow";
import { text } from "node:stream/consumers";

/** Makes a client of what was asked for, and then its calls, one after the other; gives the client. */
export async function serve(connect, call) {
  const { calls, ...where } = JSON.parse(await text(process.stdin));
  const answers = [];
  let client;
  for (const [method, ...values] of calls) {
    try {
      client ??= await connect(where);
      answers.push(await call(client, method, values));
    } catch (error) {
      answers.push({ error: error.message });
    }
  }
  console.log(JSON.stringify(answers, (_, value) => (typeof value === "bigint" ? Number(value) : value)));
  return client;
}

/** Columns and rows of an Arrow table. Of long text the first sign and the length are enough. */
export function plain(table) {
  const columns = table.schema.fields.map(({ name, type }, at) => ({ name, type, vector: table.getChildAt(at) }));
  const values = (row) => columns.map(({ type, vector }) => cell(type, vector.get(row)));
  const rows = Array.from({ length: table.numRows }, (_, row) => values(row));
  return { columns: columns.map(({ name, type }) => [name, String(type)]), rows };
}

/** Sums of a table's columns, of text its length. */
export function sums(table) {
  const sums = {};
  table.schema.fields.forEach(({ name, type }, at) => {
    let total = 0n;
    for (const value of table.getChildAt(at)) {
      total += DataType.isUtf8(type) ? BigInt(value.length) : DataType.isDecimal(type) ? whole(value) : BigInt(value);
    }
    sums[name] = DataType.isDecimal(type) ? scaled(total, type.scale) : String(total);
  });
  return { rows: table.numRows, sums };
}

function cell(type, value) {
  if (value === null || value === undefined) return null;
  if (DataType.isDecimal(type)) return scaled(whole(value), type.scale);
  if (DataType.isDate(type)) return new Date(Number(value)).toISOString().slice(0, 10);
  return value.length > 1000 ? `${value[0]} ${value.length}` : String(value);
}

/** Decimals come as words of 32 bits, the lowest first. */
function whole(words) {
  return BigInt.asIntN(128, words.reduceRight((sum, word) => (sum << 32n) | BigInt(word >>> 0), 0n));
}

function scaled(number, scale) {
  const digits = String(number < 0n ? -number : number).padStart(scale + 1, "0");
  const sign = number < 0n ? "-" : "";
  return scale ? `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}` : sign + digits;
}
