// Parses the AsyncAPI document of the given path as its readers do. Prints the number of channels and
// the required fields of each message; errors and warnings go to standard error, and end it with 1.

import { createRequire } from "node:module";

const { Parser, fromFile } = createRequire(import.meta.url)("@asyncapi/parser");

const { document, diagnostics } = await fromFile(new Parser(), process.argv[2]).parse();
const WARNING = 1; // 0 is an error; what is only advice is 2 or 3
const faults = diagnostics.filter((one) => one.severity <= WARNING);
for (const fault of faults) {
  console.error(`${fault.path.join("/")}: ${fault.message}`);
}
if (faults.length || !document) {
  process.exit(1);
}
const required = {};
for (const message of document.allMessages().all()) {
  required[message.name()] = [...message.payload().json().required].sort();
}
console.log(JSON.stringify({ channels: document.channels().all().length, required }));
