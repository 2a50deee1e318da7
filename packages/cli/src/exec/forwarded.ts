/** What is passed on to the program: all that a supervisor may send, and that does not stop or kill. */
const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const
/** A terminal sends these to all that run in it. */
const byTerminal: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGWINCH']

/** Tells of signals of this process, and whether the program has them already, until the returned function is called. */
export function forwardSignals(to: (signal: NodeJS.Signals, hasIt: boolean) => void): () => void {
  const inTerminal = process.stdin.isTTY === true
  const pass = (signal: NodeJS.Signals): void => to(signal, inTerminal && byTerminal.includes(signal))
  for (const signal of signals) process.on(signal, pass)
  return () => {
    for (const signal of signals) process.off(signal, pass)
  }
}
