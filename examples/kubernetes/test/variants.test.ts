import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type DatabaseServer, startPostgres, startVault, type VaultServer } from '@vault-lease/testing'
import { generate } from 'selfsigned'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { run } from '../../../packages/cli/test/cli.ts'
import { type KubernetesApi, startKubernetesApi } from '../../../packages/core/test/vault/token-review.ts'
import { freePort } from '../../../packages/testing/src/server-process.ts'
import { startAgent } from './agent.ts'
import { type Application, startApplication } from './application.ts'
import { environmentOf, example, manifestOf, podOf, type Variant } from './manifests.ts'

const adminPassword = 'rotated-by-vault'

describe('the variants, on a real Vault and a real database', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kubernetes-'))
  const tokenFile = join(folder, 'token')
  let vault: VaultServer
  let database: DatabaseServer
  let api: KubernetesApi
  let closing: (() => unknown)[] = []

  beforeAll(async () => {
    ;[vault, database, api] = await Promise.all([startVault(), startPostgres(), startKubernetesApi()])
    await database.query(readFileSync(join(example, 'setup/database.sql'), 'utf8'))
    await database.query(`alter role vault_admin password '${adminPassword}'`)
    const { code, stdout, stderr } = await run(['setup', await setupFile(), '--yes'], {
      VAULT_ADDR: vault.address,
      VAULT_TOKEN: vault.token,
      POSTGRES_ADMIN_PASSWORD: adminPassword,
    })
    expect(code, `${stdout}${stderr}`).toBe(0)
    writeFileSync(tokenFile, serviceAccountToken('library'))
  })
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close()
    closing = []
  })
  afterAll(async () => {
    await Promise.all([vault?.stop(), database?.stop(), api?.[Symbol.asyncDispose]()])
    rmSync(folder, { recursive: true })
  })

  /** The file of the example, for servers without TLS and with users of seconds. */
  async function setupFile(): Promise<string> {
    const caFile = join(folder, 'ca.crt')
    writeFileSync(caFile, (await generate([{ name: 'commonName', value: 'kubernetes' }])).cert)
    const host = 'kubernetes_host: https://kubernetes.default.svc:443'
    const outside = [
      `kubernetes_host: ${api.address}`,
      `kubernetes_ca_cert_file: ${caFile}`,
      'disable_local_ca_jwt: true',
    ]
    const places = {
      'postgres.database.svc:5432/app?sslmode=verify-full&sslrootcert=/vault/userconfig/vault-tls/ca.crt': `127.0.0.1:${database.port}/${database.database}?sslmode=disable`,
      [host]: outside.join('\n      '),
      'default_ttl: 1h': 'default_ttl: 5s',
      'max_ttl: 24h': 'max_ttl: 6s',
    }
    const text = readFileSync(join(example, 'setup/vault.yaml'), 'utf8')
    const file = join(folder, 'vault.yaml')
    writeFileSync(file, replaced(text, places))
    return file
  }

  /** The token that Kubernetes would put into the pod of a variant. */
  function serviceAccountToken(variant: Variant): string {
    const { namespace = '' } = manifestOf(variant, 'Deployment').metadata
    const { serviceAccountName, volumes } = podOf(variant)
    const audiences = volumes.flatMap(({ projected }) =>
      (projected?.sources ?? []).map(({ serviceAccountToken }) => serviceAccountToken.audience),
    )
    return api.serviceAccountToken(namespace, serviceAccountName, { aud: audiences })
  }

  /** With the environment of its manifest, but for where things are. */
  async function start(variant: Variant, places: Record<string, string>): Promise<Application> {
    const { NODE_EXTRA_CA_CERTS: _, VAULT_CACERT: __, ...env } = environmentOf(variant)
    const here = {
      PGHOST: '127.0.0.1',
      PGPORT: String(database.port),
      PGDATABASE: database.database,
      PGSSLMODE: 'disable',
    }
    const application = await startApplication({ ...env, ...here, ...places })
    closing.push(() => application.kill())
    return application
  }

  async function until(file: string): Promise<void> {
    if (!existsSync(file)) throw new Error(`${file} is not there`)
  }

  const usersLeft = () => database.query(`select rolname from pg_roles where rolname like 'v-%'`)

  it('library: logs in as the role and for the audience of the manifest, and leaves nothing behind', async () => {
    const application = await start('library', { VAULT_ADDR: vault.address, VAULT_JWT_FILE: tokenFile })
    await application.serveAs(3)
    await application.stop()
    expect(await usersLeft()).toEqual([])
  })

  it('library: whoever is another, or has a token for another purpose, does not get in', async () => {
    const tokens = [
      api.serviceAccountToken('myapp', 'another', { aud: ['vault'] }),
      api.serviceAccountToken('default', 'myapp', { aud: ['vault'] }),
      api.serviceAccountToken('myapp', 'myapp'),
    ]
    for (const jwt of tokens) {
      const { status } = await vault.call('POST', 'auth/kubernetes/login', { role: 'myapp', jwt })
      expect(status).toBeGreaterThanOrEqual(400)
    }
    const jwt = serviceAccountToken('library')
    expect(await vault.call('POST', 'auth/kubernetes/login', { role: 'myapp', jwt })).toMatchObject({
      status: 200,
    })
  })

  it('injector: follows the file that an Agent renders with the template of the annotation, five times under load', async () => {
    const { annotations = {} } = manifestOf('injector', 'Deployment').spec.template.metadata
    const of = (name: string): string => annotations[`vault.hashicorp.com/${name}`] ?? ''
    const destination = join(folder, 'secrets', 'db-creds')
    mkdirSync(dirname(destination))
    const agent = await startAgent({
      command: 'agent',
      vault: vault.address,
      config: `auto_auth { method "kubernetes" { config = { role = "${of('role')}"  token_path = "${tokenFile}" } } }
template {
  destination = "${destination}"
  contents = <<EOT
${of('agent-inject-template-db-creds')}
EOT
}`,
      ready: () => until(destination),
    })
    closing.push(() => agent[Symbol.asyncDispose]())
    expect(readFileSync(destination, 'utf8')).toMatch(
      /^export DB_USERNAME="v-[^"]+"\nexport DB_PASSWORD="[^"]+"\s*$/,
    )
    expect(environmentOf('injector')['DB_CREDENTIAL_FILE']).toBe('/vault/secrets/db-creds')
    const application = await start('injector', { DB_CREDENTIAL_FILE: destination })
    await application.serveAs(6)
    await application.stop()
  })

  it('proxy: comes to Vault through a Proxy with the configuration of the manifest', async () => {
    const port = await freePort()
    const address = `http://127.0.0.1:${port}`
    const config = replaced(manifestOf('proxy', 'ConfigMap').data?.['proxy.hcl'] ?? '', {
      '127.0.0.1:8200': `127.0.0.1:${port}`,
      '/var/run/secrets/vault/token': tokenFile,
    })
    const proxy = await startAgent({
      command: 'proxy',
      vault: vault.address,
      config,
      async ready() {
        const path = `${address}/v1/auth/token/lookup-self`
        const { ok } = await fetch(path, { headers: { 'x-vault-request': 'true' } })
        if (!ok) throw new Error('it has no token yet')
      },
    })
    closing.push(() => proxy[Symbol.asyncDispose]())
    // What a page in a browser could send does not pass.
    expect((await fetch(`${address}/v1/auth/token/lookup-self`)).status).toBe(412)
    expect(environmentOf('proxy')['VAULT_AGENT_ADDR']).toBe('http://127.0.0.1:8200')
    const application = await start('proxy', { VAULT_AGENT_ADDR: address })
    await application.serveAs(3)
    await application.stop()
  })

  it.each(['secrets-operator', 'csi'] as const)(
    '%s: follows the file in a folder whose link is swapped, five times under load',
    async (variant) => {
      const file = environmentOf(variant)['DB_CREDENTIAL_FILE'] ?? ''
      const mount = join(folder, variant)
      const name = file.slice(dirname(file).length + 1)
      mkdirSync(mount)
      const next = async (): Promise<string> => {
        const { body } = await vault.must('GET', 'database/creds/readonly')
        writeMounted(mount, name, JSON.stringify(variant === 'csi' ? body : body.data))
        return body.lease_id
      }
      // A user outlives its turn by far, as in the manifest: a machine that is busy takes its time.
      const { body: role } = await vault.must('GET', 'database/roles/readonly')
      const slowly = { ...role.data, default_ttl: '20s', max_ttl: '20s' }
      await vault.must('POST', 'database/roles/readonly', slowly)
      const leases = [await next()]
      const application = await start(variant, { DB_CREDENTIAL_FILE: join(mount, name) })
      const serving = application.serveAs(6)
      const swapping = (async () => {
        for (let n = 1; n <= 5; n++) {
          await sleep(1_500)
          leases.push(await next())
        }
      })()
      await Promise.all([serving, swapping])
      await application.stop()
      expect(leases.length).toBe(6)
    },
  )
})

function replaced(text: string, places: Readonly<Record<string, string>>): string {
  return Object.entries(places).reduce((text, [there, here]) => {
    if (!text.includes(there)) throw new Error(`there is no ${there} in it`)
    return text.replaceAll(there, here)
  }, text)
}

let written = 0

/** As the kubelet and the CSI driver write: a new folder, and a link to it that takes the place of the old one at once. */
function writeMounted(mount: string, name: string, text: string): void {
  const version = `..version-${written++}`
  mkdirSync(join(mount, version))
  writeFileSync(join(mount, version, name), text)
  symlinkSync(version, join(mount, '..data_tmp'))
  renameSync(join(mount, '..data_tmp'), join(mount, '..data'))
  if (!existsSync(join(mount, name))) symlinkSync(join('..data', name), join(mount, name))
}
