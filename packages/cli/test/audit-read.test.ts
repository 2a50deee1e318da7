import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { hashOf, issued, linesFor } from './audit-lines.ts'
import { type Ended, run, start } from './cli.ts'

const lease = 'database/creds/shop/2f6a614c6b1d4a0c8b2e77d1'
const folder = mkdtempSync(join(tmpdir(), 'audit-'))
afterAll(() => rmSync(folder, { recursive: true }))

const file = (name: string, content: string | Buffer): string => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}
const audit = (...args: string[]): Promise<Ended> => run(['audit', ...args])
const usersIn = async (...args: string[]) => {
  const { code, stdout, stderr } = await audit('--json', ...args)
  expect({ code, stderr }).toMatchObject({ code: 0 })
  return JSON.parse(stdout).users
}
const inFile = (content: string, ...args: string[]) => usersIn(file('audit.log', content), ...args)

describe('vault-lease audit reads', () => {
  it('the lines of HashiCorp Vault: who, by which token, entity, service account and pod, from where', async () => {
    const log = issued('2026-03-01T10:00:00.5Z', lease, 'v-shop')
    expect(await inFile(log)).toEqual([
      {
        username: null,
        usernameHash: hashOf('v-shop'),
        role: 'shop',
        mount: 'database',
        namespace: '',
        lease,
        issued: '2026-03-01T10:00:00.500Z',
        until: null,
        how: 'unknown',
        renewals: 0,
        displayName: 'kubernetes-prod-shop',
        entity: '5ee0a3b5-3a5c-4a07-a8d9-4c6a6f0d6d35',
        accessor: hashOf('accessor'),
        metadata: expect.objectContaining({ service_account_name: 'shop' }),
        from: '10.42.0.17',
      },
    ])
    const { stdout, stderr } = await audit(file('audit.log', log))
    expect(stdout).toContain('prod/shop pod shop-7c9d5b5f8-x2x7k')
    expect(stdout).toContain(hashOf('v-shop').slice(0, 24))
    expect(stderr).toContain('Set VAULT_ADDR')
  })

  const renewal = (time: string, increment: number, warnings?: string[]): string =>
    linesFor({
      time,
      path: 'sys/leases/renew',
      request: { lease_id: hashOf(lease), increment },
      response: { secret: { lease_id: lease }, warnings },
    })
  const revocation = linesFor({
    time: '2026-03-01T10:40:00Z',
    path: 'sys/leases/revoke',
    request: { lease_id: hashOf(lease) },
    auth: { display_name: 'ops' },
  })
  const begin = issued('2026-03-01T10:00:00Z', lease, 'v-shop')

  it.each([
    ['a renewal', [renewal('2026-03-01T10:30:00Z', 3600)], 'ttl', '2026-03-01T11:30:00.000Z'],
    [
      'one that was capped',
      [
        renewal('2026-03-01T10:30:00Z', 3600, [
          'TTL of "1h" exceeded the effective max_ttl of "10m30s"; TTL value is capped accordingly',
        ]),
      ],
      'ttl',
      '2026-03-01T10:40:30.000Z',
    ],
    [
      'a renewal, but no longer than the token',
      [renewal('2026-03-02T08:30:00Z', 36_000)],
      'ttl',
      '2026-03-02T09:00:00.000Z',
    ],
    [
      'a renewal, with the token renewed',
      [
        renewal('2026-03-02T08:30:00Z', 3600),
        linesFor({
          time: '2026-03-02T08:45:00Z',
          path: 'auth/token/renew-self',
          response: { auth: { accessor: hashOf('accessor'), token_ttl: 86_400 } },
        }),
      ],
      'ttl',
      '2026-03-02T09:30:00.000Z',
    ],
    [
      'a revocation by hash, which a renewal tells',
      [renewal('2026-03-01T10:30:00Z', 3600), revocation],
      'revoked',
      '2026-03-01T10:40:00.000Z',
    ],
    [
      'a revocation by its path',
      [linesFor({ time: '2026-03-01T10:41:00Z', path: `sys/leases/revoke/${lease}` })],
      'revoked',
      '2026-03-01T10:41:00.000Z',
    ],
    [
      'a prefix',
      [linesFor({ time: '2026-03-01T10:42:00Z', path: 'sys/leases/revoke-prefix/database/creds/shop' })],
      'revoked',
      '2026-03-01T10:42:00.000Z',
    ],
    [
      'a prefix, by force',
      [linesFor({ time: '2026-03-01T10:42:00Z', path: 'sys/leases/revoke-force/database' })],
      'revoked',
      '2026-03-01T10:42:00.000Z',
    ],
    [
      'the end of its engine',
      [linesFor({ time: '2026-03-01T10:43:00Z', path: 'sys/mounts/database', operation: 'delete' })],
      'revoked',
      '2026-03-01T10:43:00.000Z',
    ],
    [
      'the end of its token, by itself',
      [linesFor({ time: '2026-03-01T10:44:00Z', path: 'auth/token/revoke-self' })],
      'revoked',
      '2026-03-01T10:44:00.000Z',
    ],
    [
      'the end of its token, by accessor',
      [
        linesFor({
          time: '2026-03-01T10:45:00Z',
          path: 'auth/token/revoke-accessor',
          request: { accessor: hashOf('accessor') },
        }),
      ],
      'revoked',
      '2026-03-01T10:45:00.000Z',
    ],
    [
      'nothing that was refused, of another role, or before it',
      [
        linesFor({ time: '2026-03-01T10:46:00Z', path: `sys/leases/revoke/${lease}`, error: 'denied' }),
        linesFor({ time: '2026-03-01T10:46:00Z', path: 'sys/leases/revoke-prefix/database/creds/sho' }),
        linesFor({ time: '2026-03-01T09:46:00Z', path: 'sys/leases/revoke-prefix/database' }),
      ],
      'unknown',
      null,
    ],
  ])('until when: %s', async (_what, later, how, until) => {
    expect(await inFile([begin, ...later].join(''))).toMatchObject([{ how, until }])
    // The nodes of a cluster have a file each.
    const [first, second] = [file('node-1.log', later.join('')), file('node-2.log', begin)]
    expect(await usersIn(first, second)).toMatchObject([{ how, until }])
  })

  it('who ended it, and that a user is left where Vault was made to forget it', async () => {
    const forced = linesFor({ time: '2026-03-01T10:42:00Z', path: 'sys/leases/revoke-force/database' })
    const { stdout } = await audit(
      file('audit.log', begin + renewal('2026-03-01T10:30:00Z', 60) + revocation),
    )
    expect(stdout).toContain('2026-03-01T10:40:00Z revoked by ops')
    expect((await audit(file('audit.log', begin + forced))).stdout).toContain('forgotten, user left, by ')
  })

  it('static roles: once for each who reads a password', async () => {
    const read = (time: string, accessor: string, rotated = '2026-03-01T09:30:00Z'): string =>
      linesFor({
        time,
        path: 'database/static-creds/report',
        operation: 'read',
        auth: { accessor: hashOf(accessor) },
        response: {
          data: { username: hashOf('report'), last_vault_rotation: rotated, rotation_period: 3600, ttl: 100 },
        },
      })
    const log = [
      read('2026-03-01T10:00:00Z', 'one'),
      read('2026-03-01T10:10:00Z', 'one'),
      read('2026-03-01T10:11:00Z', 'other'),
      read('2026-03-01T10:40:00Z', 'one', '2026-03-01T10:30:00Z'),
    ].join('')
    expect(await inFile(log)).toMatchObject([
      { lease: null, role: 'report', issued: '2026-03-01T10:00:00.000Z', until: '2026-03-01T10:30:00.000Z' },
      { issued: '2026-03-01T10:11:00.000Z' },
      { issued: '2026-03-01T10:40:00.000Z', until: '2026-03-01T11:30:00.000Z' },
    ])
  })

  it('only what is asked for', async () => {
    const other = 'db/creds/jobs/77e1b4a9'
    const log = [
      issued('2026-03-01T10:00:00Z', lease, 'v-shop'),
      linesFor({ time: '2026-03-01T11:00:00Z', path: `sys/leases/revoke/${lease}` }),
      issued('2026-03-01T12:00:00Z', other, 'v-jobs', { auth: { display_name: 'jobs', entity_id: 'e-2' } }),
    ].join('')
    const leases = async (...args: string[]): Promise<string[]> =>
      (await inFile(log, ...args)).map((user: { lease: string }) => user.lease)
    expect(await leases()).toEqual([lease, other])
    expect(await leases('--role', 'jobs')).toEqual([other])
    expect(await leases('--lease', lease)).toEqual([lease])
    expect(await leases('--display-name', 'jobs')).toEqual([other])
    expect(await leases('--entity', 'e-2')).toEqual([other])
    expect(await leases('--user', hashOf('v-jobs'))).toEqual([other])
    expect(await leases('--since', '2026-03-01T11:30:00Z')).toEqual([other])
    expect(await leases('--since', '2026-03-01T10:30:00Z')).toEqual([lease, other])
    expect(await leases('--until', '2026-03-01T11:30:00Z')).toEqual([lease])
    expect(await leases('--since', '1h', '--role', 'shop')).toEqual([])
    expect(await audit(file('audit.log', log), '--user', 'v-jobs')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('for --user set VAULT_ADDR'),
    })
    expect(await audit(file('audit.log', log), '--since', 'yesterday')).toMatchObject({ code: 2 })
  })

  it('who asked for a user that came wrapped', async () => {
    const wrapped = linesFor({
      time: '2026-03-01T10:00:00Z',
      path: 'database/creds/shop',
      operation: 'read',
      response: { wrap_info: { ttl: 60, token: hashOf('wrapping'), accessor: hashOf('its accessor') } },
    })
    const unwrapped = linesFor({
      time: '2026-03-01T10:00:30Z',
      path: 'sys/wrapping/unwrap',
      auth: {
        client_token: hashOf('wrapping'),
        accessor: hashOf('its accessor'),
        entity_id: '',
        token_ttl: 60,
      },
      response: {
        secret: { lease_id: lease },
        data: { username: hashOf('v-shop'), password: hashOf('secret') },
      },
    })
    const renewed = renewal('2026-03-01T10:30:00Z', 3600)
    expect(await inFile(wrapped + unwrapped + renewed)).toMatchObject([
      {
        role: 'shop',
        lease,
        accessor: hashOf('accessor'),
        entity: expect.stringMatching(/^5ee0a3b5/),
        until: '2026-03-01T11:30:00.000Z',
      },
    ])
    const { stderr } = await audit(file('audit.log', wrapped))
    expect(stderr).toContain('not unwrapped in these lines: 1.')
  })

  it('no token of a device that writes them raw, and no name that moves the cursor', async () => {
    const raw = { client_token: 'hvb.a-batch-token', accessor: '', display_name: 'a\u001b[2Jb' }
    const { stdout } = await audit(
      file('audit.log', issued('2026-03-01T10:00:00Z', lease, 'v', { auth: raw })),
    )
    expect(stdout).toContain('a [2Jb')
    const { stdout: json } = await audit(join(folder, 'audit.log'), '--json')
    expect(stdout + json).not.toContain('a-batch-token')
  })

  it('lines behind a prefix, packed files and standard input; tells of lines that are broken', async () => {
    const lines = begin.trimEnd().replace(/^/gm, 'Mar  1 10:00:00 vault-0 vault[1]: ')
    const broken = `${lines}\n{"type":"response","time\nno entry\n\n`
    const packed = await audit(file('audit.log.gz', gzipSync(broken)))
    expect(packed.stdout).toContain(lease)
    expect(packed.stderr).toContain('Lines that are no entries of an audit device in JSON: 2.')

    const piped = start(['audit', '--json'])
    piped.child.stdin?.end(begin.trimEnd())
    expect(await piped.ended).toBe(0)
    expect(JSON.parse(piped.stdout).users).toHaveLength(1)

    expect(await audit(join(folder, 'missing.log'))).toMatchObject({ code: 2 })
    expect(await audit(file('no.gz', begin))).toMatchObject({ code: 2 })
  })

  it('lines that are too long for an entry as broken, with an end and without one', async () => {
    const long = 'x'.repeat(65 * 1024 * 1024)
    const { stdout, stderr } = await audit(file('audit.log', `${long}\n${begin}${long}`))
    expect(stdout).toContain(lease)
    expect(stderr).toContain('Lines that are no entries of an audit device in JSON: 2.')
  })

  it('names that would move the cursor or look like a row, and shows them in one', async () => {
    const name = '\\u001b[2Jops\\nforged\\u202e\\u2028'
    const log = issued('2026-03-01T10:00:00Z', lease, 'v-shop').replaceAll('kubernetes-prod-shop', name)
    const { stdout } = await audit(file('audit.log', log))
    expect(stdout.trimEnd().split('\n')).toHaveLength(2)
    expect(stdout).toContain(' [2Jops forged  ')
    expect(stdout).not.toMatch(/\p{Bidi_Control}|\p{Zl}/u)
  })

  it('a big file in little memory', async () => {
    const other = linesFor({ time: '2026-03-01T09:00:00Z', path: 'secret/data/a', operation: 'read' })
    const many = other.repeat(Math.ceil(200_000_000 / other.length))
    const big = start(['audit', file('big.log', many + begin), '--json'], {
      NODE_OPTIONS: '--max-old-space-size=32',
    })
    expect(await big.ended).toBe(0)
    expect(JSON.parse(big.stdout).users).toHaveLength(1)
  })
})
