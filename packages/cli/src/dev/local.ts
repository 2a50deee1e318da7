import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { InvalidOptionError } from '@vault-lease/core'
import { DatabaseError } from '../database/database-error.ts'
import type { Kind } from '../orphans/names.ts'
import { dropLeftovers } from './leftovers.ts'
import { type Lives, makeRoles } from './roles.ts'
import type { LocalServers } from './servers.ts'

/** What is started. */
export interface LocalOptions extends Lives {
  readonly kind: Kind
  /** Where data are kept. */
  readonly data: string | undefined
  /** A file with what is run on the database first. */
  readonly schema: string | undefined
}

/**
 * Starts a Vault, a database, and the roles between them. They end with this process.
 *
 * @throws InvalidOptionError when the schema cannot be read. @throws DatabaseError when a server cannot be had, or refuses the schema.
 */
export async function startLocal({ kind, data, schema, ...lives }: LocalOptions): Promise<LocalServers> {
  const statements = schema === undefined ? [] : statementsIn(schema, kind)
  const { startServers } = await import('@vault-lease/testing')
  try {
    const servers = await startServers({
      kind,
      schema: statements,
      // A folder for each kind: their data do not go together.
      ...(data !== undefined && { database: { folder: join(data, kind) } }),
    })
    if (data !== undefined) await dropLeftovers(servers)
    await makeRoles(servers, lives)
    return servers
  } catch (cause) {
    throw new DatabaseError(`A local server did not start: ${messageOf(cause)}`, { cause })
  }
}

function statementsIn(file: string, kind: LocalOptions['kind']): readonly string[] {
  try {
    const text = readFileSync(file, 'utf8')
    return kind === 'mongodb' ? commandsIn(text) : [text]
  } catch (cause) {
    throw new InvalidOptionError(`--schema ${file}: ${messageOf(cause)}`, { cause })
  }
}

function commandsIn(text: string): readonly string[] {
  const commands: unknown = JSON.parse(text)
  if (!Array.isArray(commands)) throw new TypeError('For MongoDB it is a list of commands, as JSON.')
  return commands.map((command) => JSON.stringify(command))
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
