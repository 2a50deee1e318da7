import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Servers, startServers } from './servers.ts'

describe('the command line of MikroORM', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers('postgresql')
    const mayCreate = [
      `create role "{{name}}" login superuser password '{{password}}' valid until '{{expiration}}'`,
      `alter role "{{name}}" set role = postgres`,
    ]
    await servers.engine.role('app', { ttl: '60s', maxTtl: '10m', creationStatements: mayCreate })
  })
  afterAll(() => servers?.stop())

  const run = async (...args: string[]): Promise<string> => {
    const cli = join(createRequire(import.meta.url).resolve('@mikro-orm/cli/package.json'), '..', 'esm')
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        '--conditions=@vault-lease/source',
        '--import',
        'tsx',
        cli,
        ...args,
        '--config',
        './mikro-orm.config.ts',
      ],
      {
        cwd: fileURLToPath(new URL('./project', import.meta.url)),
        timeout: 30_000,
        env: { ...(await servers.environment()), MIKRO_ORM_CLI_ALWAYS_ALLOW_TS: '1', NO_COLOR: '1' },
      },
    )
    return stdout
  }

  it('migrates with a configuration file and the environment alone, and leaves no user', async () => {
    expect(await run('migration:up')).toContain('Successfully migrated up to the latest version')
    expect(await servers.database.query('select title from books')).toEqual([])
    expect(await servers.engine.users()).toEqual([])
    expect(await run('migration:down')).toContain('Successfully migrated down')
    expect(await servers.engine.users()).toEqual([])
  })
})
