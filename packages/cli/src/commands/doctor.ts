import { createLease, none } from '@vault-lease/core'
import { InvalidArgumentError, Option } from 'commander'
import type { AddCommand } from '../add-command.ts'
import { Examination, type Result } from '../doctor/examination.ts'
import { examine, examineBefore } from '../doctor/examine.ts'
import { mountOf, originOf } from '../doctor/origin.ts'
import { linesOf, summaryOf } from '../doctor/report.ts'
import { secondsOf } from '../durations.ts'
import { exitCodes } from '../exit-codes.ts'
import { addLeaseFlags, databaseOf, type LeaseFlags, leaseOptionsOf } from '../lease-flags.ts'
import { hasColours, print } from '../terminal.ts'

interface DoctorFlags extends LeaseFlags {
  readonly pre?: true
  readonly json?: true
  readonly instances: number
  readonly poolMax: number
  readonly drainTimeout: number
}

const help = `
It looks, in this order, at Vault, the token, its policies, the role, and then creates a credential, logs in with it, renews it and
revokes it, with what the database has to say meanwhile. Nothing is left behind, also by Ctrl-C. With --pre it looks whether Vault is there, and
whether the token may run "vault-lease setup".
Exit codes: 0 nothing failed; 1 something did; 2 wrong options; 128 and more after a signal.

Examples:
  vault-lease doctor --role app --url postgresql://db/app
  vault-lease doctor --role app --url postgresql://db/app --instances 20 --pool-max 10
  vault-lease doctor --pre`

/** `vault-lease doctor`: what stands between an application and its database. */
export const addDoctor: AddCommand = (program, exit) => {
  addLeaseFlags(program.command('doctor'))
    .description('Check everything that an application needs of Vault and its database, and say what to do.')
    .option('--pre', 'before anything is set up: only Vault, and what the token may do')
    .option('--instances <n>', 'how many instances of the application there are', countOf, 1)
    .option('--pool-max <n>', 'the largest size of the pool of each', countOf, 10)
    .addOption(
      new Option('--drain-timeout <time>', 'rotation.drainTimeoutMs of the application')
        .argParser(secondsOf)
        .default(30_000, '30s'),
    )
    .option('--json', 'tell it as JSON')
    .addHelpText('after', help)
    .action(async ({ pre, json, instances, poolMax, drainTimeout: drainMs, ...flags }: DoctorFlags) => {
      let before: Result | undefined
      const examination = new Examination((result) => {
        if (!json) print(linesOf(result, before, hasColours(process.stdout)))
        before = result
      })
      if (pre) await examineBefore(examination, flags, mountOf(flags.mount))
      else {
        const database = databaseOf(flags)
        const origin = originOf(flags)
        // What a lease would not take is wrong here too; it asks for nothing yet.
        createLease({ ...leaseOptionsOf(flags), vault: { auth: none() } })
        const load = { instances, poolMax }
        await examine(examination, { flags, origin, database, load, drainMs })
      }
      const { results, hasFailed } = examination
      print(json ? JSON.stringify({ ok: !hasFailed, results }) : `\n${summaryOf(results)}`)
      exit(hasFailed ? exitCodes.found : exitCodes.done)
    })
}

function countOf(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('It takes a whole number above 0.')
  return Number(text)
}
