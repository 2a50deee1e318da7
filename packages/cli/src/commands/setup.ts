import { readFileSync, writeFileSync } from 'node:fs'
import { InvalidOptionError } from '@vault-lease/core'
import type { AddCommand } from '../add-command.ts'
import { exitCodes } from '../exit-codes.ts'
import type { SetUpFlags } from '../setup/set-up.ts'
import { print, tell } from '../terminal.ts'
import { addVaultFlags } from '../vault/vault-flags.ts'

interface SetupFlags extends SetUpFlags {
  readonly fromServer?: true
}

const help = `
The file names engines, connections, roles, policies, auth methods and audit devices; the README has one with everything in it.
What is there already and right is left alone, so that a second run changes nothing; what is not in the file is left alone too.
A role that is new or changed gives a credential once, which is revoked: one that cannot is taken back, and told.
Passwords are not in the file: it names a variable or a file for each. A connection's is sent once, when it is made; when it is
rotated (once: it is asked for, or --yes) only Vault knows it.

Exit codes: 0 done, or no difference; 1 a difference: of --plan, or what was left; 2 something is wrong with the file or an
option, told with its line and column; 3 Vault; 4 the database does not take what a connection or a role has;
128 and its number when a signal came: what was begun is finished, and another run does the rest.

Examples:
  vault-lease setup setup.yaml --plan
  vault-lease setup setup.yaml
  vault-lease setup setup.yaml --yes --json
  vault-lease setup setup.yaml --print > setup.sh
  vault-lease setup --from-server > setup.yaml`

/** `vault-lease setup`: Vault's server side from one file. */
export const addSetup: AddCommand = (program, exit) => {
  addVaultFlags(program.command('setup'))
    .description(
      'Have Vault be as a file says: engines, connections, roles, policies, auth methods, audit devices.',
    )
    .argument('[file]', 'the YAML file; with --from-server the file that is written, else it is printed')
    .option('--plan', 'tell what differs, and change nothing')
    .option('--print', 'print it as commands of vault, and ask no server')
    .option('--from-server', 'write the file from what is on the server')
    .option('--yes', 'rotate root passwords without asking')
    .option('--json', 'tell it as JSON')
    .addHelpText('after', help)
    .action(async (file: string | undefined, { fromServer, ...flags }: SetupFlags) => {
      if (Number(flags.plan ?? 0) + Number(flags.print ?? 0) + Number(fromServer ?? 0) > 1)
        throw new InvalidOptionError('Give one of --plan, --print and --from-server.')
      if (fromServer) {
        await writeFromServer(file, flags)
        exit(exitCodes.done)
        return
      }
      if (file === undefined) throw new InvalidOptionError('Name the file: vault-lease setup FILE.yaml.')
      // YAML's parser is loaded by whoever needs it.
      const { setUp } = await import('../setup/set-up.ts')
      exit(await setUp(file, textOf(file), flags))
    })
}

async function writeFromServer(file: string | undefined, flags: SetUpFlags): Promise<void> {
  const { fileFromServer } = await import('../setup/from-server.ts')
  const { text, leftOut } = await fileFromServer(flags)
  for (const what of leftOut) tell(what)
  if (file === undefined) print(text.trimEnd())
  else writeNew(file, text)
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new InvalidOptionError(`The file ${file} cannot be read.`, { cause })
  }
}

/** What somebody has written is not written over. */
function writeNew(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: 'wx' })
  } catch (cause) {
    throw new InvalidOptionError(`The file ${file} cannot be written: it must not be there yet.`, { cause })
  }
}
