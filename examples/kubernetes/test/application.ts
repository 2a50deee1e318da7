import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { hammer } from '@vault-lease/testing'
import { expect, vi } from 'vitest'
import { example } from './manifests.ts'

/** The application of this example, as a container runs it. */
export interface Application {
  /** Puts load on it until it has answered as so many database users, and expects that nothing fails. */
  serveAs(users: number): Promise<void>
  /** Ends it as Kubernetes does, and expects that it ends in good order. */
  stop(): Promise<void>
  kill(): void
}

const readyWithinMs = 15_000
const rotatedWithinMs = 60_000

export async function startApplication(env: Record<string, string>): Promise<Application> {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', '--conditions=@vault-lease/source', 'src/main.ts'],
    {
      cwd: example,
      env: { PATH: process.env['PATH'], ...env, HOST: '127.0.0.1', PORT: '0', PROBES_PORT: '0' },
    },
  )
  const told = { errors: '' }
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    told.errors += text
  })
  const [probes, address] = await addressesOf(child)
  const isReady = async (): Promise<boolean> => (await fetch(`${probes}/ready`)).ok
  const exited = once(child, 'exit')
  const ready = vi.waitUntil(isReady, { timeout: readyWithinMs, interval: 20 })
  await ready.catch((cause) => {
    child.kill('SIGKILL')
    throw new Error(`it is not ready: ${told.errors}`, { cause })
  })
  const users = new Set<string>()
  const query = async (): Promise<void> => {
    const response = await fetch(address)
    if (!response.ok) throw new Error(`answered ${response.status}: ${told.errors}`)
    const { user } = (await response.json()) as { user: string }
    users.add(user)
  }
  return {
    async serveAs(count) {
      const { queries, firstErrors } = await hammer({
        run: { query },
        workers: 8,
        thinkMs: 20,
        until: vi.waitUntil(() => users.size >= count, { timeout: rotatedWithinMs, interval: 50 }),
      })
      expect(firstErrors).toEqual({})
      expect(queries).toBeGreaterThan(30)
      expect((await fetch(`${probes}/live`)).status).toBe(200)
    },
    async stop() {
      child.kill('SIGTERM')
      expect(await exited).toEqual([143, null])
    },
    kill: () => void child.kill('SIGKILL'),
  }
}

/** Of its probes, and of itself. */
async function addressesOf(
  child: ChildProcess & { stdout: NodeJS.ReadableStream },
): Promise<[string, string]> {
  const addresses: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    const [, address] = /on (http:\S+)$/.exec(line) ?? []
    if (address) addresses.push(address)
    const [probes, own] = addresses
    if (probes && own) return [probes, own]
  }
  throw new Error('the application ended without listening')
}
