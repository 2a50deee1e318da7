import { VaultLeaseError } from '@vault-lease/core'
import { awaited, systemClock } from '@vault-lease/core/adapter'
import { Command, CommanderError } from 'commander'
import type { AddCommand } from './add-command.ts'
import { addAudit } from './commands/audit.ts'
import { addCreds } from './commands/creds.ts'
import { addDev } from './commands/dev.ts'
import { addDoctor } from './commands/doctor.ts'
import { addExec } from './commands/exec.ts'
import { addOrphans } from './commands/orphans.ts'
import { addPgBouncer } from './commands/pgbouncer.ts'
import { addRevoke } from './commands/revoke.ts'
import { addSetup } from './commands/setup.ts'
import { addShells } from './commands/shells.ts'
import { addStatus } from './commands/status.ts'
import { addWait } from './commands/wait.ts'
import { exitCodeOf, exitCodes } from './exit-codes.ts'
import { Interrupted } from './signals.ts'
import { bearLostReaders, print, tell } from './terminal.ts'
import { version } from './version.ts'

const commands: readonly AddCommand[] = [
  addDev,
  addSetup,
  addDoctor,
  addExec,
  addShells,
  addCreds,
  addPgBouncer,
  addWait,
  addStatus,
  addOrphans,
  addAudit,
  addRevoke,
]

const environment = `
Vault and the way to it are what the variables of its own client say: VAULT_ADDR, VAULT_TOKEN (else ~/.vault-token), VAULT_NAMESPACE,
VAULT_CACERT … VAULT_DB_ROLE and VAULT_DB_MOUNT are the defaults of --role and --mount.`

/** Runs the command with its arguments. Never rejects: gives the exit code. */
export async function run(args: readonly string[]): Promise<number> {
  let code: number = exitCodes.done
  let asJson = false
  bearLostReaders()
  const program = new Command('vault-lease')
    .description('Database credentials of Vault and OpenBao: try, set up, check, run, clean.')
    .version(version)
    .enablePositionalOptions()
    .exitOverride()
    .showSuggestionAfterError()
    .addHelpText('after', environment)
    .hook('preAction', (_program, command) => {
      asJson = command.opts()['json'] === true
    })
  for (const add of commands) {
    add(program, (exitCode) => {
      code = exitCode
    })
  }
  try {
    // Between two tries at Vault there is nothing else that keeps the process alive.
    await awaited(systemClock, program.parseAsync(args, { from: 'user' }))
    return code
  } catch (error) {
    // Commander has told its own already.
    if (error instanceof CommanderError) return exitCodeOf(error)
    tell(`vault-lease: ${textOf(error)}`)
    if (asJson) print(JSON.stringify({ error: { code: codeOf(error), message: messageOf(error) } }))
    return exitCodeOf(error)
  }
}

function textOf(error: unknown): string {
  if (error instanceof Error && !isExpected(error)) return error.stack ?? error.message
  return messageOf(error)
}

function isExpected(error: Error): boolean {
  return error instanceof VaultLeaseError || error instanceof Interrupted
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  return cause instanceof Error && !error.message.includes(cause.message)
    ? `${error.message} (${cause.message})`
    : error.message
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'ERR_SOFTWARE'
}
