import { join } from 'node:path'
import { downloadPython } from '../../../packages/testing/src/pinned.ts'
import { anyLanguage } from '../../../test/examples/any-language.ts'

await anyLanguage('python', async (folder) => {
  const { python, packages } = await downloadPython('example-python', join(folder, 'requirements.txt'))
  return { command: [python, join(folder, 'main.py')], env: { PYTHONPATH: packages } }
})
