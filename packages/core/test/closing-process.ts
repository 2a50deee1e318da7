// A process with things to close, which says what it closes: each argument is one of the things below.
import { createServer } from 'node:http'
import { type Closable, closeOnSignal } from '../src/close-on-signal.ts'

const say = (what: string): void => void process.stdout.write(`${what}\n`)
const later = (what: string): Promise<void> =>
  new Promise((resolve) =>
    setTimeout(() => {
      say(what)
      resolve()
    }, 50),
  )

const things: Record<string, () => Closable> = {
  server() {
    const server = createServer().listen(0, '127.0.0.1')
    server.on('close', () => say('server'))
    return server
  },
  both: () =>
    ({
      [Symbol.asyncDispose]: () => later('both'),
      close: () => say('close is not called'),
    }) as AsyncDisposable,
  destroy: () => ({ destroy: () => later('destroy') }),
  end: () => ({ end: () => later('end') }),
  close: () => ({ close: () => later('close') }),
  prisma: () => ({ $disconnect: () => later('prisma') }),
  function: () => () => later('function'),
  failing: () => () => Promise.reject(new Error('this one fails')),
  hanging: () => () => new Promise(() => {}),
}

const [, , ...names] = process.argv
const remove = closeOnSignal(...names.flatMap((name) => things[name]?.() ?? []))
if (names.includes('removed')) remove()
setInterval(() => {}, 1_000)
say('started')
