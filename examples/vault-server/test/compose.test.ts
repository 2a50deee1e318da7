import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { run } from '../../../packages/cli/test/cli.ts'
import { builtByGo } from '../../../packages/testing/src/built-by-go.ts'
import {
  type Connection,
  startMariaDb,
  startPostgres,
  startServers,
} from '../../../packages/testing/src/index.ts'
import { temporaryFolder } from '../../../packages/testing/src/server-process.ts'
import { missing } from '../../../test/unless-missing.ts'
import { example, read } from './files.ts'

const compose = join(example, 'compose')
const lacking = await missing(() =>
  builtByGo('compose-check', fileURLToPath(new URL('compose', import.meta.url))),
)

describe.skipIf(lacking !== undefined)('the compose file', () => {
  it('is taken by the loader of Docker Compose, strictly', async () => {
    const check = await builtByGo('compose-check', fileURLToPath(new URL('compose', import.meta.url)))
    const checked = (file: string) => promisify(execFile)(check, [file])
    const { stdout, stderr } = await checked(join(compose, 'compose.yaml'))
    expect(stderr).toBe('')
    const { services } = JSON.parse(stdout)
    expect(Object.keys(services).sort()).toEqual(['mongodb', 'mysql', 'openbao', 'postgres', 'vault'])
    for (const service of Object.values<{ image: string; ports: { host_ip: string }[]; healthcheck: object }>(
      services,
    )) {
      expect(service.image).toMatch(/:\d+(\.\d+)+$/)
      expect(service.ports.map(({ host_ip }) => host_ip)).toEqual(['127.0.0.1'])
      expect(service.healthcheck).toBeDefined()
    }
    const folder = temporaryFolder()
    const wrong = join(folder.path, 'compose.yaml')
    writeFileSync(
      wrong,
      readFileSync(join(compose, 'compose.yaml'), 'utf8').replace('healthcheck:', 'healthchek:'),
    )
    await expect(checked(wrong)).rejects.toMatchObject({ stderr: expect.stringContaining('healthchek') })
    folder.remove()
  })
})

it('the setup file beside it gives users of all three databases', async () => {
  const [mongo, postgres, mysql] = await Promise.all([
    startServers({ kind: 'mongodb' }),
    startPostgres(),
    startMariaDb(),
  ])
  const folder = temporaryFolder()
  const { vault } = mongo
  await vault.must('DELETE', 'sys/mounts/database')
  try {
    const services = { postgres, mysql, mongodb: mongo.database }
    const file = join(folder.path, 'setup.yaml')
    writeFileSync(file, Object.entries(services).reduce(onThisMachine, read('compose/setup.yaml')))
    const { code, stderr } = await run(['setup', file], {
      VAULT_ADDR: vault.address,
      VAULT_TOKEN: vault.token,
      postgres: postgres.superuser.password,
      mysql: mysql.superuser.password,
      mongodb: mongo.database.superuser.password,
    })
    expect({ code, stderr }).toMatchObject({ code: 0 })
    for (const path of ['database/creds/app', 'database/creds/app-mysql', 'mongodb/creds/app'])
      expect((await vault.must('GET', path)).body.data.username).toMatch(/^v-/)
  } finally {
    await Promise.all([mongo.stop(), postgres.stop(), mysql.stop()])
    folder.remove()
  }
})

/** The address and the superuser of a service of compose.yaml, whose password is in a variable of that name. */
function onThisMachine(text: string, [service, server]: readonly [string, Connection]): string {
  const { host, port, superuser } = server
  return text
    .replace(new RegExp(`([@(])${service}:\\d+`), `$1${host}:${port}`)
    .replace(
      /username: \w+\n( +)password_env: DEV_PASSWORD/,
      `username: ${superuser.user}\n$1password_env: ${service}`,
    )
}
