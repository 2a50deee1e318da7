import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { itemsOf, type Servers, startServers } from './servers.ts'

const username = 'keeps-its-name'
const refusal = { ok: 0, code: 18, codeName: 'AuthenticationFailed', errmsg: 'Authentication failed.' }

describe('a user of MongoDB that gets another password', () => {
  let servers: Servers
  const folder = mkdtempSync(join(tmpdir(), 'vault-lease-mongodb-'))
  const path = join(folder, 'login.json')
  const know = (password: string): void => writeFileSync(path, JSON.stringify({ username, password }))

  beforeAll(async () => {
    servers = await startServers()
    const roles = [{ role: 'readWrite', db: 'app' }]
    await servers.asSuperuser({ createUser: username, pwd: 'first', roles, $db: 'admin' })
    know('first')
  })
  afterEach(() => servers.endAll())
  afterAll(async () => {
    await servers?.stop()
    rmSync(folder, { recursive: true })
  })

  it('goes on with it where a login with the old one comes to its end when the new one is known', async () => {
    const slow = { login: held(), find: held() }
    const { uri } = await servers.gateway(async (command) => {
      if ('find' in command) await slow.find.turn()
      if ('saslContinue' in command && (await slow.login.turn())) return refusal
      return undefined
    })
    const lease = await servers.lease({ role: undefined, vault: undefined, credentialFile: path })
    const expired = vi.fn()
    lease.on('expired', expired)
    const client = await servers.client({ lease, maxPoolSize: 2 }, uri)
    await client.connect()
    const find = (): Promise<unknown> => itemsOf(client).findOne({ _id: 1 })
    await find()
    slow.find.arm()
    const first = find()
    await slow.find.begun
    slow.login.arm()
    const second = find()
    await slow.login.begun
    await servers.asSuperuser({ updateUser: username, pwd: 'second', $db: 'admin' })
    know('second')
    await vi.waitUntil(() => lease.current?.password === 'second', { timeout: 15_000 })
    slow.login.letGo()
    expect(await second).toMatchObject({ _id: 1 })
    slow.find.letGo()
    expect(await first).toMatchObject({ _id: 1 })
    expect(lease.generation).toBe(1)
    // It was the old one that was refused.
    expect(expired).not.toHaveBeenCalled()
  })

  it('goes on with it in a transaction, on the client where that began', async () => {
    const slow = { login: held(), find: held() }
    const { uri } = await servers.gateway(async (command) => {
      if ('find' in command) await slow.find.turn()
      if ('saslContinue' in command && (await slow.login.turn())) return refusal
      return undefined
    })
    know('second')
    const lease = await servers.lease({ role: undefined, vault: undefined, credentialFile: path })
    const client = await servers.client({ lease, maxPoolSize: 2 }, uri)
    await client.connect()
    const session = client.startSession()
    session.startTransaction()
    const inserted = { _id: 5_000, name: 'in a transaction' }
    await itemsOf(client).insertOne(inserted, { session })
    slow.find.arm()
    const beside = itemsOf(client).findOne({ _id: 1 })
    await slow.find.begun
    slow.login.arm()
    const within = itemsOf(client).findOne({ _id: inserted._id }, { session })
    await slow.login.begun
    await servers.asSuperuser({ updateUser: username, pwd: 'third', $db: 'admin' })
    know('third')
    await vi.waitUntil(() => lease.current?.password === 'third', { timeout: 15_000 })
    slow.login.letGo()
    expect(await within).toEqual(inserted)
    slow.find.letGo()
    await beside
    await session.commitTransaction()
    await session.endSession()
    expect(await itemsOf(client).deleteOne({ _id: inserted._id })).toMatchObject({ deletedCount: 1 })
    expect(lease.generation).toBe(1)
  })

  it('is waited for no longer than an operation waits for a server and for Vault', async () => {
    let asked = 0
    const credential = async () => {
      if (asked++ > 0) await sleep(30_000, undefined, { ref: false })
      return { username, password: 'third' }
    }
    const lease = await servers.lease({ role: undefined, vault: undefined, credential })
    const client = await servers.client({ lease, serverSelectionTimeoutMS: 700 })
    await client.connect()
    await servers.asSuperuser({ updateUser: username, pwd: 'fourth', $db: 'admin' })
    const began = performance.now()
    const found = await Promise.allSettled([1, 2, 3].map(() => itemsOf(client).findOne({ _id: 1 })))
    expect(performance.now() - began).toBeLessThan(10_000)
    // One has the connection that is open.
    expect(found.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected'])
  })
})

/** Holds up the next one who comes by, once it is armed. */
function held() {
  let armed = false
  let begin = (): void => {}
  let letGo = (): void => {}
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  const over = new Promise<void>((resolve) => {
    letGo = resolve
  })
  return {
    begun,
    letGo: () => letGo(),
    arm() {
      armed = true
    },
    /** Whether it was held up. */
    async turn(): Promise<boolean> {
      if (!armed) return false
      armed = false
      begin()
      await over
      return true
    },
  }
}
