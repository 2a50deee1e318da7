import 'reflect-metadata'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Controller, Get, Inject, Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus'
import {
  createLease,
  healthHandler,
  healthIndicator,
  healthPlugin,
  InvalidOptionError,
  type LeaseManager,
} from '@vault-lease/core'
import express from 'express'
import fastify from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Each gives the address above `/live` and `/ready`. */
const servers: Readonly<Record<string, (lease: LeaseManager) => Promise<string>>> = {
  'node:http': (lease) => listen(healthHandler(lease)),
  'a middleware of Express': async (lease) =>
    `${await listen(express().use('/health', healthHandler(lease)))}/health`,
  'routes of Express': async (lease) => {
    const health = healthHandler(lease)
    return `${await listen(express().get('/up/live', health).get('/up/ready', health))}/up`
  },
  async Fastify(lease) {
    const app = fastify()
    closing.push(() => app.close())
    app.register(healthPlugin(lease), { prefix: '/health' })
    return `${await app.listen({ host: '127.0.0.1', port: 0 })}/health`
  },
}

async function ask(address: string) {
  const response = await fetch(address)
  const { status, headers } = response
  return { status, headers, body: await response.json() }
}

const newLease = (): LeaseManager =>
  createLease({ credential: async () => ({ username: 'one', password: 'secret' }) })

describe.each(Object.entries(servers))('healthHandler() in %s', (_name, serve) => {
  it('answers before, while and after there is a credential', async () => {
    const lease = newLease()
    const address = await serve(lease)
    expect(await ask(`${address}/ready`)).toMatchObject({ status: 503, body: { ready: false } })
    expect(await ask(`${address}/live`)).toMatchObject({ status: 200, body: { live: true } })
    await lease.ready()
    const { status, headers, body } = await ask(`${address}/ready?probe=1`)
    expect([status, body]).toMatchObject([200, { live: true, ready: true, reasons: [], leases: [{}] }])
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('content-type')).toMatch(/^application\/json/)
    expect(JSON.stringify(body)).not.toContain('secret')
    await lease.close()
    expect(await ask(`${address}/ready`)).toMatchObject({ status: 503 })
    expect(await ask(`${address}/live`)).toMatchObject({
      status: 503,
      body: { reasons: [{ level: 'failure', code: 'closed' }] },
    })
  })
})

it.each(['/live', '/health/live/', '/live?probe=/ready'])(
  'a probe of %s asks whether it is to go on',
  async (path) => {
    const address = await listen(healthHandler(newLease()))
    expect(await ask(`${address}${path}`)).toMatchObject({ status: 200, body: { ready: false } })
  },
)

describe('healthIndicator() in Terminus of Nest', () => {
  it('is up while ready, and down with its reasons while not', async () => {
    const lease = newLease()

    class HealthController {
      readonly #health: HealthCheckService
      constructor(health: HealthCheckService) {
        this.#health = health
      }

      ready() {
        return this.#health.check([healthIndicator('database', lease)])
      }
    }
    class AppModule {}
    // What decorators would do, which need an option of TypeScript.
    const ready = Object.getOwnPropertyDescriptor(HealthController.prototype, 'ready') ?? {}
    Controller('health')(HealthController)
    Inject(HealthCheckService)(HealthController, undefined, 0)
    Get('ready')(HealthController.prototype, 'ready', ready)
    HealthCheck()(HealthController.prototype, 'ready', ready)
    Module({ imports: [TerminusModule.forRoot({ logger: false })], controllers: [HealthController] })(
      AppModule,
    )

    const app = await NestFactory.create(AppModule, { logger: false })
    closing.push(() => app.close())
    await app.listen(0, '127.0.0.1')
    const address = `${await app.getUrl()}/health/ready`
    expect(await ask(address)).toMatchObject({
      status: 503,
      body: { status: 'error', error: { database: { status: 'down', reasons: [{ code: 'starting' }] } } },
    })
    await lease.ready()
    const { status, headers, body } = await ask(address)
    expect([status, body]).toMatchObject([200, { status: 'ok', info: { database: { status: 'up' } } }])
    expect(headers.get('cache-control')).toContain('no-store')
    await lease.close()
  })
})

it.each([healthHandler, healthPlugin, (...pools: never[]) => healthIndicator('database', ...pools)])(
  'what leads to no lease is told when the endpoint is made',
  (make) => {
    expect(() => make({} as never)).toThrow(InvalidOptionError)
    expect(() => make()).toThrow(InvalidOptionError)
  },
)
