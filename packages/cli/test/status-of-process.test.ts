import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createLease, healthHandler, type LeaseManager } from '@vault-lease/core'
import { afterEach, describe, expect, it } from 'vitest'
import { run } from './cli.ts'

describe('vault-lease status of a process', () => {
  const closing: (() => unknown)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close()
  })

  async function serve(listener: RequestListener): Promise<string> {
    const server = createServer(listener).listen(0, '127.0.0.1')
    await once(server, 'listening')
    closing.push(() => {
      server.closeAllConnections()
      server.close()
    })
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  function newLease(): LeaseManager {
    const expiresAt = new Date(Date.now() + 3_650_000)
    const lease = createLease({
      credential: async () => ({ username: 'v-app-1', password: 'secret', expiresAt }),
    })
    closing.push(() => lease.close())
    return lease
  }

  it('tells that it is ready, whose user it has, and until when', async () => {
    const lease = newLease()
    await lease.ready()
    const url = await serve(healthHandler(lease))
    const { code, stdout } = await run(['status', url])
    expect(stdout).toMatch(
      /^http:\S+: ready, live\n[^\n]+: ready, v-app-1, dies in 60 min, rotate in \d+ min\n$/,
    )
    expect(code).toBe(0)
    const json = await run(['status', url, '--json'])
    expect(JSON.parse(json.stdout)).toMatchObject({ url, ready: true, leases: [{ username: 'v-app-1' }] })
  })

  it('tells why it is not ready, with exit code 1', async () => {
    const url = await serve(healthHandler(newLease()))
    const { code, stdout } = await run(['status', url])
    expect(stdout).toMatch(
      /^http:\S+: not ready, live\n[^\n]+: starting\nfailure: [^\n]+ There is no credential/,
    )
    expect(code).toBe(1)
  })

  it('does not wait for a process that hangs, nor takes another answer for one', async () => {
    const hanging = await serve(() => {})
    const endless = await serve((_request, response) => {
      const write = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
        if (!response.destroyed) response.once('drain', write)
      }
      write()
    })
    const other = await serve((_request, response) => response.end('{"live":true,"ready":true}'))
    const elsewhere = await serve((_request, response) => response.writeHead(307, { location: other }).end())
    const gone = await serve(() => {})
    closing.pop()?.()
    const answers = await Promise.all(
      [hanging, endless, other, elsewhere, gone].map((url) => run(['status', url, '--json'])),
    )
    for (const { code, stdout, stderr } of answers) {
      expect(code).toBe(1)
      expect(stderr).toMatch(/^vault-lease: (Nothing good came from|What answers at) http:\S+/m)
      expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'ERR_HEALTH_ENDPOINT' } })
    }
  })

  it('lets nothing through that would move the cursor', async () => {
    const reasons = [{ source: 's', level: 'failure', code: 'x', message: '\u001b[2Jgone' }]
    const url = await serve((_request, response) =>
      response.end(JSON.stringify({ live: true, ready: false, reasons, leases: [] })),
    )
    const { stdout } = await run(['status', url])
    expect(stdout).toContain('failure: s:  [2Jgone')
  })

  it.each([
    ['ftp://127.0.0.1', []],
    ['nowhere', []],
    ['http://127.0.0.1:1', ['--role', 'app']],
  ])('says what is wrong with %s %j', async (url, more) => {
    expect(await run(['status', url, ...more])).toMatchObject({ code: 2 })
  })
})
