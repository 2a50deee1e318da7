import type { IncomingMessage, ServerResponse } from 'node:http'
import { lookAt } from './health.ts'
import type { HealthReason } from './reasons.ts'

const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' } as const

/**
 * Answers probes over HTTP: as the listener of a server of `node:http`, or as a middleware or route of Express and what is like
 * it. A path that ends in `/live` is answered by whether the process is to go on, every other by whether it is ready: with 200
 * or 503, and what `healthOf()` says as JSON.
 *
 * @example
 * app.use('/health', healthHandler(pool)) // Express: /health/live, /health/ready
 * createServer(healthHandler(pool)).listen(9000) // a port of its own
 *
 * @throws InvalidOptionError as `healthOf()`.
 */
export function healthHandler(
  ...pools: readonly object[]
): (request: IncomingMessage, response: ServerResponse) => void {
  const look = lookAt(pools)
  return ({ url = '' }, response) => {
    const health = look()
    // Routers take a slash at the end for the same path.
    const good = /^[^?]*\/live\/?(\?|$)/.test(url) ? health.live : health.ready
    response.writeHead(good ? 200 : 503, headers).end(JSON.stringify(health))
  }
}

/** What is used of Fastify. */
interface FastifyApp {
  get(
    path: string,
    handler: (
      request: { readonly raw: IncomingMessage },
      reply: { hijack(): unknown; readonly raw: ServerResponse },
    ) => void,
  ): unknown
}

/**
 * A plugin of Fastify with the routes `/live` and `/ready` of `healthHandler()`.
 *
 * @example
 * app.register(healthPlugin(pool), { prefix: '/health' })
 *
 * @throws InvalidOptionError as `healthOf()`.
 */
export function healthPlugin(...pools: readonly object[]): (app: FastifyApp) => Promise<void> {
  const answer = healthHandler(...pools)
  return async (app) => {
    for (const path of ['/live', '/ready'])
      app.get(path, (request, reply) => {
        reply.hijack()
        answer(request.raw, reply.raw)
      })
  }
}

/**
 * An indicator for the `HealthCheckService` of Nest's Terminus: `up` while ready, with the reasons.
 *
 * @param key what it is called in the answer.
 *
 * @example
 * this.health.check([healthIndicator('database', pool)])
 *
 * @throws InvalidOptionError as `healthOf()`.
 */
export function healthIndicator<const Key extends string>(
  key: Key,
  ...pools: readonly object[]
): () => Record<Key, { readonly status: 'up' | 'down'; readonly reasons: readonly HealthReason[] }> {
  const look = lookAt(pools)
  return () => {
    const { ready, reasons } = look()
    const found = { status: ready ? 'up' : 'down', reasons } as const
    return { [key]: found } as Record<Key, typeof found>
  }
}
