import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { closeOnSignal } from '../src/close-on-signal.ts'
import { InvalidOptionError } from '../src/errors.ts'

const program = fileURLToPath(new URL('closing-process.ts', import.meta.url))
const root = fileURLToPath(new URL('../../..', import.meta.url))

describe('closeOnSignal', () => {
  it.each([[], [42], [undefined], [{}]])('has nothing to close in %j', (...closables) => {
    expect(() => closeOnSignal(...(closables as never[]))).toThrow(InvalidOptionError)
    expect(process.listenerCount('SIGTERM')).toBe(0)
  })

  const children: ChildProcess[] = []
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })

  async function start(...things: string[]) {
    const child = spawn(process.execPath, ['--import', 'tsx', program, ...things], { cwd: root })
    children.push(child)
    const output = { said: '', complained: '' }
    child.stdout.on('data', (chunk) => (output.said += chunk))
    child.stderr.on('data', (chunk) => (output.complained += chunk))
    const closed = once(child, 'close')
    await vi.waitFor(() => expect(output.said).toContain('started'), { timeout: 10_000 })
    return {
      output,
      kill: (signal: NodeJS.Signals) => child.kill(signal),
      async ended() {
        const [code, signal] = await closed
        return { code, signal, closed: output.said.trim().split('\n').slice(1) }
      },
    }
  }

  it('closes everything in the order given, whatever it is, and exits with 143 at SIGTERM', async () => {
    const child = await start('server', 'both', 'destroy', 'end', 'prisma', 'close', 'function')
    child.kill('SIGTERM')
    expect(await child.ended()).toEqual({
      code: 143,
      signal: null,
      closed: ['server', 'both', 'destroy', 'end', 'prisma', 'close', 'function'],
    })
    expect(child.output.complained).toBe('')
  })

  it('exits with 130 at SIGINT', async () => {
    const child = await start('end')
    child.kill('SIGINT')
    expect(await child.ended()).toEqual({ code: 130, signal: null, closed: ['end'] })
  })

  it('closes the next after one that fails, and says so', async () => {
    const child = await start('failing', 'end')
    child.kill('SIGTERM')
    expect(await child.ended()).toEqual({ code: 143, signal: null, closed: ['end'] })
    expect(child.output.complained).toBe('closeOnSignal: this one fails\n')
  })

  it('a second signal ends a wait at once', async () => {
    const child = await start('end', 'hanging', 'function')
    child.kill('SIGTERM')
    await vi.waitFor(() => expect(child.output.said).toContain('end'), { timeout: 10_000 })
    child.kill('SIGINT')
    expect(await child.ended()).toEqual({ code: 130, signal: null, closed: ['end'] })
  })

  it('once removed, leaves signals to Node', async () => {
    const child = await start('end', 'removed')
    child.kill('SIGTERM')
    expect(await child.ended()).toEqual({ code: null, signal: 'SIGTERM', closed: [] })
  })
})
