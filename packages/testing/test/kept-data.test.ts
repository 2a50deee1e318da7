import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startMariaDb, startMongo, startPostgres } from '@vault-lease/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KeptData } from '../src/kept-data.ts'

describe('data that are kept', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kept-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const makes = 'create table kept as select 1 as id'
  const reads = 'select id from kept'
  it.each([
    { start: startPostgres, makes, reads },
    { start: startMariaDb, makes, reads },
    {
      start: startMongo,
      makes: '{"insert":"kept","documents":[{"_id":1}]}',
      reads: '{"find":"kept","projection":{"_id":0,"id":"$_id"}}',
    },
  ])('are found by the next server, at the same port: $start.name', async ({ start, makes, reads }) => {
    const first = await start({ folder })
    await first.query(makes)
    await first.stop()
    await using second = await start({ folder })
    expect(second.port).toBe(first.port)
    expect(await second.query(reads)).toHaveLength(1)
  })

  it('are begun anew when they were not completed, and those of others are left alone', () => {
    const half = new KeptData(folder)
    expect(statSync(join(folder, 'server.json')).mode & 0o777).toBe(0o600)
    mkdirSync(half.data)
    expect(new KeptData(folder)).toMatchObject({ password: half.password, port: undefined })
    mkdirSync(half.data)
    rmSync(join(folder, 'server.json'))
    expect(() => new KeptData(folder)).toThrow('not of a server of ours')
  })
})
