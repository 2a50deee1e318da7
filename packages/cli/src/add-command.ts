import type { Command } from 'commander'

/** Adds one subcommand. What came of it is told by `exit`: an exit code. */
export type AddCommand = (program: Command, exit: (code: number) => void) => void
