import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Connection, Schema } from 'mongoose'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type VaultConnectOptions, vaultConnect } from '../src/index.ts'
import { eventsOf, type Servers, startServers, userOf } from './servers.ts'

const nobodyListens = 'mongodb://127.0.0.1:1/app'
const itemSchema = new Schema({ name: { type: String, index: true } })

describe('vaultConnect()', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  const fromVault = async (): Promise<VaultConnectOptions> => ({
    vault: await servers.vaultOptions(),
    role: servers.role,
  })
  const indexesOf = async (connection: Connection, name: string): Promise<string[]> =>
    (await connection.collection(name).indexes()).map((index) => index.name ?? '')

  it('connects the default connection of a Mongoose, with the events of mongoose.connect()', async () => {
    const mongoose = servers.mongoose()
    const told = eventsOf(mongoose.connection)
    const connecting = vaultConnect(mongoose, servers.uri, await fromVault())
    expect(mongoose.connection.readyState).toBe(2)
    expect(await connecting).toBe(mongoose)
    expect(mongoose.connection).toMatchObject({ readyState: 1, name: 'app', port: servers.place.port })
    expect(told).toEqual(['connecting', 'connected', 'open'])
    expect(await userOf(mongoose.connection)).toMatch(/^v-/)
    expect(await mongoose.connect(servers.uri)).toBe(mongoose)
    expect(mongoose.connection.getClient().listenerCount('serverHeartbeatSucceeded')).toBe(1)
  })

  it('connects what createConnection() makes', async () => {
    const mongoose = servers.mongoose()
    const connection = mongoose.createConnection()
    expect(await vaultConnect(connection, servers.uri, await fromVault())).toBe(connection)
    expect(await userOf(connection)).toMatch(/^v-/)
    expect(mongoose.connection.readyState).toBe(0)
  })

  it('takes the mongoose of "import * as mongoose" too, and makes a default connection that was destroyed', async () => {
    const mongoose = servers.mongoose()
    await mongoose.connection.destroy()
    const namespace = { connections: mongoose.connections, set: mongoose.set.bind(mongoose) }
    await vaultConnect(namespace as typeof mongoose, servers.uri, await fromVault())
    expect(await userOf(mongoose.connection)).toMatch(/^v-/)
  })

  describe('of the options of Mongoose', () => {
    it('serves what waits for the connection, for "bufferTimeoutMS" at most', async () => {
      const mongoose = servers.mongoose()
      const Item = mongoose.model('Item', itemSchema)
      const created = Item.create({ name: 'early' })
      const listed = mongoose.connection.listCollections()
      const session = mongoose.startSession()
      await vaultConnect(mongoose, servers.uri, await fromVault())
      await Promise.all([created, listed, (await session).endSession()])
      expect(await Item.countDocuments({ name: 'early' })).toBe(1)

      const late = servers.mongoose()
      const connecting = vaultConnect(late, nobodyListens, {
        ...(await fromVault()),
        ...{ bufferTimeoutMS: 50, serverSelectionTimeoutMS: 500 },
      })
      const failed = expect(connecting).rejects.toThrow()
      await expect(late.model('Item', itemSchema).findOne()).rejects.toThrow('timed out after 50ms')
      await failed
    })

    it('heeds "bufferCommands"', async () => {
      const mongoose = servers.mongoose()
      const connecting = vaultConnect(mongoose, servers.uri, {
        ...(await fromVault()),
        bufferCommands: false,
      })
      const early = mongoose.model('Item', itemSchema).findOne()
      await expect(early).rejects.toThrow('before initial connection is complete')
      await connecting
    })

    it('makes collections and indexes, also of models that are compiled before', async () => {
      const mongoose = servers.mongoose()
      const Before = mongoose.model('Before', itemSchema)
      await vaultConnect(mongoose, servers.uri, await fromVault())
      const After = mongoose.model('After', itemSchema)
      await Promise.all([Before.init(), After.init()])
      expect(await indexesOf(mongoose.connection, 'befores')).toEqual(['_id_', 'name_1'])
      expect(await indexesOf(mongoose.connection, 'afters')).toEqual(['_id_', 'name_1'])
    })

    it.each([[{ autoIndex: false }], [{ config: { autoIndex: false } }]])('heeds %o', async (options) => {
      const mongoose = servers.mongoose()
      const Bare = mongoose.model('Bare', itemSchema)
      await vaultConnect(mongoose, servers.uri, { ...(await fromVault()), ...options })
      await Bare.init()
      expect(await indexesOf(mongoose.connection, 'bares')).toEqual(['_id_'])
    })

    it('heeds "autoCreate", and makes no index where it reads from secondaries', async () => {
      const mongoose = await servers.connected({ autoCreate: false })
      await mongoose.model('Never', new Schema({})).init()
      const names = (await mongoose.connection.listCollections()).map(({ name }) => name)
      expect(names).not.toContain('nevers')

      const secondary = servers.mongoose()
      const uri = `${servers.uri}?readPreference=secondaryPreferred`
      await vaultConnect(secondary, uri, await fromVault())
      expect(secondary.connection.config).toMatchObject({ autoIndex: false, autoCreate: false })
      const contradiction = { ...(await fromVault()), autoIndex: true }
      await expect(vaultConnect(servers.mongoose(), uri, contradiction)).rejects.toMatchObject({
        code: 'ERR_INVALID_OPTION',
        message: expect.stringContaining('"autoIndex"'),
      })
    })

    it('heeds "sanitizeFilter" and "dbName"', async () => {
      const mongoose = await servers.connected({ sanitizeFilter: true, dbName: 'other' })
      expect(mongoose.connection.name).toBe('other')
      expect(mongoose.connection.db?.databaseName).toBe('other')
      const fromRequest = JSON.parse('{ "name": { "$ne": null } }')
      const query = mongoose.model('Item', itemSchema).find(fromRequest)
      await expect(query).rejects.toThrow('Cast to string failed')
    })

    it('tells the commands on the connection with "monitorCommands"', async () => {
      const { connection } = await servers.connected({ monitorCommands: true })
      const started = once(connection, 'commandStarted')
      const succeeded = once(connection, 'commandSucceeded')
      await connection.db?.command({ ping: 1 })
      expect((await started)[0]).toMatchObject({ commandName: 'ping' })
      expect((await succeeded)[0]).toMatchObject({ commandName: 'ping' })
      const failed = once(connection, 'commandFailed')
      await expect(connection.db?.command({ nonsense: 1 })).rejects.toThrow()
      expect((await failed)[0]).toMatchObject({ commandName: 'nonsense' })
    })

    it('says that it is Mongoose, unless told otherwise', async () => {
      const { connection, version } = await servers.connected()
      expect(connection.getClient().options.driverInfo).toEqual({ name: 'Mongoose', version })
      const other = await servers.connected({ driverInfo: { name: 'mine' } })
      expect(other.connection.getClient().options.driverInfo).toEqual({ name: 'mine' })
    })

    it('leaves the options of the caller as they are', async () => {
      const config = Object.freeze({ autoIndex: false })
      const options = Object.freeze({ ...(await fromVault()), config, autoCreate: false, maxPoolSize: 2 })
      const mongoose = servers.mongoose()
      await vaultConnect(mongoose, servers.uri, options)
      expect(mongoose.connection.getClient().options.maxPoolSize).toBe(2)
      const given = { ...options }
      expect(Object.keys(given)).toEqual(['vault', 'role', 'config', 'autoCreate', 'maxPoolSize'])
    })
  })

  describe('refuses', () => {
    const refused = (message: string) => ({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringContaining(message),
    })

    it.each([
      [{ user: 'me' }, 'Leave out "user"'],
      [{ pass: 'secret' }, 'Leave out "pass"'],
      [{ auth: { username: 'me', password: 'secret' } }, 'Leave out "auth"'],
      [{ rol: 'app' }, 'did you mean "role"'],
    ])('%o', async (options, message) => {
      const mongoose = servers.mongoose()
      const told = eventsOf(mongoose.connection)
      const connecting = vaultConnect(mongoose, servers.uri, { ...(await fromVault()), ...options })
      await expect(connecting).rejects.toMatchObject(refused(message))
      expect(told).toEqual([])
      expect(mongoose.connection.config).toEqual({})
    })

    it.each([
      ['mongodb://me:secret@127.0.0.1:1/app', 'Leave the user and the password out'],
      [undefined, 'Give its address first'],
    ])('the address %s', async (uri, message) => {
      const connecting = vaultConnect(servers.mongoose(), uri as string, await fromVault())
      await expect(connecting).rejects.toMatchObject(refused(message))
      await expect(connecting).rejects.not.toThrow('secret')
    })

    it('what cannot be connected', async () => {
      const nothing: unknown = undefined
      const options = await fromVault()
      const connecting = vaultConnect(nothing as Connection, servers.uri, options)
      await expect(connecting).rejects.toMatchObject(refused('Give mongoose first'))

      const destroyed = servers.mongoose().createConnection()
      await destroyed.destroy()
      for (const each of [destroyed, servers.mongoose().connection.useDb('other')]) {
        await expect(vaultConnect(each, servers.uri, options)).rejects.toMatchObject(refused('destroyed'))
      }
    })

    it('models with encrypted fields, which would be stored in plain text', async () => {
      const mongoose = servers.mongoose()
      const keyId = new mongoose.Types.UUID()
      const encrypt = { keyId: [keyId], algorithm: 'AEAD_AES_256_CBC_HMAC_SHA_512-Random' }
      const schema = new Schema({ secret: { type: String, encrypt } }, { encryptionType: 'csfle' })
      mongoose.model('Patient', schema)
      const connecting = vaultConnect(mongoose, servers.uri, await fromVault())
      await expect(connecting).rejects.toMatchObject(refused('the schema of Patient'))
    })

    it('a connection that is connected or being connected, which goes on unharmed', async () => {
      const mongoose = servers.mongoose()
      const connecting = vaultConnect(mongoose, servers.uri, await fromVault())
      const again = async () =>
        await vaultConnect(mongoose, servers.uri, { ...(await fromVault()), autoIndex: false })
      await expect(again()).rejects.toMatchObject(refused('close() first'))
      await connecting
      await expect(again()).rejects.toMatchObject(refused('close() first'))
      expect(await servers.engine.users()).toEqual([await userOf(mongoose.connection)])
      expect(mongoose.connection.config).toEqual({})
      await expect(mongoose.connect('mongodb://127.0.0.1:1/other')).rejects.toThrow('active connection')
    })

    it('a connection whose server is away: it will connect again by itself', async () => {
      const mongoose = await servers.connected({ heartbeatFrequencyMS: 500 })
      await servers.database.kill()
      await vi.waitUntil(() => mongoose.connection.readyState === 0, { timeout: 10_000 })
      const again = vaultConnect(mongoose, servers.uri, await fromVault())
      await expect(again).rejects.toMatchObject(refused('close() first'))
      await servers.database.start()
      await vi.waitUntil(() => mongoose.connection.readyState === 1, { timeout: 10_000 })
      expect(await userOf(mongoose.connection)).toMatch(/^v-/)
    })
  })

  describe('leaves nothing behind', () => {
    const unavailable = { code: 'ERR_CREDENTIALS_UNAVAILABLE' }

    it('when the server is down, and connects at the next call', async () => {
      const mongoose = servers.mongoose()
      const told = eventsOf(mongoose.connection)
      const failed = once(mongoose.connection, 'error')
      const options = { ...(await fromVault()), serverSelectionTimeoutMS: 300 }
      const error = await vaultConnect(mongoose, nobodyListens, options).catch((reason: unknown) => reason)
      expect(error).toMatchObject(unavailable)
      expect(String(error)).toContain('could not be tried at the database')
      expect(await failed.catch((reason: unknown) => [reason])).toEqual([error])
      expect(told).toEqual(['connecting', 'disconnected'])
      await servers.nothingIsLeft()
      await vaultConnect(mongoose, servers.uri, await fromVault())
      expect(mongoose.connection.readyState).toBe(1)
    })

    it('when there is no such role', async () => {
      const options = {
        ...(await fromVault()),
        role: 'missing',
        serverSelectionTimeoutMS: 300,
      } as VaultConnectOptions
      const failure = vaultConnect(servers.mongoose(), servers.uri, options)
      await expect(failure).rejects.toMatchObject(unavailable)
      await expect(failure).rejects.toThrow('missing')
      await servers.nothingIsLeft()
    })

    it('when a failure has no listener for "error"', async () => {
      const options = { ...(await fromVault()), serverSelectionTimeoutMS: 300 }
      const failure = vaultConnect(servers.mongoose(), nobodyListens, options)
      await expect(failure).rejects.toMatchObject(unavailable)
      await sleep(20)
    })

    it('when a lease that was passed in cannot be used here, and the lease stays open', async () => {
      const lease = await servers.lease()
      const mongoose = servers.mongoose()
      const options = { lease, serverSelectionTimeoutMS: 300 }
      await expect(vaultConnect(mongoose, nobodyListens, options)).rejects.toThrow()
      // The lease tries again by itself, some time later.
      await vi.waitFor(() => vaultConnect(mongoose, servers.uri, { lease }), { timeout: 10_000 })
      expect(await userOf(mongoose.connection)).toBe(lease.status().username)
    })
  })
})
