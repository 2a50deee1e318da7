import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import { InvalidOptionError } from '@vault-lease/core'

const newline = 0x0a
/** No entry of a Vault is longer: by itself it takes requests of 32 MiB, and hashes what is in them. */
const longestLine = 64 * 1024 * 1024

/**
 * The lines of files one after another, `.gz` unpacked; without files those of standard input. Only the line that is read is kept.
 * One that is too long for an entry is `undefined`.
 *
 * @throws InvalidOptionError when a file cannot be read.
 */
export async function* linesOf(files: readonly string[]): AsyncGenerator<Buffer | undefined> {
  if (files.length === 0) yield* split(process.stdin)
  for (const file of files) {
    try {
      yield* split(bytesOf(file))
    } catch (cause) {
      throw new InvalidOptionError(`${file} cannot be read.`, { cause })
    }
  }
}

async function* bytesOf(file: string): AsyncGenerator<Buffer> {
  const packed = createReadStream(file)
  if (!file.endsWith('.gz')) return yield* packed
  const unpacked = createGunzip()
  packed.on('error', (error) => unpacked.destroy(error)).pipe(unpacked)
  yield* unpacked
}

async function* split(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer | undefined> {
  let begun: Buffer[] = []
  let length = 0
  const take = (end: Buffer): Buffer | undefined => {
    const line = length + end.length > longestLine ? undefined : Buffer.concat([...begun, end])
    begun = []
    length = 0
    return line
  }
  for await (const chunk of bytes) {
    let from = 0
    for (let to = chunk.indexOf(newline); to >= 0; to = chunk.indexOf(newline, from)) {
      yield take(chunk.subarray(from, to))
      from = to + 1
    }
    const end = chunk.subarray(from)
    length += end.length
    if (length > longestLine) begun = []
    else begun.push(end)
  }
  if (length > 0) yield take(Buffer.alloc(0))
}
