// Write the types of a topic's events in TypeScript, made by modelina from the AsyncAPI document.
//
//     npm ci --prefix examples/types
//     node examples/types/make.mjs examples/node/loan.returned.d.ts
//
// The name of the file names the topic.
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { TypeScriptGenerator } from "@asyncapi/modelina";
import { load } from "js-yaml";

const [file] = process.argv.slice(2);
const topic = basename(file, ".d.ts");
const contracts = new URL("../../contracts/", import.meta.url);
const read = (name) => readFileSync(new URL(name, contracts), "utf8");
const whole = load(read("asyncapi.yaml"));
const operation = `publish.${topic}`;
const name = Object.keys(whole.channels[topic].messages)[0];
const message = whole.components.messages[name];
const payload = JSON.parse(read(message.payload.$ref));

// Only this topic: modelina can't read a document with a form that has parts of its own kind, as
// the causes of fines have. It knows AsyncAPI up to 3.0; what is used here is the same in 3.1.
const document = {
  ...whole,
  asyncapi: "3.0.0",
  channels: { [topic]: whole.channels[topic] },
  operations: { [operation]: whole.operations[operation] },
  components: { ...whole.components, messages: { [name]: { ...message, payload } } },
};
const generator = new TypeScriptGenerator({
  modelType: "interface",
  enumType: "union",
  rawPropertyNames: true,
  processorOptions: { interpreter: { ignoreAdditionalProperties: true } },
});
const models = await generator.generate(document);
const types = models.map(({ result }) => `export ${result}\n`);
writeFileSync(file, `// Made by examples/types/make.mjs from contracts/asyncapi.yaml.\n\n${types.join("\n")}`);
