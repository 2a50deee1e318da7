import type { PgClient } from './driver.ts'

/** What the wire tells of a server that asks for a password, or goes on asking. */
const challenges = [
  'authenticationCleartextPassword',
  'authenticationMD5Password',
  'authenticationSASL',
  'authenticationSASLContinue',
] as const

/**
 * Lends a client its password while it answers a challenge, and not a moment longer: nobody sees it who prints the client. To
 * hide the property itself would have every look at a client take longer, which a pool looks at several times in each checkout.
 */
export function answerChallenges(client: PgClient, password: string): void {
  const lend = (): void => {
    client.password = password
    queueMicrotask(() => {
      client.password = undefined
    })
  }
  for (const challenge of challenges) client.connection.on(challenge, lend)
}
