// The client of the HTTP cache suite: all cases against the URL in the only argument. On stdout one line of JSON,
// {case: {result: true | [kind, message], statuses: [status of each request, null where there was no answer]}}.
// Its own command line ends only when the last connection does: answers of which a case has seen enough stay unread.
import process from 'node:process'

import { getResults, runTests } from 'http-cache-tests/client/runner.mjs'
import { testUUIDs } from 'http-cache-tests/client/test.mjs'
import suites from 'http-cache-tests/tests/index.mjs'
import surrogates from 'http-cache-tests/tests/surrogate-control.mjs'
import fetch from 'node-fetch'

const statuses = {}

async function watched (url, init) {
  const [kind, name] = new URL(url).pathname.split('/').slice(1)
  if (kind !== 'test') return fetch(url, init) // prepares a case, or asks how it went
  // The case is told by the random name in its URL: some cases share the object that holds their headers.
  const seen = (statuses[name] ??= [])
  const index = seen.push(null) - 1
  const response = await fetch(url, init)
  seen[index] = response.status
  return response
}

await runTests([...suites, surrogates], watched, false, process.argv[2])
const cases = Object.entries(getResults()).map(([id, result]) => [id, { result, statuses: statuses[testUUIDs[id]] ?? [] }])
process.stdout.write(JSON.stringify(Object.fromEntries(cases)), () => process.exit())
