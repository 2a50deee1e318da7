import { fileURLToPath } from 'node:url'
import config from '../../tsdown.config.ts'

const notNeeded = fileURLToPath(new URL('not-needed.cjs', import.meta.url))

export default {
  ...config,
  entry: ['src/index.ts', 'src/adapter.ts'],
  // zod and node-vault are built in, without what is not used of them: whoever starts would wait for them longer than for
  // Vault. Nothing is required either, which bundlers could not follow.
  alias: { axios: notNeeded, debug: notNeeded, https: notNeeded, events: notNeeded },
}
