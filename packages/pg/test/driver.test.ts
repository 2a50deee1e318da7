import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { asPgClient, type PgClient, unsupportedOnceConnected } from '../src/driver.ts'

/** A client of a class that was not looked at yet, some of whose parts are missing. */
function clientWith(parts: Readonly<Record<string, unknown>>): pg.Client {
  class Client extends pg.Client {}
  const values = Object.entries(parts).map(([name, value]) => [name, { value }])
  return Object.create(new Client(), Object.fromEntries(values))
}

const { connection } = new pg.Client() as PgClient

const without = (whole: object, name: string): object =>
  Object.create(whole, { [name]: { value: undefined } })

/** A client that has connected, as far as it is looked at. */
const connected = (parts: object): PgClient => Object.assign(Object.create({ constructor: class {} }), parts)

const refused = expect.objectContaining({
  code: 'ERR_INVALID_OPTION',
  message: expect.stringContaining('This version of pg is not supported'),
})

describe('a client of node-postgres', () => {
  it('is taken as it is', () => {
    const client = clientWith({})
    expect(asPgClient(client)).toBe(client)
  })

  it.each<[string, Readonly<Record<string, unknown>>]>([
    ['connectionParameters', { connectionParameters: undefined }],
    ['connectionParameters.options', { connectionParameters: { user: '', password: '' } }],
    ['processID', { processID: undefined }],
    ['secretKey', { secretKey: undefined }],
    ['ssl', { ssl: undefined }],
    ...['stream', 'connect', 'requestSsl', 'cancel', 'close', 'end', 'prependListener'].map(
      (name): [string, Record<string, unknown>] => [
        `connection.${name}`,
        { connection: without(connection, name) },
      ],
    ),
  ])('is refused without %s', (_name, parts) => {
    expect(() => asPgClient(clientWith(parts))).toThrow(refused)
  })

  it.each<[string, object]>([
    ['pg 8.23', { readyForQuery: true, _activeQuery: null }],
    ['pg 8.11', { readyForQuery: true, activeQuery: undefined }],
  ])('is taken once it has connected, as %s makes it', (_version, parts) => {
    expect(unsupportedOnceConnected(connected(parts))).toBeUndefined()
  })

  it.each<[string, object]>([
    ['readyForQuery', { _activeQuery: null }],
    ['a query that runs', { readyForQuery: true }],
  ])('is refused once it has connected without %s', (_name, parts) => {
    expect(unsupportedOnceConnected(connected(parts))).toEqual(refused)
  })
})
