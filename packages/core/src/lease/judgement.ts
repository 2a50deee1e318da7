import type { Attachment } from './attachment.ts'
import type { Credential } from './credential.ts'

/**
 * - `alone`: somebody else can log in with it, so the trouble is that of one consumer;
 * - `dead`: whoever can be asked refuses it;
 * - `unknown`: nobody can be asked. Another user helps the one that is refused, and the others keep theirs.
 */
export type Judgement = 'alone' | 'dead' | 'unknown'

/**
 * What it means that the database of one consumer refuses a credential: whoever else uses it is asked. Never rejects.
 *
 * @param tellsOfTheUser whether the refusal can be about the user, and not only about a database that never knew it.
 */
export async function judge(
  refused: Attachment,
  all: Iterable<Attachment>,
  credential: Credential,
  tellsOfTheUser: boolean,
): Promise<Judgement> {
  const others = [...all].filter((each) => each !== refused && each.uses(credential))
  if (!tellsOfTheUser && others.some(({ state }) => state === 'proven')) return 'alone'
  const answers = await Promise.all(
    others.map(async (each) => ({ answer: (await each.ask(credential)).answer, state: each.state })),
  )
  if (answers.some(({ answer }) => answer === 'accepted')) return 'alone'
  const mayLive = answers.some(
    ({ answer, state }) => answer === 'full' || (answer === 'silent' && state === 'proven'),
  )
  return mayLive ? 'unknown' : 'dead'
}
