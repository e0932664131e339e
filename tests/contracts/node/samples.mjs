// Reads every kept sample of every contract in a folder as examples/node/returns.mjs reads its
// messages. Prints the number of samples by topic; faults go to standard error, and end it with 1.

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const example = createRequire(new URL("../../../examples/node/returns.mjs", import.meta.url));
const { Ajv2020 } = example("ajv/dist/2020.js");
const addFormats = example("ajv-formats");

const [folder] = process.argv.slice(2);
const read = {};
for (const file of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
  const schema = JSON.parse(readFileSync(join(folder, file), "utf8"));
  const ajv = new Ajv2020({ strict: false });
  addFormats.default(ajv);
  const isEvent = ajv.compile(schema);
  read[schema["x-topic"]] = schema.examples.length;
  for (const sample of schema.examples) {
    if (!isEvent(sample)) {
      console.error(`${file}: ${ajv.errorsText(isEvent.errors)}`);
      process.exitCode = 1;
    }
  }
}
console.log(JSON.stringify(read));
