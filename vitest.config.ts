import { defaultServerConditions } from 'vite'
import { defineConfig } from 'vitest/config'
import { filesAtOnce } from './test/files-at-once.ts'

// Node gets them too, for which "module" is none: @opentelemetry/api has there what only bundlers can load.
const conditions = ['@vault-lease/source', ...defaultServerConditions.filter((name) => name !== 'module')]

export default defineConfig({
  ssr: { resolve: { conditions } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'examples/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    setupFiles: ['test/patience.ts'],
    pool: 'forks',
    maxWorkers: await filesAtOnce(),
    // Files that wait and files that work are mixed: by their size, as it would be otherwise, all that wait come last.
    sequence: { shuffle: { files: true }, seed: 3 },
    // In one file, where tests are side by side.
    maxConcurrency: 4,
    reporters: ['default', './test/totals-reporter.ts'],
    // The longest take half a minute: the limit is for what hangs.
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
})
