import { type ChildProcess, spawn } from 'node:child_process'

/** What must not outlive this process: the leader of a group of processes, with its group, or a folder. */
type Watched = { readonly pid: number } | { readonly folder: string }

/** Runs in a process of its own. The end of its input is the end of its parent, however that came about. */
const program = `
const { rmSync } = require('node:fs')
const watched = new Map()
let text = ''
process.stdin.on('data', (chunk) => {
  text += chunk
  const lines = text.split('\\n')
  text = lines.pop()
  for (const line of lines) {
    const { forget, ...what } = JSON.parse(line)
    const key = JSON.stringify(what)
    if (forget) watched.delete(key)
    else watched.set(key, what)
  }
})
process.stdin.on('end', () => {
  for (const { pid } of watched.values()) {
    try { if (pid) process.kill(-pid, 'SIGKILL') } catch {}
  }
  setTimeout(() => {
    for (const { folder } of watched.values()) if (folder) rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }, 200)
})
`

/** Ends servers and removes folders when this process is gone, even by kill -9. */
class Watchdog {
  #child: ChildProcess | undefined

  watch(what: Watched): void {
    this.#tell(what)
  }

  forget(what: Watched): void {
    this.#tell({ ...what, forget: true })
  }

  #tell(message: object): void {
    this.#child ??= startWatchdog()
    this.#child.stdin?.write(`${JSON.stringify(message)}\n`)
  }
}

function startWatchdog(): ChildProcess {
  const child = spawn(process.execPath, ['-e', program], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  child.unref()
  if (child.stdin && 'unref' in child.stdin && typeof child.stdin.unref === 'function') child.stdin.unref()
  return child
}

export const watchdog: Watchdog = new Watchdog()
