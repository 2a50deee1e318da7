import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ownerRole, type Servers, startServers } from './servers.ts'

const command = join(dirname(createRequire(import.meta.url).resolve('typeorm')), 'cli.js')
const project = fileURLToPath(new URL('./project', import.meta.url))

describe('the command line of TypeORM, with a data source of vaultDataSource()', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers('postgres')
  })
  afterAll(() => servers?.[Symbol.asyncDispose]())

  it('runs and reverts migrations by the environment alone, and leaves no user', async () => {
    const run = async (subcommand: string): Promise<string> => {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--conditions=@vault-lease/source', '--import', 'tsx', command, subcommand, '-d', 'data-source.ts'],
        {
          cwd: project,
          timeout: 20_000,
          env: { ...(await servers.environment()), VAULT_DB_ROLE: ownerRole },
        },
      )
      expect(await servers.engine.users()).toEqual([])
      expect(await servers.engine.leases(ownerRole)).toEqual([])
      return stdout
    }
    expect(await run('migration:run')).toMatch(/Books20260101000000 .*executed successfully/)
    expect(await servers.database.query('select * from books')).toEqual([])
    expect(await run('migration:revert')).toMatch(/Books20260101000000 .*reverted successfully/)
  })
})
