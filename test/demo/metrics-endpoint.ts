import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { collectVaultLease } from '@vault-lease/metrics/prometheus'
import { Registry } from 'prom-client'

/** What Prometheus may scrape, until it is closed. */
export interface MetricsEndpoint extends AsyncDisposable {
  readonly url: string
}

/** Serves the metrics of all leases of this process at /metrics, on a free port of 127.0.0.1. */
export async function serveMetrics(): Promise<MetricsEndpoint> {
  const register = new Registry()
  const stop = collectVaultLease(register)
  const server = createServer(async (request, response) => {
    if (request.url !== '/metrics') return void response.writeHead(404).end()
    response.setHeader('content-type', register.contentType)
    response.end(await register.metrics())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/metrics`,
    async [Symbol.asyncDispose]() {
      stop()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
