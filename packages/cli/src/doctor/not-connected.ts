import type { Database } from '../database/database.ts'
import { type Finding, failed } from './finding.ts'
import { links } from './links.ts'

const noDatabase = 'Correct the database in --url.'
const notAllowed =
  'Correct the database in --url, or have the creation_statements let the user in to it (grant … on …).'
const full = 'Raise max_connections, or close what is not needed.'

/** By what a database answers that is there, and does not let the user in to what was asked for. */
const hints: Readonly<Record<string, string>> = {
  '3D000': noDatabase,
  '42501': notAllowed,
  '53300': full,
  ER_BAD_DB_ERROR: noDatabase,
  ER_DBACCESS_DENIED_ERROR: notAllowed,
  ER_CON_COUNT_ERROR: full,
}

/** Why nobody could log in, and what to do about it. */
export function notConnected({ kind, place }: Database, error: unknown, said: string): Finding {
  const hint = hints[codeOf(error)]
  if (hint !== undefined) return failed(`${place} does not let the user in: ${said}`, hint, links.databases)
  return kind.isRefusal(error)
    ? failed(
        `${place} refuses the user: ${said}`,
        'Is it the database that Vault creates users in, and do its rules let them in from this machine (pg_hba.conf, user@host, authSource)?',
        links.databases,
      )
    : failed(
        `${place} cannot be reached: ${said}`,
        'Is it up, is the address right, does it speak TLS as --url has it, and does the network let this machine through?',
        links.databases,
      )
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
