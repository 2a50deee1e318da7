import { defineConfig } from 'vitest/config'

const source = '@vault-lease/source'

export default defineConfig({
  resolve: { conditions: [source, 'node', 'import', 'default'] },
  ssr: { resolve: { conditions: [source, 'node', 'import', 'default'] } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'examples/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 120_000,
  },
})
