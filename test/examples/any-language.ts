import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Servers, startPgBouncer, startServers } from '@vault-lease/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accessTo, type Running, start } from '../../packages/cli/test/cli.ts'
import { folderOfNobody } from '../../packages/cli/test/pgbouncer-folder.ts'
import { findPgBouncer } from '../../packages/testing/src/binaries.ts'
import { freePort } from '../../packages/testing/src/server-process.ts'
import { missing } from '../unless-missing.ts'

/** How an example is run. */
interface Program {
  readonly command: readonly [string, ...string[]]
  /** What it finds beside DATABASE_URL. */
  readonly env?: Record<string, string>
}

const rotations = 5

/**
 * What every example has to do that works on PostgreSQL without a word about Vault, through a PgBouncer and under
 * `vault-lease exec`: lose no query while users follow each other. It prints `working`, and at SIGTERM what it has done.
 *
 * @param name the folder below `examples`.
 */
export async function anyLanguage(name: string, get: (folder: string) => Promise<Program>): Promise<void> {
  const folder = fileURLToPath(new URL(`../../examples/${name}`, import.meta.url))
  const lacking = (await missing(findPgBouncer)) ?? (await missing(() => get(folder)))

  describe.skipIf(lacking !== undefined)(`the example ${name}`, () => {
    const configuration = folderOfNobody()
    const running: Running[] = []
    let servers: Servers
    let env: Record<string, string>
    let program: Program

    beforeAll(async () => {
      const setup = (file: string): string => readFileSync(join(folder, 'setup', `${file}.sql`), 'utf8')
      program = await get(folder)
      servers = await startServers({ kind: 'postgresql', schema: [setup('database')] })
      await servers.engine.role('app', { ttl: '6s', maxTtl: '12s', creationStatements: [setup('app')] })
      env = await accessTo(servers)
    })
    afterAll(async () => {
      for (const { child } of running) child.kill('SIGTERM')
      await Promise.all(running.map(({ ended }) => ended))
      await servers?.stop()
      rmSync(configuration, { recursive: true })
    })
    const command = (...args: string[]): Running => {
      const started = start(args, { ...env, ...program.env })
      running.push(started)
      return started
    }

    it.concurrent('loses no query through PgBouncer', async () => {
      const listen = `127.0.0.1:${await freePort()}`
      const keeper = command(
        'pgbouncer',
        '--role',
        'app',
        '--config',
        configuration,
        '--listen',
        listen,
        '--json',
      )
      await keeper.until(/configured/)
      const urlIn = (file: string): string => readFileSync(join(configuration, file), 'utf8').trim()
      await using _pgbouncer = await startPgBouncer(
        join(configuration, 'pgbouncer.ini'),
        urlIn('console.url'),
      )
      await keeper.until(/inForce/)
      const [file, ...args] = program.command
      const { PATH, HOME } = process.env
      const child = spawn(file, args, {
        env: { PATH, HOME, ...program.env, DATABASE_URL: urlIn('application.url') },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let said = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text
      })
      try {
        await keeper.until(new RegExp(`(inForce[\\s\\S]*){${rotations + 1}}`))
        child.kill('SIGTERM')
        await once(child, 'close')
      } finally {
        child.kill('SIGKILL')
      }
      expect(said).toMatch(/^working\ndone: \d{3,}, failed: 0\n$/)
      const drops = (await servers.engine.drops()).filter(({ username }) => keeper.stdout.includes(username))
      expect(drops.length).toBeGreaterThanOrEqual(rotations - 1)
      expect(drops.filter(({ openSessions }) => openSessions > 0)).toEqual([])
    })

    it.concurrent('loses no query when it is started anew for each user', async () => {
      const exec = command('exec', '--role', 'app', '--on-rotate', 'restart', '--', ...program.command)
      await exec.until(new RegExp(`(working[\\s\\S]*){${rotations + 1}}`))
      exec.child.kill('SIGTERM')
      expect(await exec.ended).toBe(0)
      const outcomes = Array.from(exec.stdout.matchAll(/done: (\d+), failed: (\d+)/g), (found) => ({
        done: Number(found[1]),
        failed: Number(found[2]),
      }))
      expect(outcomes).toHaveLength(rotations + 1)
      expect(outcomes.filter(({ failed }) => failed > 0)).toEqual([])
      expect(outcomes.reduce((sum, { done }) => sum + done, 0)).toBeGreaterThan(30)
    })
  })
}
