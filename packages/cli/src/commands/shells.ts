import type { AddCommand } from '../add-command.ts'
import { defaultGraceMs } from '../exec/program.ts'
import { addLeaseFlags, type LeaseFlags } from '../lease-flags.ts'
import { runWithLease } from './exec.ts'

/** How the shell of a database is told where to go. The login comes in its environment. */
const shells: Readonly<Record<string, readonly string[]>> = {
  psql: ['psql'],
  mysql: [
    'sh',
    '-c',
    'test -n "$MYSQL_DATABASE" && set -- "$@" "$MYSQL_DATABASE"; exec mysql --user="$MYSQL_USER" --host="$MYSQL_HOST" --port="$MYSQL_TCP_PORT" "$@"',
    'mysql',
  ],
  mongosh: ['mongosh', '--nodb', '--shell', '--eval', 'db = connect(process.env.MONGODB_URI)'],
}

/** `vault-lease psql`, `mysql` and `mongosh`: the database's own shell, as a user that is gone afterwards. */
export const addShells: AddCommand = (program, exit) => {
  for (const [name, [command = name, ...before]] of Object.entries(shells)) {
    addLeaseFlags(program.command(name))
      .description(`Open ${name} as a database user that is gone afterwards.`)
      .usage('[options] [-- arguments]')
      .argument('[arguments...]', `what ${name} is given beside`)
      .passThroughOptions()
      .addHelpText(
        'after',
        `\nThe password is in the environment of ${name}, not on its command line.\n\nExit codes: those of ${name}; before it runs 2 for wrong options, 3 for Vault, 4 for the database; 127 when ${name} is not there.\n\nExample:\n  vault-lease ${name} --role readonly --url ${urls[name]}`,
      )
      .action(async (args: string[], flags: LeaseFlags) => {
        exit(
          await runWithLease([command, ...before, ...args], {
            ...flags,
            onRotate: 'none',
            grace: defaultGraceMs,
            format: 'env',
          }),
        )
      })
  }
}

const urls: Readonly<Record<string, string>> = {
  psql: 'postgresql://db.internal/app',
  mysql: 'mysql://db.internal/app',
  mongosh: 'mongodb://db.internal/app',
}
