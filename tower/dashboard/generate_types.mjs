// Writes src/api/schema.d.ts from the description of Tower's API on standard input: `make dashboard-types` calls it.
// What all operations share, their refusals, is said once in src/api/problem.ts and left out here.
import { writeFile } from "node:fs/promises";
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
await writeFile(new URL("src/api/schema.d.ts", import.meta.url), head + astToString(nodes));
