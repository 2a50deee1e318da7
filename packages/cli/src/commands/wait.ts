import { createLease } from '@vault-lease/core'
import { Option } from 'commander'
import type { AddCommand } from '../add-command.ts'
import { attachOnce } from '../creds/one-time.ts'
import { secondsOf } from '../durations.ts'
import { exitCodes } from '../exit-codes.ts'
import { addLeaseFlags, databaseOf, type LeaseFlags, leaseOptionsOf } from '../lease-flags.ts'
import { unlessInterrupted, untilInterrupted } from '../signals.ts'
import { tellFailures } from '../tell-failures.ts'
import { print, tell } from '../terminal.ts'

interface WaitFlags extends LeaseFlags {
  readonly timeout: number
  readonly json?: true
}

const help = `
The user that was tried is gone afterwards.
Exit codes: 0 there is one; 2 wrong options; 3 Vault gave none within --timeout; 4 the database took none; 128 and more after a signal.

Example, as an init container or before a script:
  vault-lease wait --role app --url postgresql://db/app --timeout 2m`

/** `vault-lease wait`: until a role gives a credential that connects. */
export const addWait: AddCommand = (program, exit) => {
  addLeaseFlags(program.command('wait'))
    .description('Wait until a role gives a credential, and the database at --url takes it.')
    .addOption(new Option('--timeout <time>', 'for how long').argParser(secondsOf).default(60_000, '60s'))
    .option('--json', 'tell it as JSON')
    .addHelpText('after', help)
    .action(async ({ timeout, json, ...flags }: WaitFlags) => {
      const database = databaseOf(flags)
      const began = performance.now()
      using interrupted = untilInterrupted()
      await using lease = createLease(leaseOptionsOf(flags))
      tellFailures(lease)
      const attachment = attachOnce(lease, database)
      // It takes part in the lease from here on; what fails is told by the lease, and thrown by `ready()`.
      attachment.credential().catch(() => {})
      await unlessInterrupted(interrupted, lease.ready({ timeoutMs: timeout }))
      const { source } = lease.status()
      const tookMs = Math.round(performance.now() - began)
      if (json) print(JSON.stringify({ source, place: database?.place ?? null, tookMs }))
      else
        tell(`${source} gives credentials${database ? ` that ${database.place} takes` : ''} (${tookMs} ms).`)
      exit(exitCodes.done)
    })
}
