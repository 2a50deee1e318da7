import { builtByGo } from '../../../packages/testing/src/built-by-go.ts'
import { anyLanguage } from '../../../test/examples/any-language.ts'

await anyLanguage('go', async (folder) => ({ command: [await builtByGo('example-go', folder)] }))
