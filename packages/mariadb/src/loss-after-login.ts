import { createRequire } from 'node:module'

/** What mariadb 3.4 does with a connection that has just logged in. */
interface Login {
  executeSessionVariableQuery?: () => Promise<void>
}

const mended = new WeakSet<Login>()
const { cache } = createRequire(import.meta.url)
const fileOfConnections = /[\\/]mariadb[\\/]lib[\\/]connection\.js$/

/**
 * mariadb 3.4 rejects a promise that nobody can take when a connection is lost between its login and its first statement, which
 * would end the process. Whoever opens the connection hears of the loss in any case. 3.5 has no such promise. Every copy
 * of the driver that is loaded is mended.
 */
export function takeLossAfterLogin(): void {
  for (const [file, loaded] of Object.entries(cache))
    if (fileOfConnections.test(file)) mend(loaded?.exports.prototype)
}

function mend(login: Login | undefined): void {
  const begin = login?.executeSessionVariableQuery
  if (!login || !begin || mended.has(login)) return
  mended.add(login)
  login.executeSessionVariableQuery = function (this: unknown) {
    return withoutEnd(begin.call(this as Login)) as Promise<void>
  }
}

/** A promise at the end of whose chain no rejection is left over. */
function withoutEnd(promise: Promise<unknown>): Pick<Promise<unknown>, 'then' | 'catch'> {
  return {
    // biome-ignore lint/suspicious/noThenProperty: the driver goes on with it as with a promise
    then: ((...handlers) => withoutEnd(promise.then(...handlers))) as typeof promise.then,
    catch: ((handler) => promise.catch(handler).catch(() => {})) as typeof promise.catch,
  }
}
