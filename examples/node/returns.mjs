// Count returned copies by library, in Node: with a schema of Carrel, and nothing else of it.
//
//     npm ci --prefix examples/node
//     KAFKA=127.0.0.1:9092 node examples/node/returns.mjs
//
// It reads the topic from its beginning to its present end. An event can come more than once and in
// any order, so it counts the ids of loans, not messages.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import addFormats from "ajv-formats";
import { Ajv2020 } from "ajv/dist/2020.js";
import { Kafka, logLevel } from "kafkajs";

const topic = "loan.returned";
const file = new URL("../../contracts/loan.returned.v1.json", import.meta.url);
const ajv = new Ajv2020({ strict: false }); // the schemas have keywords of their own: x-topic
addFormats.default(ajv);
/** @typedef {import("./loan.returned.js").LoanReturned} LoanReturned made by ../types/make.mjs */
const isReturn = /** @type {import("ajv").ValidateFunction<LoanReturned>} */ (
  ajv.compile(JSON.parse(readFileSync(file, "utf8")))
);

const { KAFKA = "127.0.0.1:9092" } = process.env;
const kafka = new Kafka({ brokers: KAFKA.split(","), logLevel: logLevel.ERROR });
const admin = kafka.admin();
await admin.connect();
const left = new Map(
  (await admin.fetchTopicOffsets(topic))
    .filter(({ low, high }) => BigInt(low) < BigInt(high))
    .map(({ partition, high }) => [partition, BigInt(high)]),
);

/** @type {Map<string, Set<string>>} */
const loans = new Map(); // the sets of loans by library
const group = `example-returns-${randomUUID()}`;
if (left.size > 0) {
  const consumer = kafka.consumer({ groupId: group });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise((/** @type {(nothing?: undefined) => void} */ finish) => {
    consumer.run({
      eachMessage: async ({ partition, message }) => {
        const event = JSON.parse(String(message.value));
        if (!isReturn(event)) {
          console.error(`no ${topic} at offset ${message.offset}`, isReturn.errors);
        } else {
          const { return_branch: branch, loan_id } = event;
          loans.set(branch, (loans.get(branch) ?? new Set()).add(loan_id));
        }
        if (BigInt(message.offset) + 1n >= (left.get(partition) ?? 0n)) left.delete(partition);
        if (left.size === 0) finish();
      },
    });
  });
  await consumer.disconnect();
  await admin.deleteGroups([group]);
}
await admin.disconnect();
for (const branch of [...loans.keys()].sort()) console.log(branch, loans.get(branch)?.size);
