import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { get } from 'node:http'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { generate } from 'selfsigned'
import { describe, expect, it, vi } from 'vitest'
import {
  type Fault,
  httpAnswer,
  openFaultProxy,
  startPostgresPair,
  startVault,
  startVaultCluster,
} from '../src/index.ts'
import { runChild } from './child.ts'

describe('faults', () => {
  it('a proxy before Vault is slow, cuts, hangs and answers what it was told, and heals', async () => {
    await using vault = await startVault()
    const { hostname: host, port } = new URL(vault.address)
    await using proxy = await openFaultProxy({ host, port: Number(port) })
    /** On a connection of its own. */
    const health = async (timeoutMs = 2_000): Promise<number | undefined> => {
      const signal = AbortSignal.timeout(timeoutMs)
      const url = `http://127.0.0.1:${proxy.port}/v1/sys/health`
      const [response] = await once(get(url, { agent: false, signal }), 'response')
      await once(response.resume(), 'end')
      return response.statusCode
    }
    expect(await health()).toBe(200)
    proxy.set({ kind: 'latency', ms: 200 })
    const began = performance.now()
    expect(await health()).toBe(200)
    expect(performance.now() - began).toBeGreaterThan(390)
    const slow = health()
    await sleep(100)
    proxy.set({ kind: 'none' })
    expect(await slow).toBe(200)
    proxy.set({ kind: 'cut' })
    await expect(health()).rejects.toThrow()
    proxy.set({ kind: 'hang' })
    await expect(health(200)).rejects.toThrow('aborted')
    proxy.set({ kind: 'answer', bytes: httpAnswer(502, '<html>') })
    expect(await health()).toBe(502)
    proxy.set({ kind: 'none' })
    await vi.waitFor(async () => expect(await health()).toBe(200), { timeout: 10_000 })
  })

  it('a proxy passes on the end of a connection as late as the rest, and not at all once it is frozen', async () => {
    const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
    server.on('connection', (socket) => {
      socket.on('error', () => {})
      socket.on('end', () => socket.end()).resume()
    })
    await once(server, 'listening')
    await using proxy = await openFaultProxy({
      host: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
    })
    const closedBothSides = async (fault: Fault): Promise<void> => {
      const accepted = once(server, 'connection')
      const socket = connect(proxy.port, '127.0.0.1').resume()
      await accepted
      proxy.set(fault)
      socket.on('error', () => {}).end()
      return new Promise((closed) => socket.once('close', () => closed()))
    }
    const began = performance.now()
    await closedBothSides({ kind: 'latency', ms: 200 })
    expect(performance.now() - began).toBeGreaterThan(390)
    proxy.set({ kind: 'none' })
    const frozen = closedBothSides({ kind: 'freeze' })
    expect(await Promise.race([frozen, sleep(500, 'open')])).toBe('open')
    proxy.set({ kind: 'none' })
    await frozen
    server.close()
  })

  it('a proxy that resets what it has answered lets its process end', async () => {
    expect(await once(runChild('resets-an-answer.ts'), 'exit')).toEqual([0, null])
  })

  it('a pair of PostgreSQL fails over behind one address, and loses nothing', async () => {
    await using pair = await startPostgresPair()
    await pair.query('create table kept as select 1 as id')
    await vi.waitFor(
      async () => {
        const [row] = await pair.query<{ behind: string }>(
          'select pg_current_wal_lsn() - replay_lsn as behind from pg_stat_replication',
        )
        expect(Number(row?.behind)).toBe(0)
      },
      { timeout: 10_000 },
    )
    await pair.failOver()
    await pair.query('insert into kept values (2)')
    expect(await pair.query('select id from kept order by id')).toEqual([{ id: 1 }, { id: 2 }])
  })

  it('a cluster elects another leader when one is killed, and takes it back', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'local' }], {
      keyType: 'ec',
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
    })
    await using cluster = await startVaultCluster({ tls: { cert, key } })
    expect(new Set(cluster.addresses.map((address) => new URL(address).protocol))).toEqual(
      new Set(['https:']),
    )
    await cluster.must('PUT', 'sys/mounts/kept', { type: 'kv' })
    await cluster.must('PUT', 'kept/one', { value: 1 })
    const killed = await cluster.leader()
    await cluster.kill(killed)
    expect(await cluster.leader()).not.toBe(killed)
    const { body } = await cluster.must('GET', 'kept/one')
    expect(body.data).toEqual({ value: 1 })
    await cluster.restart(killed)
    await cluster.kill(await cluster.leader())
    expect((await cluster.must('GET', 'kept/one')).status).toBe(200)
  })

  it('Vault writes its audit, is shut down, and started again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vault-lease-audit-'))
    const auditFile = join(folder, 'audit.log')
    await using vault = await startVault({ storage: 'raft', auditFile })
    await vault.must('GET', 'sys/mounts')
    expect(readFileSync(auditFile, 'utf8')).toContain('"path":"sys/mounts"')
    await vault.shutDown()
    await expect(vault.call('GET', 'sys/health')).rejects.toThrow()
    await vault.start()
    expect((await vault.call('GET', 'sys/health')).status).toBe(200)
    rmSync(folder, { recursive: true })
  })
})
