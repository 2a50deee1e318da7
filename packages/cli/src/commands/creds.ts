import { type Credential, createLease, InvalidOptionError } from '@vault-lease/core'
import { Option } from 'commander'
import type { AddCommand } from '../add-command.ts'
import { CredentialFile } from '../creds/credential-file.ts'
import { FollowedFile } from '../creds/followed-file.ts'
import { type Format, formats, textIn } from '../creds/formats.ts'
import { attachOnce } from '../creds/one-time.ts'
import { secondsOf } from '../durations.ts'
import { exitCodes } from '../exit-codes.ts'
import { addLeaseFlags, databaseOf, type LeaseFlags, leaseOptionsOf } from '../lease-flags.ts'
import { unlessInterrupted, untilInterrupted } from '../signals.ts'
import { tellFailures } from '../tell-failures.ts'
import { printToReader, tell } from '../terminal.ts'

interface CredsFlags extends LeaseFlags {
  readonly format: Format
  readonly json?: true
  readonly watch?: true
  readonly out?: string
  readonly execAfter?: string
  readonly drain: number
}

const help = `
Without --watch the credential is printed once, and its lease lives on until its own end, or until
  vault-lease revoke --role <role>
With --watch the file always holds a credential that lives: it is renewed, and written anew (mode 0600, by rename) when there is
another user. The user before lives on for --drain, so that whoever has read the file has time to read it again. At the end the
file is removed and the lease revoked.

Exit codes: 0 done; 2 wrong options; 3 Vault gives no credential; 4 the database does not take it; 128 and more when a
signal came before it was printed. --watch ends with 0 by a signal.

Examples:
  eval "$(vault-lease creds --role readonly --url postgresql://db/app)"
  vault-lease creds --role readonly --url postgresql://db/app --format pgpass > ~/.pgpass
  vault-lease creds --role app --watch --out /run/db.env --exec-after 'systemctl reload app'`

/** `vault-lease creds`: prints a credential, or keeps a file with one. */
export const addCreds: AddCommand = (program, exit) => {
  addLeaseFlags(program.command('creds'))
    .description('Print a database credential, or keep a file with a live one.')
    .addOption(formats('env'))
    .option('--json', 'the same as --format json')
    .option('--watch', 'keep the file --out up to date until a signal comes')
    .option('--out <file>', 'write there, mode 0600, instead of printing')
    .option('--exec-after <command>', 'run by the shell each time that the file was written')
    .addOption(
      new Option('--drain <time>', 'how long the user before lives on')
        .argParser(secondsOf)
        .default(300_000, '5m'),
    )
    .addHelpText('after', help)
    .action(async ({ json, ...flags }: CredsFlags) => {
      const asked = json ? { ...flags, format: 'json' as const } : flags
      await (asked.watch ? watch(asked) : printOnce(asked))
      exit(exitCodes.done)
    })
}

async function printOnce({ format, out, ...flags }: CredsFlags): Promise<void> {
  if (flags.execAfter !== undefined) throw new InvalidOptionError('--exec-after goes with --watch.')
  const database = databaseOf(flags)
  const file = out === undefined ? undefined : new CredentialFile(out)
  using interrupted = untilInterrupted()
  const lease = createLease(leaseOptionsOf(flags))
  try {
    const credential = await unlessInterrupted(interrupted, attachOnce(lease, database).credential())
    const text = textIn(format, credential, database)
    if (file) file.write(text)
    else await printToReader(text)
    // The lease is not closed: who asked for the credential is about to use it.
  } catch (error) {
    await lease.close()
    throw error
  }
}

async function watch({ format, out, execAfter, drain, ...flags }: CredsFlags): Promise<void> {
  if (out === undefined) throw new InvalidOptionError('--watch needs --out: a file that is kept up to date.')
  const database = databaseOf(flags)
  const file = new CredentialFile(out)
  using interrupted = untilInterrupted()
  const lease = createLease({ ...leaseOptionsOf(flags), rotation: { drainTimeoutMs: drain } })
  tellFailures(lease)
  const followed = new FollowedFile(lease, {
    database,
    file,
    text: (credential: Credential) => textIn(format, credential, database),
    execAfter,
    tell,
  })
  try {
    await Promise.race([followed.begin(), interrupted])
    await interrupted
  } finally {
    followed.end()
    await lease.close()
  }
}
