import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { run } from '../../../packages/cli/test/cli.ts'
import { findVault } from '../../../packages/testing/src/binaries.ts'
import { freePort, ServerProcess, temporaryFolder } from '../../../packages/testing/src/server-process.ts'
import { filledIn, read, variablesIn } from './files.ts'

describe('the files of a configuration', () => {
  it.each(['production.hcl', 'production-consul.hcl', 'audit.hcl'])(
    '%s has a value for each name',
    (file) => {
      expect(filledIn(read(file), variablesIn(read('node.env')))).not.toContain('$')
    },
  )

  it('node.env has no name that nothing uses', () => {
    const all = read('production.hcl') + read('audit.hcl')
    for (const name of Object.keys(variablesIn(read('node.env')))) expect(all).toContain(`\${${name}}`)
  })

  it('production-consul.hcl is understood up to the storage, which OpenBao does not have', async () => {
    const folder = temporaryFolder()
    const config = join(folder.path, 'server.hcl')
    writeFileSync(config, filledIn(read('production-consul.hcl'), variablesIn(read('node.env'))))
    const starting = promisify(execFile)(await findVault(), ['server', `-config=${config}`])
    const { stdout, stderr } = await starting.catch((error: { stdout: string; stderr: string }) => error)
    folder.remove()
    expect(stdout + stderr).toMatch(/unknown storage type consul|dial tcp 127\.0\.0\.1:8500/)
  })

  it('a server in development mode takes its audit device by the API, where that is allowed', async () => {
    const enable = 'audit enable file file_path=/var/log/vault/audit.log'
    expect(read('README.md')).toContain(enable)
    await inDevelopmentMode('unsafe_allow_api_audit_creation = true\n', async (cli, folder) => {
      const audit = join(folder, 'audit.log')
      await cli(...enable.replace('/var/log/vault/audit.log', audit).split(' '))
      await cli('secrets', 'enable', 'database')
      expect(readFileSync(audit, 'utf8')).toContain('"path":"sys/mounts/database"')
    })
  })

  it('a server in development mode takes audit.hcl, and vault-lease audit reads what it writes', async () => {
    const config = (folder: string) => filledIn(read('audit.hcl'), { AUDIT_DIR: folder })
    await inDevelopmentMode(config, async (cli, folder, env) => {
      await cli('secrets', 'enable', 'database')
      const { code, stdout, stderr } = await run(['audit', join(folder, 'audit.log')], env)
      expect({ code, stdout }, stderr).toEqual({ code: 0, stdout: 'Nobody got a database user.\n' })
    })
  })
})

type Cli = (...args: string[]) => Promise<{ readonly stdout: string }>

/** Starts a server as README.md says, beside a configuration, for as long as `use` takes. */
async function inDevelopmentMode(
  config: string | ((folder: string) => string),
  use: (cli: Cli, folder: string, env: Record<string, string>) => Promise<void>,
): Promise<void> {
  const folder = temporaryFolder()
  const command = await findVault()
  const listen = `127.0.0.1:${await freePort()}`
  const file = join(folder.path, 'config.hcl')
  writeFileSync(file, typeof config === 'string' ? config : config(folder.path))
  const address = { VAULT_ADDR: `http://${listen}`, BAO_ADDR: `http://${listen}` }
  const env = { HOME: folder.path, ...address, VAULT_TOKEN: 'root', BAO_TOKEN: 'root' }
  const cli: Cli = (...args) =>
    promisify(execFile)(command, args, { env: { PATH: process.env['PATH'], ...env } })
  const dev = 'server -dev -dev-root-token-id=root'
  expect(read('README.md')).toContain(dev)
  const server = await ServerProcess.start({
    name: 'dev',
    command,
    args: [...dev.split(' '), `-dev-listen-address=${listen}`, `-config=${file}`],
    folder: folder.path,
    ready: () => cli('status'),
  })
  try {
    await use(cli, folder.path, env)
  } finally {
    await server.stop('SIGKILL')
    folder.remove()
  }
}
