/** What mariadb 3.4 does with a connection that has just logged in. */
interface Login {
  executeSessionVariableQuery?: () => Promise<void>
}

const mended = new WeakSet<Login>()

/**
 * mariadb 3.4 rejects a promise that nobody can take when a connection is lost between its login and its first statement, which
 * would end the process. Whoever opens the connection hears of the loss in any case. 3.5 has no such promise.
 */
export function takeLossAfterLogin(requireOfDriver: (name: string) => unknown): void {
  const login = loginIn(requireOfDriver)
  const begin = login?.executeSessionVariableQuery
  if (!login || !begin || mended.has(login)) return
  mended.add(login)
  login.executeSessionVariableQuery = function (this: unknown) {
    return withoutEnd(begin.call(this as Login)) as Promise<void>
  }
}

function loginIn(requireOfDriver: (name: string) => unknown): Login | undefined {
  try {
    return (requireOfDriver('mariadb/lib/connection.js') as { readonly prototype?: Login }).prototype
  } catch {
    return undefined
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
