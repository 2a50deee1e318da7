import { createLease, InvalidOptionError } from '@vault-lease/core'
import { Option } from 'commander'
import type { AddCommand } from '../add-command.ts'
import { CredentialFile } from '../creds/credential-file.ts'
import { type Format, formats, textIn } from '../creds/formats.ts'
import { secondsOf } from '../durations.ts'
import { forwardSignals } from '../exec/forwarded.ts'
import { onRotateOf } from '../exec/on-rotate.ts'
import { defaultGraceMs } from '../exec/program.ts'
import { Supervisor } from '../exec/supervisor.ts'
import { addLeaseFlags, databaseOf, type LeaseFlags, leaseOptionsOf } from '../lease-flags.ts'
import { tellFailures } from '../tell-failures.ts'
import { tell } from '../terminal.ts'
import { variablesFor } from '../variables.ts'

interface ExecFlags extends LeaseFlags {
  readonly onRotate: string
  readonly grace: number
  readonly out?: string
  readonly format: Format
}

const help = `
The program finds DB_USERNAME and DB_PASSWORD in its environment; with --url also DATABASE_URL and what programs of that
database read: PGHOST, PGUSER, PGPASSWORD …, MYSQL_HOST, MYSQL_PWD …, MONGODB_URI.
The lease is renewed while the program runs, and revoked when it has ended. At its max TTL there is another user:
  none         the program keeps the one that it has, for as long as that lives (for what runs once)
  restart      SIGTERM, --grace, SIGKILL, and it begins anew, after the new user was tried at --url
  signal:HUP   --out is written anew, and the program gets the signal

Exit codes: those of the program; before it runs 2 for wrong options, 3 for Vault, 4 for the database; 126 and 127 when the
program cannot be run, or is not there.

Examples:
  vault-lease exec --role migrate --url postgresql://db/app -- npx prisma migrate deploy
  vault-lease exec --role app --url mysql://db/app --on-rotate restart -- python worker.py
  vault-lease exec --role app --out /run/db.env --on-rotate signal:HUP -- nginx`

/** `vault-lease exec`: runs a program with a credential in its environment. */
export const addExec: AddCommand = (program, exit) => {
  addLeaseFlags(program.command('exec'))
    .description('Run a program with a database credential in its environment.')
    .usage('[options] -- <program> [arguments]')
    .argument('<program...>', 'what is run, and its arguments')
    .passThroughOptions()
    .option('--on-rotate <what>', 'when there is another user: none, restart, or signal:NAME', 'none')
    .addOption(
      new Option('--grace <time>', 'what the program has to end before it is killed')
        .argParser(secondsOf)
        .default(defaultGraceMs, '10s'),
    )
    .option('--out <file>', 'keep the credential in a file too, mode 0600')
    .addOption(formats('env'))
    .addHelpText('after', help)
    .action(async (command: [string, ...string[]], flags: ExecFlags) => {
      exit(await runWithLease(command, flags))
    })
}

/** Gives the exit code of the program. */
export async function runWithLease(
  command: readonly [string, ...string[]],
  { onRotate, grace, out, format, ...flags }: ExecFlags,
): Promise<number> {
  const database = databaseOf(flags)
  const rotate = onRotateOf(onRotate)
  if (rotate.kind === 'signal' && out === undefined)
    throw new InvalidOptionError(
      'A signal needs --out: the environment of a program that runs cannot be changed.',
    )
  const file = out === undefined ? undefined : new CredentialFile(out)
  const lease = createLease(leaseOptionsOf(flags))
  tellFailures(lease)
  const supervisor = new Supervisor(lease, {
    command,
    database,
    onRotate: rotate,
    graceMs: grace,
    variables: (credential) => variablesFor(credential, database),
    ...(file && { hand: (credential) => file.write(textIn(format, credential, database)) }),
    tell,
  })
  const stopForwarding = forwardSignals((signal, hasIt) => supervisor.signal(signal, hasIt))
  try {
    return await supervisor.run()
  } finally {
    await lease.close()
    file?.remove()
    stopForwarding()
  }
}
