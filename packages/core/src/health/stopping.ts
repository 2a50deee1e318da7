/** Known by every copy of this library: what has told this process to end. */
const mark: unique symbol = Symbol.for('vault-lease.stoppedBy') as never

const everywhere = globalThis as { [mark]?: NodeJS.Signals }

/** The process was told to end, and begins to close what it has. */
export function noteStop(signal: NodeJS.Signals): void {
  everywhere[mark] ??= signal
}

/** The signal that the process closes at; `undefined` while it goes on. */
export function stoppedBy(): NodeJS.Signals | undefined {
  return everywhere[mark]
}
