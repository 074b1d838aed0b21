// The origin of the HTTP cache suite: the suite's own handlers on a free port of 127.0.0.1.
// Its own server listens on every address of the machine, and on a port that has to be known before.
// The only line on stdout is the port. It ends when stdin does, so that it cannot outlive the test.
import console from 'node:console'
import http from 'node:http'
import process from 'node:process'

import handleConfig from 'http-cache-tests/server/handle-config.mjs'
import handleState from 'http-cache-tests/server/handle-state.mjs'
import handleTest from 'http-cache-tests/server/handle-test.mjs'

globalThis.console = new console.Console(process.stderr)

const handlers = { config: handleConfig, state: handleState, test: handleTest }

const server = http.createServer((request, response) => {
  const [first, ...rest] = new URL(request.url, 'http://origin').pathname.split('/').slice(1)
  if (!(first in handlers)) {
    response.writeHead(404).end()
    return
  }
  handlers[first](rest, request, response)
})

server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`))
process.stdin.on('end', () => {
  server.close()
  server.closeAllConnections()
}).resume()
