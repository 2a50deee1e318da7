import type { Credential } from '@vault-lease/core'
import type { MongoClient } from 'mongodb'
import { type AuthContext, type AuthProvider, authProvidersOf } from './driver.ts'

/** What a connection on its way tries to log in with. */
const usedBy = new WeakMap<AuthContext, Credential>()
/** What had been tried when a login failed with an error. */
const failedWith = new WeakMap<Error, Credential>()

/** What a connection had tried to log in with, of an error by which it failed, or of one that has that for its cause. */
export function credentialOf(error: unknown): Credential | undefined {
  return error instanceof Error ? (failedWith.get(error) ?? credentialOf(error.cause)) : undefined
}

/**
 * Has each new connection of a client log in with what `login` gives at that moment. By itself the driver uses for ever what
 * the client was made with.
 *
 * @throws InvalidOptionError when this is not a driver that works the way this needs.
 */
export function logInBy(client: MongoClient, login: () => Credential): void {
  const providers = authProvidersOf(client)
  const original = providers.getOrCreateProvider.bind(providers)
  providers.getOrCreateProvider = (mechanism, properties) => withLogin(original(mechanism, properties), login)
}

function withLogin(provider: AuthProvider, login: () => Credential): AuthProvider {
  return {
    // The first step of a new connection. The next ones go on with the context, and so with the same login.
    prepare: async (greeting, context) => await provider.prepare(greeting, renewed(context, login())),
    auth: async (context) => await noted(context, provider.auth(context)),
    reauth: async (context) => await noted(context, provider.reauth(renewed(context, login()))),
  }
}

function renewed(context: AuthContext, credential: Credential): AuthContext {
  const { username, password } = credential
  const { credentials } = context
  // It is frozen, and knows its own class only by this.
  context.credentials = new credentials.constructor({ ...credentials, username, password })
  usedBy.set(context, credential)
  return context
}

async function noted(context: AuthContext, loggingIn: Promise<void>): Promise<void> {
  try {
    await loggingIn
  } catch (error) {
    const credential = usedBy.get(context)
    if (error instanceof Error && credential) failedWith.set(error, credential)
    throw error
  }
}
