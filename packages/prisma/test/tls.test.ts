import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { authority, certificate, type Pair } from '../../core/test/certificates.ts'
import { type MySqlAdapterOptions, vaultAdapter } from '../src/index.ts'
import { PrismaClient } from './generated/mysql/client.ts'
import { type Servers, startServers } from './servers.ts'

type Ssl = NonNullable<MySqlAdapterOptions['ssl']>

describe('a PrismaClient on MySQL over TLS', () => {
  let servers: Servers
  let trusted: Pair
  beforeAll(async () => {
    trusted = await authority('trusted')
    // mariadb looks for the address, and for this name where it has an address.
    const names = [{ type: 7, ip: '127.0.0.1' } as const, { type: 2, value: 'localhost' } as const]
    servers = await startServers('mysql', { tls: await certificate('local', names, trusted) })
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  async function clientWith(ssl: Ssl) {
    const lease = await servers.lease()
    const adapter = vaultAdapter({ provider: 'mysql', lease, ...servers.place, connectionLimit: 2, ssl })
    const client = servers.closing(new PrismaClient({ adapter }), (each) => each.$disconnect())
    return { client, lease }
  }

  it.each<[string, () => Ssl]>([
    ['that is verified', () => ({ ca: trusted.cert })],
    ['that nobody verifies, where the caller says so', () => ({ rejectUnauthorized: false })],
  ])('%s works through rotations', async (_which, ssl) => {
    const { client, lease } = await clientWith(ssl())
    for (let n = 0; n < 2; n++) {
      const [status] = await client.$queryRawUnsafe<{ Value: string }[]>(
        `show session status like 'Ssl_cipher'`,
      )
      expect(status?.Value).toMatch(/^TLS_/)
      await lease.rotate()
    }
    expect(await servers.userOf(client)).toMatch(/^v-/)
    await client.$disconnect()
    await lease.close()
    // The server may close a session a moment after its farewell was sent, and so after its user was dropped.
    const open = `select user from information_schema.processlist where user like 'v-%'`
    await vi.waitFor(async () => expect(await servers.database.query(open)).toEqual([]))
    expect(await servers.engine.users()).toEqual([])
  })

  it('fails when the certificate is not trusted, and says so', async () => {
    const { client } = await clientWith({ ca: (await authority('other')).cert })
    await expect(servers.userOf(client)).rejects.toThrow(/certificate/)
  })
})
