import { createReadStream } from 'node:fs'
import { text } from 'node:stream/consumers'

const largestFile = 1024 * 1024

/**
 * The text of a file with little in it. What is longer, or has no end as a device, is not read to its end.
 *
 * @throws Error when the file cannot be read, or is longer than 1 MiB.
 */
export async function readSmallFile(path: string, signal?: AbortSignal): Promise<string> {
  const stream = createReadStream(path, { encoding: 'utf8', end: largestFile, ...(signal && { signal }) })
  const read = await text(stream)
  if (stream.bytesRead > largestFile) throw new Error('it is longer than 1 MiB')
  return read
}
