import type { Reporter, TestModule } from 'vitest/node'

/** Ends the output with one line for the whole run. A file that could not run at all counts as one failure. */
export default class TotalsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const totals = { passed: 0, failed: errors.length, skipped: 0 }
    for (const module of modules) {
      const states = Array.from(module.children.allTests(), (test) => test.result().state)
      for (const state of states) if (state !== 'pending') totals[state]++
      if (module.state() === 'failed' && !states.includes('failed')) totals.failed++
    }
    const skipped = totals.skipped > 0 ? `, ${totals.skipped} skipped` : ''
    process.on('exit', () => console.log(`${totals.passed} passed, ${totals.failed} failed${skipped}`))
  }
}
