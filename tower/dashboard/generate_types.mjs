// Turns the description of Tower's API on standard input into src/api/schema.d.ts on standard output, for
// `make dashboard-types` and `make check`.
// What all operations share, their refusals, is said once in src/api/problem.ts and left out here.
import { text } from "node:stream/consumers";
import openapiTS, { astToString } from "openapi-typescript";

const description = JSON.parse(await text(process.stdin));
for (const path of Object.values(description.paths)) {
  for (const operation of Object.values(path)) {
    for (const status of Object.keys(operation.responses)) {
      if (Number(status) >= 400) delete operation.responses[status];
    }
    delete operation.description;
  }
}
const nodes = await openapiTS(description, { alphabetize: true, defaultNonNullable: false });
const head = "// Generated from Tower's OpenAPI by `make dashboard-types`. Do not edit.\n\n";
process.stdout.write(head + astToString(nodes));
