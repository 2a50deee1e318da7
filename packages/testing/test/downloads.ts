// Downloads something that counts its downloads, and prints where it is.
import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { downloaded, platform } from '../src/download.ts'

const { COUNT_FILE = '', HASH = '', CONTENT_HASH = '' } = process.env
const folder = await downloaded({
  name: 'nothing',
  version: '1',
  hashes: { [platform]: { archive: HASH, content: CONTENT_HASH } },
  async fetch(into) {
    appendFileSync(COUNT_FILE, 'x')
    await sleep(500)
    writeFileSync(join(into, 'archive'), 'content')
  },
  unpack: async (_archive, into) => writeFileSync(join(into, 'file'), 'unpacked'),
}).catch(String)
process.stdout.write(JSON.stringify(folder))
