import type { MongoClient } from 'mongodb'
import { type AuthContext, type AuthProvider, authProvidersOf } from './driver.ts'

/** Whom a connection belongs to, and what proves it. */
export interface Login {
  readonly username: string
  readonly password: string
}

/**
 * Has each new connection of a client log in with what `login` gives at that moment. By itself the driver uses for ever what
 * the client was made with.
 *
 * @throws InvalidOptionError when this is not a driver that works the way this needs.
 */
export function logInBy(client: MongoClient, login: () => Login): void {
  const providers = authProvidersOf(client)
  const original = providers.getOrCreateProvider.bind(providers)
  providers.getOrCreateProvider = (mechanism, properties) => withLogin(original(mechanism, properties), login)
}

function withLogin(provider: AuthProvider, login: () => Login): AuthProvider {
  return {
    // The first step of a new connection. The next ones go on with the context, and so with the same login.
    prepare: async (greeting, context) => await provider.prepare(greeting, renewed(context, login)),
    auth: (context) => provider.auth(context),
    reauth: async (context) => await provider.reauth(renewed(context, login)),
  }
}

function renewed(context: AuthContext, login: () => Login): AuthContext {
  const { username, password } = login()
  const { credentials } = context
  // It is frozen, and knows its own class only by this.
  context.credentials = new credentials.constructor({ ...credentials, username, password })
  return context
}
