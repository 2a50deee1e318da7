import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

/** Nothing in it keeps the process alive but what the library waits for. */
const script = (first: string): string => `
  import { setTimeout as sleep } from 'node:timers/promises'
  import { createLease } from './src/lease/create-lease.ts'
  import { attach } from './src/lease/manager.ts'
  const slowly = (ms, value) => new Promise((resolve) => setTimeout(resolve, ms, value).unref())
  let made = 0
  const credential = () => slowly(200, { username: 'user-' + ++made, password: 'p' })
  const lease = createLease({ credential })
  const consumer = {
    place: 'test://db',
    prove: ({ username }) => slowly(100, 'accepted'),
    retire: () => slowly(100, { closed: 0, forced: 0 }),
  }
  const pool = attach(lease, consumer)
  const other = attach(lease, { ...consumer, prove: ${first} })
  const used = await pool.credential()
  await other.credential()
  console.log(await pool.refused(used, new Error('refused')))
  await lease.close()
  console.log('closed')`

it.each([
  [
    'is replaced',
    `({ username }) => slowly(100).then(() => { if (username === 'user-1') throw new Error('silent') })`,
  ],
  ['others go on with', `() => slowly(100, 'accepted')`],
])('a script waits to its end when a credential is refused that %s', async (_name, prove) => {
  const args = ['--import', 'tsx', '--input-type=module', '-e', script(prove)]
  const cwd = new URL('../..', import.meta.url).pathname
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, timeout: 30_000 })
  // Whether there is another credential depends on who was proven by then.
  expect(stdout).toMatch(/^(true|false)\nclosed\n$/)
})
