import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cached } from './cached.ts'
import { platform } from './download.ts'
import { fingerprint } from './fingerprint.ts'

/** The program whose source, with a go.mod and a go.sum, is in a folder: built once, and anew when the source is another. */
export async function builtByGo(name: string, source: string): Promise<string> {
  const hash = fingerprint(...['main.go', 'go.mod', 'go.sum'].map((file) => join(source, file)))
  return await cached(`${name}-${platform}-${hash}`, async (made) => {
    const env = { ...process.env, CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '-buildvcs=false' }
    const building = promisify(execFile)('go', ['build', '-trimpath', '-o', made, '.'], { cwd: source, env })
    await building.catch((cause: unknown) => {
      throw new Error(`it is built with go, 1.25.7 or newer, on the PATH: ${String(cause)}`, { cause })
    })
  })
}
