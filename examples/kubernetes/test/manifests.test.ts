import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { downloadPython } from '../../../packages/testing/src/pinned.ts'
import { missing } from '../../../test/unless-missing.ts'
import { environmentOf, example, manifestFiles, manifestsIn, podOf, variants } from './manifests.ts'

const run = promisify(execFile)

const downloaded = () => downloadPython('kubernetes-validate', join(example, 'test', 'requirements.txt'))
const lacking = await missing(downloaded)

/** Kinds whose schemas come with the operator and the driver. */
const foreign = ['VaultAuth', 'VaultDynamicSecret', 'SecretProviderClass']

async function validate(version: string, ...files: string[]): Promise<string[]> {
  const { python, packages } = await downloaded()
  const args = ['-m', 'kubernetes_validate', '--strict', '-k', version, ...files]
  const { stdout, stderr } = await run(python, args, { cwd: example, env: { PYTHONPATH: packages } })
  return `${stdout}${stderr}`.trim().split('\n')
}

/** The oldest version with `preStop.sleep` and native sidecars, and the newest that the validator knows. */
describe.skipIf(lacking !== undefined).each(['1.30', '1.37'])('for Kubernetes %s', (version) => {
  it('every manifest is valid, to the last field', async () => {
    const told = await validate(version, ...manifestFiles())
    const kinds = manifestFiles()
      .flatMap(manifestsIn)
      .map(({ kind }) => kind)
    const ours = kinds.filter((kind) => !foreign.includes(kind))
    expect(told.filter((line) => / passed for resource /.test(line)).length).toBe(ours.length)
    expect(told.length).toBe(kinds.length)
  })

  it('a misspelt field is noticed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'manifests-'))
    const file = join(folder, 'misspelt.yaml')
    const text = readFileSync(join(example, 'manifests', 'library.yaml'), 'utf8')
    writeFileSync(file, text.replace('serviceAccountName', 'serviceAccountNam'))
    await expect(validate(version, file)).rejects.toMatchObject({
      stdout: expect.stringContaining('serviceAccountNam'),
    })
    rmSync(folder, { recursive: true })
  })
})

describe('the Deployments', () => {
  it('differ in nothing but the way to the credential', () => {
    const [first, ...others] = variants.map((variant) => {
      const { containers, initContainers: _init, volumes: _volumes, ...pod } = podOf(variant)
      const [{ env: _env, volumeMounts: _mounts, ...container }] = containers
      return { pod, container }
    })
    for (const other of others) expect(other).toEqual(first)
  })

  it('have the time that preStop and closeOnSignal() take, and 5 s to spare', () => {
    const source = readFileSync(join(example, '../../packages/core/src/close-on-signal.ts'), 'utf8')
    const [, closeWithinMs = ''] = /closeWithinMs = (\S+)/.exec(source) ?? []
    for (const variant of variants) {
      const { terminationGracePeriodSeconds, containers } = podOf(variant)
      const { lifecycle } = containers[0] as unknown as {
        lifecycle: { preStop: { sleep: { seconds: number } } }
      }
      const needed = lifecycle.preStop.sleep.seconds + Number(closeWithinMs.replace('_', '')) / 1_000
      expect(terminationGracePeriodSeconds).toBe(needed + 5)
    }
  })

  it.each(variants)('%s mounts what its container reads', (variant) => {
    const { containers, initContainers = [], volumes } = podOf(variant)
    const mounts = [...containers, ...initContainers].flatMap(({ volumeMounts }) => volumeMounts)
    const names = volumes.map(({ name }) => name)
    for (const { name } of mounts) expect(names).toContain(name)
    const paths = containers[0].volumeMounts.map(({ mountPath }) => `${mountPath}/`)
    const files = Object.values(environmentOf(variant)).filter((value) => value.startsWith('/'))
    // The injector mounts its own.
    for (const file of files)
      expect([...paths, '/vault/secrets/'].some((path) => file.startsWith(path))).toBe(true)
  })
})

describe('the network policies', () => {
  const policies = manifestsIn('manifests/network-policies.yaml')
  const specOf = (name: string) => {
    const found = policies.find(({ metadata }) => metadata.name === name)
    return found?.spec as unknown as {
      readonly podSelector: object
      readonly policyTypes: readonly string[]
      readonly ingress?: readonly object[]
      readonly egress?: readonly { readonly ports: readonly { readonly port: number }[] }[]
    }
  }

  it('close everything for the application but names, Vault and the database', () => {
    expect(specOf('nothing-else')).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] })
    const { egress = [] } = specOf('myapp')
    expect(egress.map(({ ports }) => ports.map(({ port }) => port))).toEqual([[53, 53], [8200], [5432]])
  })

  it('let nothing reach those who administer', () => {
    expect(specOf('nothing-comes-in')).toEqual({ podSelector: {}, policyTypes: ['Ingress'] })
  })
})

it('the values for Helm lead to the Vault that the manifests name', () => {
  const values = parse(readFileSync(join(example, 'helm', 'secrets-operator.yaml'), 'utf8'))
  expect(values.defaultVaultConnection.address).toBe(environmentOf('library')['VAULT_ADDR'])
})
